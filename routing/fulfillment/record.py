"""The decision record of a search: which options lost, what each would have cost, and why."""

from collections.abc import Iterable, Sequence
from itertools import takewhile

from core.money import Amounts, Money
from inventory.items import Item
from routing.fulfillment.context import Lane
from routing.fulfillment.cost import Costing
from routing.fulfillment.options import Refusal, refusal
from routing.fulfillment.plan import Rejected
from routing.fulfillment.search import Found, Priced

SHOWN_OPTIONS = 12
"""The cheapest of the options that lost are told with their cost."""

SHOWN_REASONS = 3
"""Items that are named where an option is short of several."""


def rejected_search(
    costing: Costing, found: Found, refusals: Sequence[Refusal]
) -> tuple[Rejected, ...]:
    """Returns what lost against the best option of a search."""
    return (
        *_dearer_options(costing, found),
        *_short_ways(costing, found.covered, [way for way, _ in found.short]),
        *(Rejected(each.option, None, each.reason) for each in refusals),
    )


def dearer(
    label: str, cost: Money, more: Money, terms: Amounts, changes: Iterable[tuple[str, float]]
) -> Rejected:
    """Returns an option that lost by its cost: by how much, and through which terms.

    `more` is what it costs beyond the chosen one; `changes` tells what each term does, those that
    do most first.
    """
    told = [
        f"{name.replace('_', ' ')} {change:+.2f}" for name, change in takewhile(_matters, changes)
    ]
    said = f"{more} dearer: {', '.join(told)}" if told else "as dear as the chosen option"
    return Rejected(label, cost, said, terms)


def _matters(change: tuple[str, float]) -> bool:
    return abs(change[1]) >= 0.005


def short_of(reasons: Sequence[str]) -> str:
    """Returns why a way alone does not serve all, given what it lacks of each item."""
    more = len(reasons) - SHOWN_REASONS
    said = reasons[:SHOWN_REASONS]
    return "; ".join([*said, f"and {more} items more"] if more > 0 else said)


def lacks(item: Item, lane: Lane, held: int, units: int) -> str:
    """Returns why a lane sends fewer units of an item than are wanted."""
    return refusal(item, lane) or f"holds {held} of {units} units of {item.item}"


def _dearer_options(costing: Costing, found: Found) -> list[Rejected]:
    best = found.best
    if best is None:
        return []
    mine, currency = best.bill.terms(), costing.context.currency
    lost = []
    for option in _distinct(best, found.others)[:SHOWN_OPTIONS]:
        theirs = option.bill.terms()
        changes = {name: theirs[name] - mine[name] for name in mine}
        ordered = sorted(changes.items(), key=lambda pair: -abs(pair[1]))
        label = " + ".join(costing.ways[way].label for way in option.team)
        cost = Money.of(option.cost, currency)
        more = Money.of(option.cost - best.cost, currency)
        bill = option.bill.money(currency).minor
        paid = Amounts({name: term for name, term in bill.items() if term}, currency)
        lost.append(dearer(label, cost, more, paid, ordered))
    return lost


def _distinct(best: Priced, options: Sequence[Priced]) -> list[Priced]:
    """The cheapest option of every other team."""
    seen, kept = {best.team}, []
    for option in options:
        if option.team not in seen:
            seen.add(option.team)
            kept.append(option)
    return kept


def _short_ways(costing: Costing, covered: Sequence[int], ways: Sequence[int]) -> list[Rejected]:
    return [Rejected(costing.ways[way].label, None, _short(costing, covered, way)) for way in ways]


def _short(costing: Costing, covered: Sequence[int], at: int) -> str:
    way = costing.ways[at]
    return short_of([
        lacks(want.item, way.lane, held, units)
        for want, held, units in zip(costing.wants, way.stock, covered, strict=True)
        if held < units
    ])  # fmt: skip
