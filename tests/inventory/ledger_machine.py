"""Whatever happens in whatever order: a plain count beside the ledger must always agree with it.

The long version: `python -m tests.inventory.ledger_machine --examples 2000 --steps 50 URL`, with
the URL of an empty database.
"""

import argparse
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlmodel import Session

from api.database import SessionFactory, engine_for, session_factory
from api.migrations import schema
from core.errors import Conflict, OutOfStock
from inventory import store
from inventory.stock import Entry, Lot, Reservation, ReservationState, StockKey, Wanted, summed
from inventory.supply import Claim, SupplyKey, SupplyLot
from tests.fakes import seeded_entropy

START = datetime(2026, 9, 7, tzinfo=UTC)
ACTIVE, CONFIRMED = ReservationState.ACTIVE, ReservationState.CONFIRMED
OPEN = {ACTIVE, CONFIRMED}

some_lots = st.builds(
    Lot,
    st.sampled_from(["A", "B"]),
    st.sampled_from(["X", "Y"]),
    st.integers(1, 6),
    st.sampled_from(["free", "bonded"]),
)
few_lots = st.lists(some_lots, min_size=1, max_size=3)
COMING = [
    SupplyLot(SupplyKey("A", item, "free", START.date() + timedelta(days=days), f"PO-{days}"), 5)
    for item in ("X", "Y") for days in (1, 2)
]  # fmt: skip
some_claims = st.builds(Claim, st.sampled_from(COMING), st.integers(1, 4))
few_claims = st.lists(some_claims, max_size=2)
at_any = st.integers(0, 20)


@dataclass
class Hold:
    """What the count knows of a reservation."""

    expires_at: datetime
    left: Counter[StockKey]
    state: ReservationState = ACTIVE
    awaits: Counter[SupplyKey] = field(default_factory=Counter)
    made: tuple[datetime, str] = (START, "")


@dataclass
class Books:
    """The count: plain sums, and no SQL."""

    on_hand: Counter[StockKey] = field(default_factory=Counter)
    safety: Counter[StockKey] = field(default_factory=Counter)
    holds: dict[str, Hold] = field(default_factory=dict)
    transit: dict[str, Counter[tuple[str, str]]] = field(default_factory=dict)
    came: int = 0
    shipped: int = 0
    received: Counter[SupplyKey] = field(default_factory=Counter)

    def held(self, key: StockKey) -> int:
        """Units of a row that open reservations hold."""
        return sum(hold.left[key] for hold in self.holds.values() if hold.state in OPEN)

    def free(self, key: StockKey) -> int:
        """Units of a row that a new reservation can take."""
        return self.on_hand[key] - self.held(key) - self.safety[key]

    def expire(
        self,
        now: datetime,
        keys: set[StockKey] | None = None,
        lots: Collection[SupplyKey] = (),
    ) -> int:
        """Ends holds whose time has passed, of some rows or of all; returns how many."""
        ended = [
            hold for hold in self.holds.values()
            if hold.state is ACTIVE and hold.expires_at <= now
            and (keys is None or keys & set(hold.left) or set(lots) & set(hold.awaits))
        ]  # fmt: skip
        for hold in ended:
            hold.state = ReservationState.EXPIRED
        return len(ended)

    def fits(self, units: dict[StockKey, int]) -> bool:
        """Whether a new reservation of so many units would be granted."""
        return all(asked <= self.free(key) for key, asked in units.items())

    def awaited(self, lot: SupplyLot) -> int:
        """Units of a lot on its way that open reservations wait for."""
        return sum(hold.awaits[lot.key] for hold in self.holds.values() if hold.state in OPEN)

    def rows_of_waiting(self, key: StockKey) -> set[StockKey]:
        """The rows of open reservations that wait for units of one row."""
        found = set[StockKey]()
        for hold in self.holds.values():
            lots = {StockKey(*lot[:3]): units for lot, units in hold.awaits.items() if units}
            if hold.state in OPEN and key in lots:
                found |= {*hold.left, *(StockKey(*lot[:3]) for lot in hold.awaits)}
        return found

    def coming(self, lot: SupplyLot) -> int:
        """Units of a lot on its way that a new claim can take."""
        return lot.units - self.received[lot.key] - self.awaited(lot)

    def arrives(self, lots: Sequence[SupplyLot], units: int, named: SupplyLot | None) -> None:
        """Gives units that came in to those who wait: of a named lot, else whoever was first."""
        shares = {lot.key: 0 for lot in lots}
        free = lots if named is None else [named]
        order = sorted(lots, key=lambda lot: (lot is not named, lot.key.due, lot.key.reference))
        wait = [(lot, self.awaited(lot)) for lot in order]
        rest = [(lot, self.coming(lot)) for lot in order if lot in free]
        first = wait[:1] + rest if named is not None else wait + rest
        for lot, most in [*first, *(wait[1:] if named is not None else [])]:
            shares[lot.key] += min(units, most)
            units -= min(units, most)
        for lot in lots:
            comes = shares[lot.key]
            self.received[lot.key] += comes
            for hold in sorted(self.holds.values(), key=lambda hold: hold.made):
                share = min(comes, hold.awaits[lot.key]) if hold.state in OPEN else 0
                if not share:
                    continue
                hold.awaits[lot.key] -= share
                hold.left[StockKey(*lot.key[:3])] += share
                comes -= share

    def spare(self, units: dict[StockKey, int]) -> bool:
        """Whether so many units are there that nobody holds."""
        return all(asked <= self.on_hand[key] - self.held(key) for key, asked in units.items())


