"""Many at once: the last units are promised exactly once, on SQLite and on PostgreSQL."""

import os
import random
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import permutations

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

from api.database import SessionFactory, session_factory
from core.errors import Conflict, OutOfStock
from inventory import store
from inventory.stock import Entry, Lot, Reservation, ReservationState, Wanted
from inventory.supply import Claim, SupplyKey, SupplyLot
from tests.fakes import FakeClock

CLIENTS, UNITS = 64, 10


def at_once(clients: int, act: Callable[[int], str]) -> Counter[str]:
    """How often each outcome came about when all clients start together."""
    gate = threading.Barrier(clients)

    def client(number: int) -> str:
        gate.wait(timeout=30)
        return act(number)

    with ThreadPoolExecutor(clients) as pool:
        return Counter(pool.map(client, range(clients)))


@pytest.fixture
def entry(clock: FakeClock) -> Entry:
    return Entry(clock.now(), "test", os.urandom)


def stock(sessions: SessionFactory, entry: Entry, *lots: Lot) -> None:
    with sessions.begin() as session:
        store.receive(session, lots, entry)


def hold(sessions: SessionFactory, entry: Entry, *lots: Lot) -> str:
    try:
        with sessions.begin() as session:
            store.reserve(session, lots, entry, entry.at + timedelta(minutes=30))
    except OutOfStock:
        return "refused"
    return "won"


def test_exactly_ten_of_64_clients_win_the_last_ten_units(
    sessions: SessionFactory, entry: Entry
) -> None:
    stock(sessions, entry, Lot("DE-HAM", "MUG", UNITS))
    outcomes = at_once(CLIENTS, lambda _: hold(sessions, entry, Lot("DE-HAM", "MUG", 1)))
    assert outcomes == {"won": UNITS, "refused": CLIENTS - UNITS}
    with sessions() as session:
        (level,) = store.levels(session)
        assert (level.on_hand, level.reserved, level.available) == (UNITS, UNITS, 0)
        assert sum(line.reserved for line in store.movements(session)) == UNITS
        assert store.reconcile(session) == []


def test_orders_over_many_items_in_any_order_never_deadlock(
    sessions: SessionFactory, entry: Entry
) -> None:
    """Each client wants all five items, named in its own order; half of the clients can win."""
    items = [f"ITEM-{number}" for number in range(5)]
    stock(sessions, entry, *(Lot("DE-HAM", item, 8) for item in items))

    def order(number: int) -> str:
        shuffled = random.Random(number).sample(items, len(items))
        return hold(sessions, entry, *(Lot("DE-HAM", item, 1) for item in shuffled))

    assert at_once(16, order) == {"won": 8, "refused": 8}
    with sessions() as session:
        assert store.reconcile(session) == []


def test_units_of_an_expired_hold_are_won_once(sessions: SessionFactory, entry: Entry) -> None:
    stock(sessions, entry, Lot("DE-HAM", "MUG", 4), Lot("DE-HAM", "PLATE", 4))
    hold(sessions, entry, Lot("DE-HAM", "MUG", 4), Lot("DE-HAM", "PLATE", 4))
    later = Entry(entry.at + timedelta(minutes=31), "test", os.urandom)

    def order(number: int) -> str:
        return hold(sessions, later, Lot("DE-HAM", ("MUG", "PLATE")[number % 2], 1))

    assert at_once(16, order) == {"won": 8, "refused": 8}
    with sessions() as session:
        assert store.reconcile(session) == []


def test_a_hold_is_either_confirmed_or_expired_never_both(
    engine: Engine, sessions: SessionFactory, entry: Entry
) -> None:
    """Half of the clients confirm a moment before the end, half sweep a moment after it."""
    stock(sessions, entry, Lot("DE-HAM", "MUG", UNITS))
    with sessions.begin() as session:
        end = entry.at + timedelta(minutes=30)
        lots = [Lot("DE-HAM", "MUG", UNITS)]
        held = store.reserve(session, lots, entry, end).id
    own = session_factory(engine)

    def act(number: int) -> str:
        at = end + timedelta(seconds=1 if number % 2 else -1)
        moment = Entry(at, "test", os.urandom)
        try:
            with own.begin() as session:
                if number % 2:
                    return f"expired {store.expire(session, moment)}"
                store.confirm(session, held, moment)
                return "confirmed"
        except Conflict as refused:
            return refused.code

    outcomes = at_once(16, act)
    with sessions() as session:
        state = store.get(session, held).state
        assert store.reconcile(session) == []
    ends = {"confirmed": ReservationState.CONFIRMED, "expired 1": ReservationState.EXPIRED}
    assert [ends[outcome] for outcome in outcomes.elements() if outcome in ends] == [state]


