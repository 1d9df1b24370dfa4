"""Keeping scarce goods in orders too large for the exact choice: whole lines left to later ones."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from routing.fulfillment.context import PlanningContext
from routing.fulfillment.legs import KEPT, WORTH_MORE
from routing.fulfillment.order import Availability, Order, OrderLine
from routing.fulfillment.plan import Plan, Unserved

Again = Callable[[Order, Availability], Plan]
"""Plans an order anew, serving the most units."""


def keep_scarce(
    made: Plan, order: Order, availability: Availability, context: PlanningContext, again: Again
) -> Plan:
    """Returns the plan that costs least when lines may be left unserved at their unmet penalty.

    The cost of serving counts shadow prices, so a line is left where its units are worth more to
    later orders than to this one. Lines are given up one at a time, the best first, as long as
    that pays. Without prices nothing is kept.
    """
    if context.prices is None or not made.legs:
        return made
    best, lines, kept = made, order.lines, dict[int, OrderLine]()
    while True:
        tries = [
            (line, _without(order, lines, line, availability, again))
            for line in _doubtful(best, lines, context)
        ]
        pays = [(_cost(one, kept, context, line), line, one) for line, one in tries]
        found = min(pays, key=lambda option: option[0], default=None)
        if found is None or found[0] >= _cost(best, kept, context):
            return _told(best, order, kept) if kept else made
        _, line, best = found
        kept[line.line] = line
        lines = tuple(other for other in lines if other.line != line.line)


def _doubtful(best: Plan, lines: Sequence[OrderLine], context: PlanningContext) -> list[OrderLine]:
    """The served lines whose penalty is below all that the plan costs: no other may be left."""
    served = {line.line for leg in best.legs for line in leg.lines}
    whole = sum(float(term.amount) for term in best.decision.objective.values())
    return [
        line for line in lines if line.line in served and _penalty(line, context) < whole
    ]  # fmt: skip


def _without(
    order: Order,
    lines: Sequence[OrderLine],
    left: OrderLine,
    availability: Availability,
    again: Again,
) -> Plan:
    rest = tuple(line for line in lines if line.line != left.line)
    return again(replace(order, lines=rest), availability) if rest else again(order, {})


def _cost(
    made: Plan,
    kept: Mapping[int, OrderLine],
    context: PlanningContext,
    also: OrderLine | None = None,
) -> float:
    """What a plan and all that it leaves cost, shadow prices and penalties included."""
    left = dict(kept) if also is None else {**kept, also.line: also}
    served = sum(float(term.amount) for term in made.decision.objective.values())
    penalty = sum(_penalty(line, context) for line in left.values())
    short = sum(
        one.quantity * context.catalog.item[one.item].unmet_penalty
        for one in made.unserved
        if one.line not in left
    )
    return served + penalty + short


def _penalty(line: OrderLine, context: PlanningContext) -> float:
    return line.quantity * context.catalog.item[line.item].unmet_penalty


def _told(best: Plan, order: Order, kept: Mapping[int, OrderLine]) -> Plan:
    short = {one.line: one for one in best.unserved if one.line not in kept}
    short |= {
        line.line: Unserved(line.line, line.item, line.quantity, KEPT, WORTH_MORE)
        for line in kept.values()
    }
    return replace(best, unserved=tuple(short[line.line] for line in order.lines
                                        if line.line in short))  # fmt: skip
