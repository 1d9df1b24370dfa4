"""The brand in the database: what is loaded comes back, and stock stays as the ledger has it."""

from dataclasses import replace
from datetime import timedelta

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from sqlmodel import Session

from api.services.brands import brand_version, current_brand, load_brand
from core.brand import Brand
from core.errors import Conflict, NotFound
from core.folder.writer import complete
from core.ids import Entropy
from inventory import store
from inventory.stock import Entry, Lot, StockKey
from tests.builders import two_sites_one_item
from tests.fakes import FakeClock, seeded_entropy


@pytest.fixture
def entry(clock: FakeClock) -> Entry:
    return Entry(clock.now(), "test", seeded_entropy(5))


def stock_of(*rows: dict[str, object]) -> pd.DataFrame:
    return complete("stock", pd.DataFrame(list(rows)))


def mugs(quantity: int) -> pd.DataFrame:
    return stock_of({"site": "DE-HAM", "item": "MUG", "on_hand": quantity})


def on_hand(session: Session) -> dict[str, int]:
    return {level.site: level.on_hand for level in store.levels(session)}


def test_a_brand_comes_back_as_it_was_read(
    session: Session, brand: Brand, clock: FakeClock, entropy: Entropy
) -> None:
    load_brand(session, brand, clock, entropy)
    found = current_brand(session)
    assert replace(found, tables={}) == replace(brand, tables={})
    assert set(found.tables) == set(brand.tables)
    for name, frame in brand.tables.items():
        assert_frame_equal(found.table(name), frame, check_exact=True)


def test_a_column_without_numbers_takes_no_memory(
    session: Session, clock: FakeClock, entropy: Entropy
) -> None:
    """Demand that tells no promotion of a million rows would hold eight megabytes of nothing."""
    row = {"date": "2026-09-01", "region": "DE", "item": "MUG", "quantity": 1, "price": 2.0}
    demand = complete("demand", pd.DataFrame([row] * 3))
    load_brand(session, two_sites_one_item().with_table("demand", demand), clock, entropy)
    found = current_brand(session).table("demand")
    assert_frame_equal(found, demand, check_exact=True)
    strides = [found[name].to_numpy().strides for name in ("quantity", "promotion", "price")]
    assert strides == [(8,), (0,), (8,)]


def test_loading_the_same_brand_again_changes_nothing(
    session: Session, clock: FakeClock, entropy: Entropy
) -> None:
    first = load_brand(session, two_sites_one_item(), clock, entropy)
    again = load_brand(session, two_sites_one_item(), clock, entropy)
    assert (first.changed, first.movements) == (True, 2)
    assert (again.changed, again.movements, again.version) == (False, 0, first.version)
    assert len(store.movements(session)) == 2


def test_a_changed_brand_is_a_new_version_and_the_ledger_keeps_its_stock(
    session: Session, brand: Brand, clock: FakeClock, entropy: Entropy
) -> None:
    first = load_brand(session, brand, clock, entropy)
    changed = load_brand(session, brand.with_table("stock", mugs(7)), clock, entropy)
    assert (changed.changed, changed.movements) == (True, 0)
    assert changed.version != first.version
    assert on_hand(session) == {"DE-HAM": 50, "TH-BKK": 30}
    back = load_brand(session, brand, clock, entropy)
    assert (back.changed, back.version) == (True, first.version)
    assert brand_version(session) == first.version


def test_stock_is_corrected_to_the_folder_when_asked(
    session: Session, brand: Brand, clock: FakeClock, entropy: Entropy
) -> None:
    load_brand(session, brand, clock, entropy)
    changed = brand.with_table("stock", mugs(7))
    assert load_brand(session, changed, clock, entropy, reset_stock=True).movements == 2
    assert on_hand(session) == {"DE-HAM": 7, "TH-BKK": 0}
    assert load_brand(session, changed, clock, entropy, reset_stock=True).movements == 0
    assert store.reconcile(session) == []


def test_a_correction_that_would_lose_held_units_is_refused(
    session: Session, brand: Brand, clock: FakeClock, entropy: Entropy, entry: Entry
) -> None:
    load_brand(session, brand, clock, entropy)
    until = entry.at + timedelta(minutes=30)
    store.reserve(session, [Lot("DE-HAM", "MUG", 10)], entry, until)
    with pytest.raises(Conflict):
        load_brand(session, brand.with_table("stock", mugs(7)), clock, entropy, reset_stock=True)


def test_live_stock_is_what_nobody_holds(
    session: Session, clock: FakeClock, entropy: Entropy, entry: Entry
) -> None:
    brand = two_sites_one_item().with_table(
        "stock",
        stock_of(
            {"site": "DE-HAM", "item": "MUG", "on_hand": 50},
            {
                "site": "DE-HAM",
                "item": "MUG",
                "on_hand": 9,
                "customs": "bonded",
                "bonded_since": "2026-08-01",
            },
        ),
    )
    load_brand(session, brand, clock, entropy)
    until = entry.at + timedelta(minutes=30)
    store.reserve(session, [Lot("DE-HAM", "MUG", 20)], entry, until)
    live = current_brand(session, live_stock=True).table("stock")
    assert live.dtypes.to_dict() == brand.table("stock").dtypes.to_dict()
    assert live[["customs", "on_hand"]].to_numpy().tolist() == [["bonded", 9], ["free", 30]]
    assert live["bonded_since"].iloc[0] == pd.Timestamp("2026-08-01")
    assert current_brand(session).table("stock")["on_hand"].tolist() == [50, 9]


def test_a_reset_reaches_stock_that_the_brand_no_longer_names(
    session: Session, brand: Brand, clock: FakeClock, entropy: Entropy, entry: Entry
) -> None:
    load_brand(session, brand, clock, entropy)
    store.receive(session, [Lot("DE-HAM", "MUG", 3, "bonded")], entry)
    load_brand(session, brand, clock, entropy, reset_stock=True)
    levels = {StockKey(at.site, at.item, at.customs): at.on_hand for at in store.levels(session)}
    assert levels[StockKey("DE-HAM", "MUG", "bonded")] == 0


def test_before_the_first_load_there_is_no_brand(session: Session) -> None:
    with pytest.raises(NotFound):
        current_brand(session)
