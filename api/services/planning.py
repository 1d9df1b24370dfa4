"""Planning and holding: many orders together, in few statements for all of them."""

import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sqlmodel import Session

from api.database import hurry
from api.queue.events import publish_each
from api.services.brands import brand_version, current_brand
from api.services.drafts import Draft, document_of_draft, draft_of, event_of, refusal_of, row_of
from api.services.incoming import on_the_way
from api.services.orders import Asked, OrderBody, asked_of
from api.services.prices import current_prices
from core.clock import Clock
from core.errors import EntrepotError, OutOfStock
from core.ids import Entropy, mint
from inventory import store as stock
from inventory.stock import Entry, Lot, Reservation, Wanted
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

AGAIN_SECONDS = 0.5
"""How long a transaction that holds rows waits for more; PostgreSQL ends deadlocks after 1 s."""

WATCHERS = ("auditor", "order-service", "planner")
"""Roles that hear of plans."""


class Overtaken(OutOfStock):
    """Others took the units between planning and holding."""


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


@dataclass(frozen=True, slots=True)
class Planned:
    """An order that was planned and holds nothing yet, or why it cannot be planned."""

    ask: Ask
    asked: Asked | EntrepotError
    draft: Draft | None = None

    @property
    def replaces(self) -> str | None:
        """The plan whose hold is given up for this one; such an order is planned after that."""
        return self.ask.body.options.replaces if isinstance(self.asked, Asked) else None


def plan_each(service: Service, asks: Sequence[Ask]) -> list[Planned]:
    """Returns each order with its plan, all of them against the same stock; reads only.

    It may run before the transaction that holds the units: that one judges what is still there. An
    order that replaces a plan is read only: whoever gives up that plan has it planned afterwards.
    """
    context, now = planning_context(service.session), service.clock.now()
    found = [Planned(ask, _asked(ask, context, now)) for ask in asks]
    good = {
        at: one.asked
        for at, one in enumerate(found)
        if isinstance(one.asked, Asked) and one.replaces is None
    }
    left = _left(service, context, good)
    plans = dict(zip(good, _plans_of(list(good.values()), left, context), strict=True))
    drafts = _drafted(service, context, good, plans)
    return [replace(one, draft=drafts.get(at)) for at, one in enumerate(found)]


def make_each(
    service: Service, planned: Sequence[Planned], attempts: int = ATTEMPTS
) -> list[Document | EntrepotError]:
    """Returns the document of a new plan for each order, or why there is none.

    Plans hold their units in the order of the asks, first come, first served. Whoever finds units
    taken is planned again with what is left; after the last attempt he is `Overtaken`.
    """
    drafts = {at: one.draft for at, one in enumerate(planned) if one.draft is not None}
    made = _held_or_planned_again(service, planned, drafts, attempts)
    drafted = {at: one for at, one in made.items() if isinstance(one, Draft)}
    documents = {at: document_of_draft(one) for at, one in drafted.items()}
    _write(service, drafted, documents)
    refused = {at: one.asked for at, one in enumerate(planned)}
    answers: Mapping[int, Document | EntrepotError | Draft | Asked] = {
        **refused, **made, **documents,
    }  # fmt: skip
    return [_answer(answers[at]) for at in range(len(planned))]


def _answer(answer: Document | EntrepotError | Draft | Asked) -> Document | EntrepotError:
    assert isinstance(answer, dict | EntrepotError)  # noqa: S101  # every order is one or the other
    return answer


def _asked(ask: Ask, context: PlanningContext, now: datetime) -> Asked | EntrepotError:
    try:
        return asked_of(ask.body, context, now)
    except EntrepotError as error:
        return error


