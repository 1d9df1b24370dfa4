"""The stock ledger keeps its books on SQLite and on PostgreSQL alike."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from core.errors import BadInput, Conflict, NotFound, OutOfStock, Shortage
from core.ids import Entropy
from inventory import store
from inventory.stock import (
    Entry,
    Lot,
    MovementKind,
    Reservation,
    ReservationState,
    StockKey,
    Wanted,
)
from tests.fakes import FakeClock

HAMBURG = StockKey("DE-HAM", "MUG")
BANGKOK = StockKey("TH-BKK", "MUG")


@pytest.fixture
def entry(clock: FakeClock, entropy: Entropy) -> Entry:
    return Entry(clock.now(), "test", entropy, "order 1")


@pytest.fixture
def stocked(session: Session, entry: Entry) -> Session:
    """Ten mugs in Hamburg, five in Bangkok."""
    store.receive(session, [lot(HAMBURG, 10), lot(BANGKOK, 5)], entry)
    return session


def lot(key: StockKey, quantity: int) -> Lot:
    return Lot(key.site, key.item, quantity, key.customs)


def hold(session: Session, entry: Entry, *lots: Lot, minutes: int = 30) -> str:
    return store.reserve(session, lots, entry, entry.at + timedelta(minutes=minutes)).id


def available(session: Session, key: StockKey, clock: FakeClock | None = None) -> int:
    (level,) = store.levels(
        session, clock.now() if clock else None, sites=[key.site], items=[key.item]
    )
    return level.available


def later(entry: Entry, minutes: int) -> Entry:
    return Entry(entry.at + timedelta(minutes=minutes), "test", entry.entropy)


def test_receipts_add_up(stocked: Session, entry: Entry) -> None:
    store.receive(stocked, [lot(HAMBURG, 3), lot(HAMBURG, 4)], entry)
    assert available(stocked, HAMBURG) == 17
    assert store.reconcile(stocked) == []


def test_a_hold_takes_units_out_of_what_is_available(stocked: Session, entry: Entry) -> None:
    hold(stocked, entry, lot(HAMBURG, 4), lot(BANGKOK, 5))
    assert (available(stocked, HAMBURG), available(stocked, BANGKOK)) == (6, 0)
    assert store.reconcile(stocked) == []


def test_two_lines_of_one_item_are_summed_before_they_are_tested(
    stocked: Session, entry: Entry
) -> None:
    with pytest.raises(OutOfStock) as caught:
        hold(stocked, entry, lot(HAMBURG, 6), lot(HAMBURG, 5))
    assert caught.value.shortages == (Shortage("MUG", "DE-HAM", 11, 10),)
    assert available(stocked, HAMBURG) == 10


def test_a_shortage_at_one_site_holds_nothing_at_the_other(stocked: Session, entry: Entry) -> None:
    with pytest.raises(OutOfStock) as caught:
        hold(stocked, entry, lot(HAMBURG, 10), lot(BANGKOK, 6), Lot("US-LAX", "MUG", 1))
    assert caught.value.shortages == (
        Shortage("MUG", "TH-BKK", 6, 5),
        Shortage("MUG", "US-LAX", 1, 0),
    )
    assert (available(stocked, HAMBURG), available(stocked, BANGKOK)) == (10, 5)
    assert store.reconcile(stocked) == []


def test_safety_stock_is_not_promised(stocked: Session, entry: Entry) -> None:
    store.set_safety(stocked, HAMBURG, 8)
    hold(stocked, entry, lot(HAMBURG, 2))
    with pytest.raises(OutOfStock):
        hold(stocked, entry, lot(HAMBURG, 1))


def test_bonded_and_free_stock_are_apart(stocked: Session, entry: Entry) -> None:
    bonded = Lot("DE-HAM", "MUG", 7, "bonded", date(2026, 8, 1))
    store.receive(stocked, [bonded], entry)
    store.receive(stocked, [Lot("DE-HAM", "MUG", 1, "bonded")], entry)
    with pytest.raises(OutOfStock):
        hold(stocked, entry, lot(HAMBURG, 11))
    hold(stocked, entry, Lot("DE-HAM", "MUG", 8, "bonded"))
    rows = store.levels(stocked, sites=["DE-HAM"])
    assert [(row.customs, row.available, row.bonded_since) for row in rows] == [
        ("bonded", 0, date(2026, 8, 1)),
        ("free", 10, None),
    ]


def test_a_confirmed_hold_no_longer_expires(stocked: Session, entry: Entry) -> None:
    held = hold(stocked, entry, lot(HAMBURG, 4))
    assert store.confirm(stocked, held, entry).state is ReservationState.CONFIRMED
    assert store.expire(stocked, later(entry, 60 * 24)) == 0
    assert available(stocked, HAMBURG) == 6


@pytest.mark.parametrize("minutes", [30, 31])
def test_a_hold_whose_time_has_passed_cannot_be_confirmed(
    stocked: Session, entry: Entry, minutes: int
) -> None:
    held = hold(stocked, entry, lot(HAMBURG, 4))
    with pytest.raises(Conflict) as caught:
        store.confirm(stocked, held, later(entry, minutes))
    assert caught.value.code == "reservation-expired"


def test_a_hold_is_confirmed_once(stocked: Session, entry: Entry) -> None:
    held = hold(stocked, entry, lot(HAMBURG, 4))
    store.confirm(stocked, held, entry)
    with pytest.raises(Conflict) as caught:
        store.confirm(stocked, held, entry)
    assert caught.value.code == "reservation-confirmed"


def test_expired_holds_count_as_available_before_any_sweep(
    stocked: Session, entry: Entry, clock: FakeClock
) -> None:
    hold(stocked, entry, lot(HAMBURG, 10))
    clock.pass_(minutes=30)
    assert available(stocked, HAMBURG, clock) == 10


def test_a_new_hold_takes_over_from_an_expired_one(stocked: Session, entry: Entry) -> None:
    old = hold(stocked, entry, lot(HAMBURG, 10), lot(BANGKOK, 5))
    hold(stocked, later(entry, 31), lot(HAMBURG, 10))
    assert store.get(stocked, old).state is ReservationState.EXPIRED
    assert available(stocked, BANGKOK) == 5
    assert store.reconcile(stocked) == []


def test_a_sweep_ends_expired_holds_only(stocked: Session, entry: Entry) -> None:
    short = hold(stocked, entry, lot(HAMBURG, 2), minutes=5)
    long = hold(stocked, entry, lot(HAMBURG, 3), minutes=60)
    assert store.expire(stocked, later(entry, 10)) == 1
    states = [store.get(stocked, held).state for held in (short, long)]
    assert states == [ReservationState.EXPIRED, ReservationState.ACTIVE]
    assert available(stocked, HAMBURG) == 7


@pytest.mark.parametrize("confirmed", [False, True])
def test_released_units_can_be_promised_again(
    stocked: Session, entry: Entry, confirmed: bool
) -> None:
    held = hold(stocked, entry, lot(HAMBURG, 10))
    if confirmed:
        store.confirm(stocked, held, entry)
    store.release(stocked, held, entry)
    hold(stocked, entry, lot(HAMBURG, 10))
    with pytest.raises(Conflict) as caught:
        store.release(stocked, held, entry)
    assert caught.value.code == "reservation-released"


def test_shipped_units_leave_the_site(stocked: Session, entry: Entry) -> None:
    held = hold(stocked, entry, lot(HAMBURG, 4), lot(BANGKOK, 2))
    store.confirm(stocked, held, entry)
    store.ship(stocked, held, entry, [lot(HAMBURG, 3)])
    store.ship(stocked, held, entry)
    levels = {row.site: (row.on_hand, row.reserved) for row in store.levels(stocked)}
    assert levels == {"DE-HAM": (6, 0), "TH-BKK": (3, 0)}
    assert store.reconcile(stocked) == []


def test_only_what_has_not_left_is_released(stocked: Session, entry: Entry) -> None:
    held = hold(stocked, entry, lot(HAMBURG, 4))
    store.confirm(stocked, held, entry)
    store.ship(stocked, held, entry, [lot(HAMBURG, 1)])
    store.release(stocked, held, entry)
    assert available(stocked, HAMBURG) == 9
    assert store.reconcile(stocked) == []


def test_an_order_that_left_cannot_be_released(stocked: Session, entry: Entry) -> None:
    held = hold(stocked, entry, lot(HAMBURG, 4))
    store.confirm(stocked, held, entry)
    store.ship(stocked, held, entry)
    with pytest.raises(Conflict) as caught:
        store.release(stocked, held, entry)
    assert caught.value.code == "reservation-shipped"


def test_no_more_is_shipped_than_is_held(stocked: Session, entry: Entry) -> None:
    held = hold(stocked, entry, lot(HAMBURG, 4))
    with pytest.raises(Conflict) as early:
        store.ship(stocked, held, entry)
    assert early.value.code == "reservation-active"
    store.confirm(stocked, held, entry)
    for wrong in (lot(HAMBURG, 5), lot(BANGKOK, 1)):
        with pytest.raises(Conflict) as caught:
            store.ship(stocked, held, entry, [wrong])
        assert caught.value.code == "not-reserved"


def test_a_hold_is_extended_while_it_lives(stocked: Session, entry: Entry) -> None:
    held = hold(stocked, entry, lot(HAMBURG, 3))
    until = entry.at + timedelta(minutes=60)
    assert store.extend(stocked, held, later(entry, 29), until).expires_at == until
    sooner = store.extend(stocked, held, later(entry, 30), entry.at + timedelta(minutes=45))
    assert sooner.expires_at == until
    with pytest.raises(Conflict) as late:
        store.extend(stocked, held, later(entry, 60), until + timedelta(minutes=30))
    assert late.value.code == "reservation-expired"


def test_a_group_is_served_first_come_first_served(stocked: Session, entry: Entry) -> None:
    """The second wish does not fit and holds nothing, so the third still does."""
    until = entry.at + timedelta(minutes=30)
    wishes = [
        Wanted(lots, entry, until)
        for lots in (
            (lot(HAMBURG, 4), lot(HAMBURG, 2)),
            (lot(HAMBURG, 5), lot(BANGKOK, 5)),
            (lot(HAMBURG, 4), lot(BANGKOK, 5)),
            (lot(StockKey("DE-HAM", "CUP"), 1),),
        )
    ]
    first, second, third, fourth = store.reserve_each(stocked, wishes)
    assert isinstance(first, Reservation)
    assert isinstance(third, Reservation)
    assert isinstance(second, OutOfStock)
    assert isinstance(fourth, OutOfStock)
    assert second.shortages == (Shortage("MUG", "DE-HAM", 5, 4),)
    assert fourth.shortages == (Shortage("CUP", "DE-HAM", 1, 0),)
    assert store.get(stocked, third.id) == third
    assert (available(stocked, HAMBURG), available(stocked, BANGKOK)) == (0, 0)
    assert store.reconcile(stocked) == []


@pytest.mark.parametrize(
    "reference", ["", "NULL", '{"a","b"}', "a\\\\b\\", "two\nlines, ä 茶", "%s"]
)
def test_a_hold_keeps_its_words_as_they_are(stocked: Session, entry: Entry, reference: str) -> None:
    plain = replace(entry, reference="plain")
    wishes = [
        Wanted((lot(key, 1),), one, entry.at + timedelta(minutes=30))
        for key, one in (
            (HAMBURG, replace(entry, reference=reference, actor=reference)), (BANGKOK, plain)
        )
    ]  # fmt: skip
    answers = store.reserve_each(stocked, wishes)
    held = [one for one in answers if isinstance(one, Reservation)]
    assert [(one.reference, one.actor) for one in held] == [
        (reference, reference), ("plain", "test")
    ]  # fmt: skip
    assert [store.get(stocked, one.id) for one in held] == held


def test_a_group_frees_what_has_expired(stocked: Session, entry: Entry) -> None:
    hold(stocked, entry, lot(HAMBURG, 10), minutes=10)
    after = later(entry, 11)
    wish = Wanted((lot(HAMBURG, 10),), after, after.at + timedelta(minutes=5))
    (answer,) = store.reserve_each(stocked, [wish])
    assert isinstance(answer, Reservation)
    assert store.reconcile(stocked) == []


def test_units_travel_between_sites_and_arrive_in_parts(stocked: Session, entry: Entry) -> None:
    hold(stocked, entry, lot(HAMBURG, 4))
    with pytest.raises(OutOfStock):
        store.transfer_out(stocked, [lot(HAMBURG, 7)], entry, "trf_1")
    store.transfer_out(stocked, [lot(HAMBURG, 6)], entry, "trf_1")
    assert store.in_transit(stocked, "trf_1") == {("MUG", "free"): 6}
    assert available(stocked, HAMBURG) == 0
    store.transfer_in(stocked, [lot(BANGKOK, 2)], entry, "trf_1")
    with pytest.raises(Conflict) as too_many:
        store.transfer_in(stocked, [lot(BANGKOK, 3), lot(BANGKOK, 2)], entry, "trf_1")
    assert too_many.value.code == "not-in-transit"
    store.transfer_in(stocked, [lot(BANGKOK, 4)], entry, "trf_1")
    assert store.in_transit(stocked, "trf_1") == {}
    assert available(stocked, BANGKOK) == 11
    kinds = [line.kind for line in store.movements(stocked, reference="trf_1")]
    assert sorted(kinds) == ["transfer_in", "transfer_in", "transfer_out"]
    assert store.reconcile(stocked) == []


def test_bonded_units_travel_with_their_days_in_bond(session: Session, entry: Entry) -> None:
    since = date(2026, 6, 1)
    store.receive(session, [Lot("CN-SZX", "MUG", 5, "bonded", since)], entry)
    store.transfer_out(session, [Lot("CN-SZX", "MUG", 5, "bonded")], entry, "trf_2")
    store.transfer_in(session, [Lot("CN-CAN", "MUG", 5, "bonded")], entry, "trf_2")
    (here,) = store.levels(session, sites=["CN-CAN"])
    assert (here.on_hand, here.bonded_since) == (5, since)
    store.receive(session, [Lot("CN-SZX", "MUG", 1, "bonded")], entry)
    (there,) = store.levels(session, sites=["CN-SZX"])
    assert there.bonded_since == entry.at.date()


def test_bonded_units_are_released_unless_they_are_held(session: Session, entry: Entry) -> None:
    bonded = StockKey("CN-SZX", "MUG", "bonded")
    store.receive(session, [lot(bonded, 10)], entry)
    hold(session, entry, lot(bonded, 4))
    with pytest.raises(OutOfStock):
        store.release_bond(session, [lot(bonded, 7)], entry)
    store.release_bond(session, [lot(bonded, 6)], entry)
    found = {level.customs: level.on_hand for level in store.levels(session)}
    assert found == {"bonded": 4, "free": 6}
    assert store.reconcile(session) == []


def test_units_that_customers_return_can_be_promised(stocked: Session, entry: Entry) -> None:
    (line,) = store.take_back(stocked, [lot(HAMBURG, 2)], entry)
    assert (line.kind, available(stocked, HAMBURG)) == (MovementKind.RETURN, 12)


def test_an_unknown_reservation_is_not_found(session: Session, entry: Entry) -> None:
    for act in (store.confirm, store.release, store.ship):
        with pytest.raises(NotFound):
            act(session, "res_none", entry)


def test_a_count_is_corrected_when_it_is_what_was_seen(stocked: Session, entry: Entry) -> None:
    store.adjust(stocked, HAMBURG, -3, entry, expected=10)
    with pytest.raises(Conflict) as caught:
        store.adjust(stocked, HAMBURG, -3, entry, expected=10)
    assert caught.value.code == "stock-changed"
    assert available(stocked, HAMBURG) == 7


def test_a_correction_never_loses_held_units(stocked: Session, entry: Entry) -> None:
    hold(stocked, entry, lot(HAMBURG, 4))
    with pytest.raises(Conflict) as caught:
        store.adjust(stocked, HAMBURG, -7, entry)
    assert caught.value.code == "stock-reserved"
    store.adjust(stocked, HAMBURG, -6, entry)
    assert store.reconcile(stocked) == []


def test_a_correction_may_open_a_stock_row(session: Session, entry: Entry) -> None:
    store.adjust(session, HAMBURG, 4, entry, expected=0)
    assert available(session, HAMBURG) == 4


def test_the_database_itself_refuses_to_oversell(stocked: Session, entry: Entry) -> None:
    hold(stocked, entry, lot(HAMBURG, 4))
    with pytest.raises(IntegrityError):
        stocked.connection().execute(text("UPDATE stock SET on_hand = 3"))


def test_drift_is_reported_and_repaired_from_the_ledger(stocked: Session, entry: Entry) -> None:
    hold(stocked, entry, lot(HAMBURG, 4))
    stocked.connection().execute(
        text("UPDATE stock SET on_hand = 12, reserved = 3 WHERE site = 'DE-HAM'")
    )
    (drift,) = store.reconcile(stocked)
    assert (drift.on_hand, drift.ledger_on_hand) == (12, 10)
    assert (drift.reserved, drift.ledger_reserved, drift.held) == (3, 4, 4)
    store.repair(stocked, [drift])
    assert store.reconcile(stocked) == []
    assert available(stocked, HAMBURG) == 6


def test_the_ledger_reads_newest_first_and_in_pages(stocked: Session, entry: Entry) -> None:
    held = hold(stocked, later(entry, 1), lot(HAMBURG, 4))
    lines = store.movements(stocked)
    assert (lines[0].kind, lines[0].reserved, lines[0].reference) == ("reserve", 4, held)
    assert {line.kind for line in lines[1:]} == {MovementKind.RECEIPT}
    first = store.movements(stocked, limit=2)
    assert [*first, *store.movements(stocked, after=first[-1].id)] == lines
    assert store.movements(stocked, site="TH-BKK", item="MUG")[0].quantity == 5
    assert store.movements(stocked, reference=held) == lines[:1]


def test_levels_read_in_pages(stocked: Session) -> None:
    everything = store.levels(stocked)
    first = store.levels(stocked, limit=1)
    rest = store.levels(stocked, after=(first[0].site, first[0].item, first[0].customs))
    assert [*first, *rest] == everything


def test_moments_come_back_in_utc(stocked: Session, entry: Entry) -> None:
    assert store.movements(stocked)[0].at == entry.at
    assert store.movements(stocked)[0].at.utcoffset() == timedelta(0)


@pytest.mark.parametrize("quantity", [0, -1])
def test_a_lot_holds_at_least_one_unit(quantity: int) -> None:
    with pytest.raises(BadInput):
        Lot("DE-HAM", "MUG", quantity)
