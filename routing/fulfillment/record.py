"""The decision record: which options lost, what each would have cost, and through which terms."""

from collections.abc import Callable, Iterable, Sequence

from core.money import Money
from routing.fulfillment.choice import choose
from routing.fulfillment.cost import Costing, Load
from routing.fulfillment.crowd import Crowd
from routing.fulfillment.legs import Answer
from routing.fulfillment.options import Refusal, Way, refusal, ways_of
from routing.fulfillment.plan import Rejected
from routing.fulfillment.search import Found, Priced

_SHOWN_OPTIONS, _SHOWN_REASONS = 12, 3


def rejected_choice(answer: Answer) -> tuple[Rejected, ...]:
    """Returns what lost against an exact choice.

    Every way that alone serves as much, and, where several legs won, the cheapest option without
    each of their sites; then the ways that alone serve less, and what cannot serve at all.
    """
    asked, context = answer.asked, answer.costing.context
    ways, refusals = ways_of(
        asked.order, asked.wants, answer.availability, context, asked.wishes
    )  # fmt: skip
    costing = Costing(asked.wants, ways, context)
    whole = tuple((want, units) for want, units in enumerate(answer.covered) if units)
    able = [
        way for way in range(len(ways))
        if all(ways[way].stock[want] >= units for want, units in whole)
    ]  # fmt: skip
    options = [_priced(costing, way, whole) for way in able] if whole else []
    if answer.best and len(answer.best.loads) > 1:
        options.extend(_without(answer, costing))
    short = [way for way in range(len(ways)) if way not in able]
    best = _same(answer, costing)
    return (
        *_dearer_options(costing, best, sorted(options, key=lambda one: (one.cost, one.loads))),
        *_short_ways(costing, answer.covered, short),
        *_refused(refusals),
    )


def rejected_search(found: Found) -> Callable[[Answer], tuple[Rejected, ...]]:
    """Returns what lost against the best option of a search."""

    def tell(answer: Answer) -> tuple[Rejected, ...]:
        asked, costing = answer.asked, answer.costing
        _, refusals = ways_of(
            asked.order, asked.wants, answer.availability, costing.context, asked.wishes
        )
        return (
            *_dearer_options(costing, found.best, found.others),
            *_short_ways(costing, found.covered, [way for way, _ in found.short]),
            *_refused(refusals),
        )

    return tell


def _priced(costing: Costing, way: int, load: Load) -> Priced:
    loads = ((way, load),)
    bill = costing.bill(loads)
    return Priced(loads, bill, bill.total)


def _same(answer: Answer, costing: Costing) -> Priced | None:
    """The best option, its ways numbered as in a costing of all ways."""
    if answer.best is None:
        return None
    at = {_key(way): place for place, way in enumerate(costing.ways)}
    loads = sorted((at[_key(answer.costing.ways[way])], load) for way, load in answer.best.loads)
    return Priced(tuple(loads), answer.best.bill, answer.best.cost)


def _key(way: Way) -> tuple[str, str, str]:
    return way.lane.site.site, way.lane.service.service, way.customs


def _without(answer: Answer, costing: Costing) -> Iterable[Priced]:
    """The cheapest option without each site of the best one, where others hold enough."""
    context, at = costing.context, {_key(way): place for place, way in enumerate(costing.ways)}
    for site in dict.fromkeys(way.lane.site.site for way in answer.costing.ways):
        left = {key: units for key, units in answer.availability.items() if key[0] != site}
        crowd = Crowd.of([answer.asked], left, context)
        choice = choose(crowd)
        if tuple(crowd.splits.bundles[choice.target[0]].tolist()) != tuple(answer.covered):
            continue
        loads = []
        for sent in choice.sent[0]:
            customs = "bonded" if crowd.customs[sent.row] else "free"
            name = context.rates.sites[int(crowd.site[sent.row])]
            way = at[name, context.services[sent.service].service, customs]
            units = crowd.splits.bundles[sent.bundle].tolist()
            loads.append((way, tuple((want, n) for want, n in enumerate(units) if n)))
        bill = costing.bill(tuple(sorted(loads)))
        yield Priced(tuple(sorted(loads)), bill, bill.total)


def _dearer_options(
    costing: Costing, best: Priced | None, options: Sequence[Priced]
) -> list[Rejected]:
    if best is None:
        return []
    currency = costing.context.currency
    return [
        Rejected(
            " + ".join(costing.ways[way].label for way in option.team),
            Money.of(option.cost, currency),
            _dearer(best, option, currency),
            option.bill.money(currency),
        )
        for option in _distinct(best, options)[:_SHOWN_OPTIONS]
    ]


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


def _short(costing: Costing, covered: Sequence[int], way: int) -> str:
    """Why a way alone does not serve all that others serve together."""
    lane, stock = costing.ways[way].lane, costing.ways[way].stock
    missing = [
        (want.item, held, units)
        for want, held, units in zip(costing.wants, stock, covered, strict=True)
        if held < units
    ]
    said = [
        refusal(item, lane) or f"holds {held} of {units} units of {item.item}"
        for item, held, units in missing[:_SHOWN_REASONS]
    ]
    more = len(missing) - len(said)
    return "; ".join([*said, f"and {more} items more"] if more else said)


def _refused(refusals: Sequence[Refusal]) -> list[Rejected]:
    return [Rejected(item.option, None, item.reason) for item in refusals]


def _dearer(best: Priced, option: Priced, currency: str) -> str:
    """Why an option lost: by how much, and through which terms."""
    mine, theirs = best.bill.terms(), option.bill.terms()
    changes = {name: theirs[name] - mine[name] for name in mine}
    told = [
        f"{name.replace('_', ' ')} {change:+.2f}"
        for name, change in sorted(changes.items(), key=lambda pair: -abs(pair[1]))
        if abs(change) >= 0.005
    ]
    more = Money.of(option.cost - best.cost, currency)
    return f"{more} dearer: {', '.join(told)}" if told else "as dear as the chosen option"