def _held_or_planned_again(
    service: Service, planned: Sequence[Planned], drafts: Mapping[int, Draft], attempts: int
) -> dict[int, Draft | EntrepotError]:
    """Returns what became of drafts.

    Whoever holds rows and plans again would wait for others out of their order: he waits so briefly
    that no deadlock is found meanwhile, which could end somebody else's request; then all of it
    begins anew.
    """
    answers: dict[int, Draft | EntrepotError] = {}
    for attempt in range(1, attempts + 1):
        served = {at: one for at, one in drafts.items() if one.plan.legs or one.promised}
        answers |= {at: refusal_of(one) for at, one in drafts.items() if at not in served}
        answers |= served
        holding = {at: one for at, one in served.items() if _asked_of(planned[at]).reserve}
        answers |= _held(service, holding, planned)
        waiting = [at for at in holding if isinstance(answers[at], Overtaken)]
        if not waiting or attempt == attempts:
            break
        if any(isinstance(answer, Draft) and answer.held for answer in answers.values()):
            hurry(service.session, AGAIN_SECONDS)
        drafts = _in_turn(service, {at: _asked_of(planned[at]) for at in waiting})
    return answers


def _asked_of(one: Planned) -> Asked:
    assert isinstance(one.asked, Asked)  # noqa: S101  # others have no draft
    return one.asked


def _plans_of(
    asked: Sequence[Asked], available: Availability, context: PlanningContext
) -> list[Plan]:
    """Returns a plan for each order, all of them against the same stock."""
    return plan_many([(one.order, one.wishes) for one in asked], available, context)


def _in_turn(service: Service, asked: Mapping[int, Asked]) -> dict[int, Draft]:
    """Returns drafts of orders that found their units taken, each after those before it.

    Together is fast and right for most; in turn, many orders for few units end after one more
    round, not after one for each of them.
    """
    context = planning_context(service.session)
    left, found = dict(_left(service, context, asked)), dict[int, Plan]()
    for at, one in asked.items():
        (found[at],) = _plans_of([one], dict(left), context)
        for key, units in found[at].units.items() if one.reserve else ():
            left[key] -= units
    return _drafted(service, context, asked, found)


def _left(service: Service, context: PlanningContext, asked: Mapping[int, Asked]) -> Availability:
    items = {line.item for one in asked.values() for line in one.order.lines}
    return live_availability(service.session, context, items, service.clock.now())


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
        drafts[at] = draft_of(mint("pln", now, service.entropy), made, later, claims, arrivals)
    return drafts


def _held(
    service: Service, drafts: Mapping[int, Draft], planned: Sequence[Planned]
) -> dict[int, Draft | EntrepotError]:
    """Returns the drafts with their holds, or `OutOfStock` for those whose units were taken."""
    now = service.clock.now()
    wishes = []
    for at, one in drafts.items():
        until = now + timedelta(minutes=_asked_of(planned[at]).hold_minutes or service.hold_minutes)
        lots = tuple(
            Lot(site, item, units, customs)
            for (site, item, customs), units in one.plan.units.items()
        )
        entry = Entry(now, planned[at].ask.actor, service.entropy, one.identity)
        wishes.append(Wanted(lots, entry, until, one.claims))
    answers = _reserved(service.session, wishes)
    return {
        at: Overtaken(answer.shortages)
        if isinstance(answer, OutOfStock)
        else replace(one, held=answer)
        for (at, one), answer in zip(drafts.items(), answers, strict=True)
    }


def _reserved(session: Session, wishes: Sequence[Wanted]) -> list[Reservation | OutOfStock]:
    """Returns what became of wishes; one that is alone and refused keeps no row from others."""
    if len(wishes) != 1:
        return stock.reserve_each(session, wishes)
    with session.begin_nested() as alone:
        (answer,) = stock.reserve_each(session, wishes)
        if isinstance(answer, OutOfStock):
            alone.rollback()
    return [answer]


def _write(service: Service, made: Mapping[int, Draft], documents: Mapping[int, Document]) -> None:
    """Ensures that plans are kept and those who watch hear of them, in the order of the asks."""
    at_once = sorted(made)
    now = service.clock.now()
    store.add_plans(service.session, [row_of(made[at], documents[at], now) for at in at_once])
    told = [event_of(made[at], documents[at]) for at in at_once]
    publish_each(service.session, "plan.created", told, WATCHERS, service.clock)