class Ledger(RuleBasedStateMachine):
    """Everything that can happen to stock, told to the ledger and to the count."""

    sessions: SessionFactory

    def __init__(self) -> None:
        super().__init__()
        self.session: Session = self.sessions()
        self.books, self.now = Books(), START
        self.entropy, self.numbers = seeded_entropy(), count(1)

    def teardown(self) -> None:
        self.session.rollback()
        self.session.close()

    @property
    def entry(self) -> Entry:
        return Entry(self.now, "story", self.entropy, f"story {next(self.numbers)}")

    def tell(self, granted: bool, act: Callable[[], Any]) -> Any:
        """Returns what the ledger answers; it must grant exactly what the count grants."""
        if granted:
            return act()
        with pytest.raises(Conflict), self.session.begin_nested():
            act()
        return None

    def one(self, at: int) -> tuple[str, Hold]:
        """Returns one of the reservations that were ever made."""
        return list(self.books.holds.items())[at % len(self.books.holds)]

    def alive(self, hold: Hold) -> bool:
        return hold.state is ACTIVE and hold.expires_at > self.now

    @rule(lots=few_lots)
    def receive(self, lots: list[Lot]) -> None:
        store.receive(self.session, lots, self.entry)
        self._came(lots)

    @rule(lot=some_lots)
    def take_back(self, lot: Lot) -> None:
        store.take_back(self.session, [lot], self.entry)
        self._came([lot])

    def _came(self, lots: Sequence[Lot]) -> None:
        for lot in lots:
            self.books.on_hand[lot.key] += lot.quantity
            self.books.came += lot.quantity

    @rule(lot=some_lots, change=st.integers(-6, 6).filter(bool), seen=st.sampled_from([None, 0, 1]))
    def adjust(self, lot: Lot, change: int, seen: int | None) -> None:
        found = self.books.on_hand[lot.key]
        expected = None if seen is None else found + seen
        granted = found + change >= self.books.held(lot.key) and seen != 1
        self.tell(
            granted, lambda: store.adjust(self.session, lot.key, change, self.entry, expected)
        )
        if granted:
            self.books.on_hand[lot.key] += change
            self.books.came += change

    @rule(
        wishes=st.lists(st.tuples(few_lots, few_claims), min_size=1, max_size=3),
        stock=st.booleans(), minutes=st.integers(1, 4),
    )  # fmt: skip
    def promise(
        self, wishes: list[tuple[list[Lot], list[Claim]]], stock: bool, minutes: int
    ) -> None:
        """Orders hold goods on their way, some of them beside stock."""
        until = self.now + timedelta(minutes=minutes)
        asked = [
            Wanted(tuple(lots) if stock or not claims else (), self.entry, until, tuple(claims))
            for lots, claims in wishes
        ]
        self.books.expire(
            self.now,
            {key for wish in asked for key in wish.units},
            [key for wish in asked for key in wish.claimed],
        )
        left = Counter({lot.key: self.books.coming(lot) for lot in COMING})
        fitting = []
        for wish in asked:  # claims are judged before stock
            fitting.append(Counter(wish.claimed) <= left)
            left -= Counter(wish.claimed if fitting[-1] else {})
        answers = store.reserve_each(self.session, asked)
        for wish, answer, fits in zip(asked, answers, fitting, strict=True):
            if fits and self.books.fits(wish.units):
                assert isinstance(answer, Reservation)
                self.books.holds[answer.id] = Hold(
                    until, Counter(wish.units), ACTIVE, Counter(wish.claimed),
                    (answer.created_at, answer.id),
                )  # fmt: skip
            else:
                assert isinstance(answer, OutOfStock)

    @rule(lot=st.sampled_from(COMING), units=st.integers(1, 6), named=st.booleans())
    def arrive(self, lot: SupplyLot, units: int, named: bool) -> None:
        key = StockKey(*lot.key[:3])
        lots = [each for each in COMING if StockKey(*each.key[:3]) == key]
        entry = replace(self.entry, reference=lot.key.reference if named else "GRN")
        rows = {key, *self.books.rows_of_waiting(key)}
        self.books.expire(self.now, rows, [each.key for each in lots])
        store.arrive(self.session, Lot(key.site, key.item, units, key.customs), entry, lots)
        self._came([Lot(key.site, key.item, units, key.customs)])
        self.books.arrives(lots, units, lot if named else None)

    @rule(lot=some_lots, units=st.integers(0, 3))
    def keep_a_buffer(self, lot: Lot, units: int) -> None:
        store.set_safety(self.session, lot.key, units)
        self.books.safety[lot.key] = units

    @rule(groups=st.lists(few_lots, min_size=1, max_size=4), minutes=st.integers(1, 4))
    def reserve(self, groups: list[list[Lot]], minutes: int) -> None:
        until = self.now + timedelta(minutes=minutes)
        wishes = [Wanted(tuple(lots), self.entry, until) for lots in groups]
        self.books.expire(self.now, {lot.key for lots in groups for lot in lots})
        for lots, answer in zip(groups, store.reserve_each(self.session, wishes), strict=True):
            units = summed(lots)
            if self.books.fits(units):
                assert isinstance(answer, Reservation)
                self.books.holds[answer.id] = Hold(until, Counter(units))
            else:
                assert isinstance(answer, OutOfStock)

    @precondition(lambda self: self.books.holds)
    @rule(at=at_any, minutes=st.integers(0, 4))
    def extend(self, at: int, minutes: int) -> None:
        name, hold = self.one(at)
        until, granted = self.now + timedelta(minutes=minutes), self.alive(hold)
        self.tell(granted, lambda: store.extend(self.session, name, self.entry, until))
        if granted:
            hold.expires_at = max(hold.expires_at, until)

    @precondition(lambda self: self.books.holds)
    @rule(at=at_any)
    def confirm(self, at: int) -> None:
        name, hold = self.one(at)
        granted = self.alive(hold)
        self.tell(granted, lambda: store.confirm(self.session, name, self.entry))
        if granted:
            hold.state = CONFIRMED

    @precondition(lambda self: self.books.holds)
    @rule(at=at_any)
    def cancel(self, at: int) -> None:
        name, hold = self.one(at)
        granted = hold.state in OPEN and hold.left.total() + hold.awaits.total() > 0
        self.tell(granted, lambda: store.release(self.session, name, self.entry))
        if granted:
            hold.state = ReservationState.RELEASED

    @precondition(lambda self: self.books.holds)
    @rule(at=at_any, whole=st.booleans(), units=st.integers(1, 4))
    def ship(self, at: int, whole: bool, units: int) -> None:
        name, hold = self.one(at)
        key = min(hold.left, default=StockKey("A", "X", "free"))
        leaving = +hold.left if whole else Counter({key: units})
        granted = hold.state is CONFIRMED and leaving <= hold.left and leaving.total() > 0
        if whole and not leaving:
            return  # nothing is left to ship
        lots = None if whole else [Lot(key.site, key.item, units, key.customs)]
        self.tell(granted, lambda: store.ship(self.session, name, self.entry, lots))
        if granted:
            for place, gone in leaving.items():
                hold.left[place] -= gone
                self.books.on_hand[place] -= gone
                self.books.shipped += gone

    @rule()
    def expire(self) -> None:
        assert store.expire(self.session, self.entry) == self.books.expire(self.now)

    @rule(minutes=st.integers(1, 2))
    def wait(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @rule(lots=few_lots)
    def transfer_out(self, lots: list[Lot]) -> None:
        name, units = f"trf_{next(self.numbers)}", summed(lots)
        granted = self.books.spare(units)
        self.tell(granted, lambda: store.transfer_out(self.session, lots, self.entry, name))
        if granted:
            way: Counter[tuple[str, str]] = Counter()
            for key, asked in units.items():
                self.books.on_hand[key] -= asked
                way[key.item, key.customs] += asked
            self.books.transit[name] = way

    @precondition(lambda self: self.books.transit)
    @rule(at=at_any, lots=few_lots)
    def transfer_in(self, at: int, lots: list[Lot]) -> None:
        name, way = list(self.books.transit.items())[at % len(self.books.transit)]
        arriving: Counter[tuple[str, str]] = Counter()
        for lot in lots:
            arriving[lot.item, lot.customs] += lot.quantity
        granted = arriving <= way
        self.tell(granted, lambda: store.transfer_in(self.session, lots, self.entry, name))
        if granted:
            way.subtract(arriving)
            for lot in lots:
                self.books.on_hand[lot.key] += lot.quantity
        assert store.in_transit(self.session, name) == dict(+way)

    @rule(lots=few_lots)
    def release_bond(self, lots: list[Lot]) -> None:
        units = summed(Lot(lot.site, lot.item, lot.quantity, "bonded") for lot in lots)
        granted = self.books.spare(units)
        self.tell(granted, lambda: store.release_bond(self.session, lots, self.entry))
        if granted:
            for key, asked in units.items():
                self.books.on_hand[key] -= asked
                self.books.on_hand[key._replace(customs="free")] += asked

    @invariant()
    def the_ledger_agrees(self) -> None:
        found = {StockKey(level.site, level.item, level.customs): level
                 for level in store.levels(self.session)}  # fmt: skip
        for key in {*found, *self.books.on_hand}:
            level = found.get(key)
            told = (level.on_hand, level.reserved) if level else (0, 0)
            assert told == (self.books.on_hand[key], self.books.held(key))
            assert told[0] >= told[1] >= 0
        travels = sum(way.total() for way in self.books.transit.values())
        assert self.books.on_hand.total() + travels + self.books.shipped == self.books.came
        assert store.reconcile(self.session) == []
        assert store.misclaimed(self.session) == []
        taken = store.taken(self.session, START - timedelta(days=1), ["X", "Y"])
        for lot in COMING:
            assert lot.units - taken.get(lot.key, 0) == self.books.coming(lot) >= 0


def run(sessions: SessionFactory, examples: int, steps: int) -> None:
    """Tells so many stories of so many steps each; raises where ledger and count differ."""
    told = settings(
        max_examples=examples, stateful_step_count=steps, deadline=None, database=None,
        suppress_health_check=list(HealthCheck), print_blob=True,
    )  # fmt: skip
    machine = type("LedgerOfDatabase", (Ledger,), {"sessions": staticmethod(sessions)})
    run_state_machine_as_test(machine, settings=told)


def main() -> None:
    """Runs the long version on an empty database."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--examples", type=int, default=2000)
    parser.add_argument("--steps", type=int, default=50)
    asked = parser.parse_args()
    engine = engine_for(asked.url)
    schema.upgrade(engine)
    begun = time.perf_counter()
    run(session_factory(engine), asked.examples, asked.steps)
    print(
        f"{asked.examples} x {asked.steps} steps: {time.perf_counter() - begun:.0f} s, 0 violations"
    )


if __name__ == "__main__":
    main()