def test_units_on_their_way_are_claimed_once_also_those_of_an_expired_hold(
    sessions: SessionFactory, entry: Entry
) -> None:
    """Each client wants a unit of stock and one on its way."""
    coming = SupplyLot(SupplyKey("DE-HAM", "MUG", "free", entry.at.date(), "PO-1"), UNITS)
    stock(sessions, entry, Lot("DE-HAM", "PLATE", 16))

    def claim(moment: Entry, lots: tuple[Lot, ...], units: int) -> str:
        until = moment.at + timedelta(minutes=30)
        wish = Wanted(lots, moment, until, (Claim(coming, units),))
        with sessions.begin() as session:
            (answer,) = store.reserve_each(session, [wish])
        return "won" if isinstance(answer, Reservation) else "refused"

    assert claim(entry, (), UNITS) == "won"
    later = Entry(entry.at + timedelta(minutes=31), "test", os.urandom)
    plate = (Lot("DE-HAM", "PLATE", 1),)
    assert at_once(32, lambda _: claim(later, plate, 1)) == {"won": UNITS, "refused": 32 - UNITS}
    with sessions() as session:
        assert store.taken(session, later.at, ["MUG"]) == {coming.key: UNITS}
        assert store.misclaimed(session) == []
        assert store.reconcile(session) == []


def test_goods_come_in_however_many_holds_on_them_have_expired(
    sessions: SessionFactory, entry: Entry
) -> None:
    lot = SupplyLot(SupplyKey("DE-HAM", "MUG", "free", entry.at.date(), "PO-1"), 1500)
    until = entry.at + timedelta(minutes=1)
    wishes = [Wanted((), entry, until, (Claim(lot, 1),)) for _ in range(1200)]
    with sessions.begin() as session:
        store.reserve_each(session, wishes)
    later = Entry(entry.at + timedelta(minutes=5), "test", os.urandom, "PO-1")
    with sessions.begin() as session:
        arrived = store.arrive(session, Lot("DE-HAM", "MUG", 1500), later, [lot])
        assert arrived.served == ()
        assert [level.available for level in store.levels(session)] == [1500]
        assert store.misclaimed(session) == []


@pytest.mark.postgres
@pytest.mark.parametrize("end", [store.confirm, store.release])
def test_goods_come_in_before_or_after_an_order_that_waits_for_them_is_ended(
    postgres_engine: Engine, entry: Entry, end: Callable[..., object]
) -> None:
    """Never meanwhile: they would be held for an order that nobody looks at again."""
    sessions = session_factory(postgres_engine)
    lot = SupplyLot(SupplyKey("DE-HAM", "MUG", "free", entry.at.date(), "PO-1"), 5)
    with sessions.begin() as session:
        until = entry.at + timedelta(minutes=30)
        (held,) = store.reserve_each(session, [Wanted((), entry, until, (Claim(lot, 3),))])
        assert isinstance(held, Reservation)
    come: tuple[Callable[..., object], object] = (store.arrive, Lot("DE-HAM", "MUG", 5))
    for (first, what), (second, other) in permutations([(end, held.id), come]):
        with sessions() as one, sessions() as two:
            first(one, what, entry)
            two.connection().execute(text("SET LOCAL lock_timeout = 100"))
            with pytest.raises(OperationalError):
                second(two, other, entry)


@pytest.mark.postgres
def test_units_given_back_while_an_order_waits_for_the_row_are_its(
    postgres_engine: Engine, entry: Entry
) -> None:
    """The row as it was when the order began to wait would not cover what the order takes."""
    sessions = session_factory(postgres_engine)
    stock(sessions, entry, Lot("DE-HAM", "MUG", 3))
    until = entry.at + timedelta(minutes=30)
    with sessions.begin() as session:
        held = store.reserve(session, [Lot("DE-HAM", "MUG", 3)], entry, until)
    with ThreadPoolExecutor(1) as pool, sessions() as one:
        store.release(one, held.id, entry)
        waiting = pool.submit(hold, sessions, entry, Lot("DE-HAM", "MUG", 2))
        with sessions() as watching:
            asked = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
            while not watching.connection().execute(asked).scalar():
                assert not waiting.done(), "it waits for the row"
                watching.rollback()  # a transaction would be told the same again
        one.commit()
        assert waiting.result(timeout=30) == "won"
    with sessions() as session:
        assert [level.reserved for level in store.levels(session)] == [2]
        assert store.reconcile(session) == []
