"""Planning and holding: many orders together, in few statements for all of them."""

import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sqlmodel import Session

from api.queue.events import publish_each
from api.services.brands import brand_version, current_brand
from api.services.drafts import Draft, document_of_draft, event_of, refusal_of, row_of
from api.services.incoming import on_the_way
from api.services.orders import Asked, OrderBody, asked_of
from api.services.prices import current_prices
from core.clock import Clock
from core.errors import EntrepotError, OutOfStock
from core.ids import Entropy, mint
from inventory import store as stock
from inventory.stock import Entry, Lot, Wanted
from inventory.supply import Claim
from routing.allocation.prices import Prices
from routing.fulfillment import store
from routing.fulfillment.backorders import backorders
from routing.fulfillment.context import PlanningContext, may_leave
from routing.fulfillment.document import Document
from routing.fulfillment.earliest import earliest_arrival
from routing.fulfillment.order import Availability
from routing.fulfillment.plan import Plan
from routing.fulfillment.planning import NO_STOCK, plan_many

ATTEMPTS = 4
"""How often an order is planned when others take the stock first."""

WATCHERS = ("auditor", "order-service", "planner")
"""Roles that hear of plans."""


@dataclass(slots=True)
class _Cache:
    """The context built last; it follows from the brand's version and the prices."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    kept: tuple[tuple[str, str], PlanningContext] | None = None


_cache = _Cache()


@dataclass(frozen=True, slots=True)
class Service:
    """Who asks, and what the service needs to answer."""

    session: Session
    clock: Clock
    entropy: Entropy
    actor: str
    hold_minutes: int

    def entry(self, reference: str) -> Entry:
        """Returns how a change is written into the ledger."""
        return Entry(self.clock.now(), self.actor, self.entropy, reference)


def planning_context(session: Session) -> PlanningContext:
    """Returns the context of the current brand, with the prices that count now."""
    version = brand_version(session)
    prices = current_prices(session, version)
    key = (version, prices.version if prices else "")
    with _cache.lock:
        if _cache.kept is None or _cache.kept[0] != key:
            _cache.kept = (key, _built(session, prices, version))
        return _cache.kept[1]


def _built(session: Session, prices: Prices | None, version: str) -> PlanningContext:
    return PlanningContext.of(current_brand(session), prices, version)


def live_availability(
    session: Session, context: PlanningContext, items: Collection[str], now: datetime
) -> Availability:
    """Returns units that may be promised now, by (site, item, customs), of the serving sites.

    Units in bond count as long as an order of now leaves before their bond ends.
    """
    serving = {site.site: site for site in context.network.serving}
    levels = stock.levels(session, now, list(serving), sorted(set(items)))
    return {
        (level.site, level.item, level.customs): level.available
        for level in levels
        if may_leave(serving[level.site], level.customs, level.bonded_since, now)
    }


@dataclass(frozen=True, slots=True)
class Ask:
    """An order to plan, and who asks for it."""

    body: OrderBody
    actor: str


def make_each(service: Service, asks: Sequence[Ask]) -> list[Document | EntrepotError]:
    """Returns the document of a new plan for each order, or why there is none.

    All are planned against the same stock and hold their units in their order, first come, first
    served. Whoever finds units taken is planned again with what is left.
    """
    context = planning_context(service.session)
    now = service.clock.now()
    found: dict[int, Asked | EntrepotError] = {
        at: _asked(ask, context, now) for at, ask in enumerate(asks)
    }
    good = {at: asked for at, asked in found.items() if isinstance(asked, Asked)}
    made = _planned_and_held(service, context, good, [ask.actor for ask in asks])
    drafted = {at: one for at, one in made.items() if isinstance(one, Draft)}
    documents = {at: document_of_draft(one) for at, one in drafted.items()}
    _write(service, drafted, documents)
    answers: Mapping[int, Document | EntrepotError | Draft | Asked] = {
        **found, **made, **documents,
    }  # fmt: skip
    return [_answer(answers[at]) for at in range(len(asks))]


def _answer(answer: Document | EntrepotError | Draft | Asked) -> Document | EntrepotError:
    assert isinstance(answer, dict | EntrepotError)  # noqa: S101  # every order is one or the other
    return answer


def _asked(ask: Ask, context: PlanningContext, now: datetime) -> Asked | EntrepotError:
    try:
        return asked_of(ask.body, context, now)
    except EntrepotError as error:
        return error


def _plan_each(
    asked: Sequence[Asked], available: Availability, context: PlanningContext
) -> list[Plan]:
    """Returns a plan for each order, all of them against the same stock."""
    return plan_many([(one.order, one.wishes) for one in asked], available, context)


def _planned_and_held(
    service: Service,
    context: PlanningContext,
    asked: Mapping[int, Asked],
    actors: Sequence[str],
) -> dict[int, Draft | EntrepotError]:
    answers: dict[int, Draft | EntrepotError] = {}
    waiting = dict(asked)
    for attempt in range(ATTEMPTS):
        if not waiting:
            break
        plans = _planned(service, context, waiting, in_turn=attempt > 0)
        drafted = _drafted(service, context, waiting, plans)
        drafts = {at: one for at, one in drafted.items() if one.plan.legs or one.promised}
        answers |= {at: refusal_of(one) for at, one in drafted.items() if at not in drafts}
        held = {at: one for at, one in drafts.items() if waiting[at].reserve}
        answers |= {at: one for at, one in drafts.items() if at not in held}
        answers |= _held(service, held, waiting, actors)
        waiting = {at: waiting[at] for at in held if isinstance(answers[at], OutOfStock)}
    return answers


def _planned(
    service: Service, context: PlanningContext, waiting: Mapping[int, Asked], in_turn: bool
) -> dict[int, Plan]:
    """Returns a plan for each order: all against the same stock, or each after those before it.

    Together is fast and right for most; those who find their units taken are planned in turn, so
    that many orders for few units end after one more round, not after one for each of them.
    """
    items = {line.item for asked in waiting.values() for line in asked.order.lines}
    available = live_availability(service.session, context, items, service.clock.now())
    if not in_turn:
        plans = _plan_each(list(waiting.values()), available, context)
        return dict(zip(waiting, plans, strict=True))
    left, found = dict(available), dict[int, Plan]()
    for at, asked in waiting.items():
        (found[at],) = _plan_each([asked], dict(left), context)
        for key, units in found[at].units.items() if asked.reserve else ():
            left[key] -= units
    return found


def _drafted(
    service: Service,
    context: PlanningContext,
    waiting: Mapping[int, Asked],
    plans: Mapping[int, Plan],
) -> dict[int, Draft]:
    """Returns the drafts of plans, with back-orders where they are asked for.

    Back-orders are planned in turn, so that each sees what those before it leave of a lot.
    """
    now = service.clock.now()
    short = {at: {one.item for one in made.unserved if one.code == NO_STOCK}
             for at, made in plans.items() if made.unserved}  # fmt: skip
    coming = on_the_way(service.session, context, set().union(*short.values()), now)
    drafts = {}
    for at, made in plans.items():
        asked, later, claims = waiting[at], None, tuple[Claim, ...]()
        lots = coming.left(short[at]) if short.get(at) else ()
        order, wishes = asked.order, asked.wishes
        arrivals = {
            item: earliest_arrival(item, order.region, order.placed_at, context, lots)
            for item in short.get(at, ())
        }
        if wishes.backorder:
            later = backorders(made, order, context, wishes, lots)
            if asked.reserve:
                claims = coming.claims(later)
                coming.taken.update(later.taken)
        identity = mint("pln", now, service.entropy)
        drafts[at] = Draft(identity, made, later, claims, arrivals)
    return drafts


def _held(
    service: Service,
    drafts: Mapping[int, Draft],
    asked: Mapping[int, Asked],
    actors: Sequence[str],
) -> dict[int, Draft | EntrepotError]:
    """Returns the drafts with their holds, or `OutOfStock` for those whose units were taken."""
    now = service.clock.now()
    wishes = []
    for at, one in drafts.items():
        until = now + timedelta(minutes=asked[at].hold_minutes or service.hold_minutes)
        lots = tuple(
            Lot(site, item, units, customs)
            for (site, item, customs), units in one.plan.units.items()
        )
        entry = Entry(now, actors[at], service.entropy, one.identity)
        wishes.append(Wanted(lots, entry, until, one.claims))
    answers = stock.reserve_each(service.session, wishes)
    return {
        at: answer if isinstance(answer, OutOfStock) else replace(one, held=answer)
        for (at, one), answer in zip(drafts.items(), answers, strict=True)
    }


def _write(service: Service, made: Mapping[int, Draft], documents: Mapping[int, Document]) -> None:
    """Ensures that plans are kept and those who watch hear of them, in the order of the asks."""
    at_once = sorted(made)
    now = service.clock.now()
    store.add_plans(service.session, [row_of(made[at], documents[at], now) for at in at_once])
    told = [event_of(made[at], documents[at]) for at in at_once]
    publish_each(service.session, "plan.created", told, WATCHERS, service.clock)
