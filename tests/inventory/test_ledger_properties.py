"""Whatever happens in whatever order: units are conserved and nothing is ever negative."""

import shutil
from collections.abc import Sequence
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import Session

from api.database import engine_for, session_factory
from core.errors import Conflict
from inventory import store
from inventory.stock import Entry, Lot
from tests.fakes import seeded_entropy

SITES, ITEMS = ("A", "B"), ("X", "Y")
START = datetime(2026, 9, 7, tzinfo=UTC)

lots = st.builds(
    Lot,
    st.sampled_from(SITES),
    st.sampled_from(ITEMS),
    st.integers(1, 6),
    st.sampled_from(["free", "bonded"]),
)
holds = st.integers(0, 5)
operations = st.one_of(
    st.tuples(st.just("receive"), lots),
    st.tuples(st.just("adjust"), lots, st.integers(-6, 6).filter(bool)),
    st.tuples(st.just("reserve"), st.lists(lots, min_size=1, max_size=3), st.integers(1, 3)),
    st.tuples(st.just("confirm"), holds),
    st.tuples(st.just("release"), holds),
    st.tuples(st.just("ship"), holds),
    st.tuples(st.just("ship one"), holds),
    st.tuples(st.just("expire")),
    st.tuples(st.just("wait")),
)


class Story:
    """Runs operations one after the other and counts units by itself, in plain Python."""

    def __init__(self, session: Session) -> None:
        self.session, self.now, self.entropy = session, START, seeded_entropy()
        self.known: list[str] = []
        self.came = 0

    @property
    def entry(self) -> Entry:
        return Entry(self.now, "story", self.entropy)

    def tell(self, operation: Sequence[object]) -> None:
        name, *arguments = operation
        act = getattr(self, str(name).replace(" ", "_"))
        # A refused reserve leaves nothing behind by itself; the others rely on a rollback.
        undone = nullcontext() if name == "reserve" else self.session.begin_nested()
        try:
            with undone:
                act(*arguments)
        except Conflict:
            return  # refused: the books must be as they were

    def receive(self, lot: Lot) -> None:
        store.receive(self.session, [lot], self.entry)
        self.came += lot.quantity

    def adjust(self, lot: Lot, change: int) -> None:
        store.adjust(self.session, lot.key, change, self.entry)
        self.came += change

    def reserve(self, wanted: list[Lot], minutes: int) -> None:
        expires_at = self.now + timedelta(minutes=minutes)
        self.known.append(store.reserve(self.session, wanted, self.entry, expires_at).id)

    def confirm(self, at: int) -> None:
        for held in self.known[at : at + 1]:
            store.confirm(self.session, held, self.entry)

    def release(self, at: int) -> None:
        for held in self.known[at : at + 1]:
            store.release(self.session, held, self.entry)

    def ship(self, at: int) -> None:
        for held in self.known[at : at + 1]:
            store.ship(self.session, held, self.entry)

    def ship_one(self, at: int) -> None:
        for held in self.known[at : at + 1]:
            line = store.get(self.session, held).lines[0]
            one = Lot(line.site, line.item, 1, line.customs)
            store.ship(self.session, held, self.entry, [one])

    def expire(self) -> None:
        store.expire(self.session, self.entry)

    def wait(self) -> None:
        self.now += timedelta(minutes=1)

    @property
    def left(self) -> int:
        lines = (line for held in self.known for line in store.get(self.session, held).lines)
        return sum(line.shipped for line in lines)


@pytest.fixture(scope="module")
def database(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("stories") / "stories.sqlite"
    shutil.copy(sqlite_template, path)
    return f"sqlite:///{path}"


@given(st.lists(operations, max_size=25))
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_units_are_conserved(database: str, story: list[tuple[object, ...]]) -> None:
    engine = engine_for(database)
    with session_factory(engine)() as session:
        told = Story(session)
        for operation in story:
            told.tell(operation)
            levels = store.levels(session, told.now)
            assert all(level.on_hand >= level.reserved >= 0 for level in levels)
            assert store.reconcile(session) == []
        assert sum(level.on_hand for level in store.levels(session)) == told.came - told.left
        session.rollback()
    engine.dispose()
