from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest

from core.brand import Brand
from core.errors import BadInput
from inventory.demand.lines import MOST_WEEKS, Lines
from inventory.demand.zones import local_days, zone_of, zones
from tests.builders import Rows, brand_of

WEDNESDAY = date(2026, 9, 9)
PLACES = [
    {"region": "DE", "country": "DE", "latitude": 52.5, "longitude": 13.4},
    {"region": "US-W", "country": "US", "latitude": 34.1, "longitude": -118.2},
    {"region": "US-E", "country": "US", "latitude": 40.7, "longitude": -74.0},
    {"region": "TH", "country": "TH", "latitude": 13.8, "longitude": 100.5},
]


def shop(today: date = WEDNESDAY, **tables: Rows) -> Brand:
    items = [{"item": name, "weight_kg": 1, "value": 1} for name in ("MUG", "CUP")]
    return replace(brand_of(items=items, regions=PLACES, **tables), today=today)


def order(
    placed_at: str, region: str, quantity: int, item: str = "MUG", **more: object
) -> dict[str, object]:
    return {"order": f"{placed_at}{region}{quantity}", "line": 1, "placed_at": placed_at,
            "region": region, "item": item, "quantity": quantity, **more}  # fmt: skip


def told(lines: Lines) -> list[tuple[str, str, int, float]]:
    past = lines.past
    return [
        (lines.items[series // len(PLACES)], lines.regions[series % len(PLACES)], day, units)
        for series, day, units in zip(
            past.series.tolist(), past.day.tolist(), past.quantity.tolist(), strict=True
        )
    ]


@pytest.mark.parametrize(
    ("country", "latitude", "longitude", "zone"),
    [
        ("DE", 52.5, 13.4, "Europe/Berlin"),
        ("US", 41.9, -87.6, "America/Chicago"),
        ("US", 34.1, -118.2, "America/Los_Angeles"),
        ("AU", -31.9, 115.9, "Australia/Perth"),
        ("AE", 25.2, 55.3, "Asia/Dubai"),
        ("FJ", -17.7, -179.9, "Pacific/Fiji"),
    ],
)
def test_a_region_lives_by_the_nearest_clock_of_its_country(
    country: str, latitude: float, longitude: float, zone: str
) -> None:
    """Fiji's clock stands across the date line from the point asked for."""
    assert zone_of(country, latitude, longitude) == zone


def test_a_country_without_clocks_of_its_own_takes_the_nearest() -> None:
    assert zone_of("XK", 42.66, 21.17) == "Europe/Skopje"


def test_every_zone_of_the_table_is_known_to_the_clock() -> None:
    noon = pd.Series(pd.to_datetime(["2026-06-01T12:00Z"]))
    assert len(zones().names) > 300
    assert {str(local_days(noon, str(name))[0])[:8] for name in zones().names} == {"2026-06-"}


def test_orders_fall_on_the_day_of_their_region() -> None:
    """Half past six on Tuesday morning UTC: Monday evening in Los Angeles, Tuesday elsewhere."""
    moment = "2026-09-01T06:30:00Z"
    lines = Lines.of(shop(orders=[order(moment, str(place["region"]), 1) for place in PLACES]))
    assert lines.first == date(2026, 8, 31)
    assert {(region, day) for _, region, day, _ in told(lines)} == {
        ("DE", 1), ("US-W", 0), ("US-E", 1), ("TH", 1),
    }  # fmt: skip


def test_clocks_that_change_move_the_day() -> None:
    """22:30 UTC is half past midnight in Berlin in July and half past eleven in January."""
    summer = Lines.of(shop(orders=[order("2026-07-06T22:30:00Z", "DE", 1)]))
    winter = Lines.of(shop(orders=[order("2026-01-05T22:30:00Z", "DE", 1)]))
    assert (told(summer)[0][2], told(winter)[0][2]) == (1, 0)


def test_unsorted_and_repeated_orders_add_up_and_prices_are_weighted() -> None:
    rows = [
        order("2026-09-02T10:00:00Z", "TH", 5, price=4.0),
        order("2026-09-01T10:00:00Z", "DE", 2, "CUP"),
        order("2026-09-01T10:00:00Z", "DE", 1, price=1.0),
        order("2026-09-02T08:00:00Z", "TH", 15, price=2.0),
    ]
    lines = Lines.of(shop(orders=rows))
    assert told(lines) == [("MUG", "DE", 1, 1.0), ("MUG", "TH", 2, 20.0), ("CUP", "DE", 1, 2.0)]
    assert lines.past.price[:2].tolist() == [1.0, 2.5]
    assert np.isnan(lines.past.price[2])


def test_parts_of_whole_items_make_up_the_past(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of nine items in no order, some of one day twice, at least four rows to a part."""
    monkeypatch.setattr("inventory.demand.lines.PART_ROWS", 4)
    random = np.random.default_rng(1)
    rows = [
        order(f"2026-09-0{day}T10:00:00Z", "DE", 1 + at, f"I{item}")
        for at, (item, day) in enumerate(random.integers(1, 9, (40, 2)).tolist())
    ]
    items = [{"item": f"I{at}", "weight_kg": 1, "value": 1} for at in range(9)]
    found = Lines.of(replace(brand_of(items=items, regions=PLACES, orders=rows), today=WEDNESDAY))
    parts = list(found.parts())
    for name in ("series", "day", "quantity"):
        joined = np.concatenate([getattr(part, name) for part in parts])
        assert np.array_equal(joined, getattr(found.past, name)), name
    sizes = [set((part.series // len(PLACES)).tolist()) for part in parts]
    assert len(parts) > 3
    assert sum(map(len, sizes)) == len(set.union(*sizes)) == 8


def test_more_series_than_can_be_numbered_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inventory.demand.lines.MOST_SERIES", 7)
    with pytest.raises(BadInput, match=r"at most 7 items times regions"):
        Lines.of(shop(orders=[order("2026-09-01T10:00:00Z", "DE", 1)]))


def test_the_demand_table_goes_before_orders() -> None:
    demand = [{"date": "2026-09-01", "region": "DE", "item": "MUG", "quantity": 7}]
    lines = Lines.of(shop(demand=demand, orders=[order("2026-09-01T10:00:00Z", "DE", 1)]))
    assert told(lines) == [("MUG", "DE", 1, 7.0)]


def test_orders_of_tomorrow_are_hidden_by_the_clock_of_their_region() -> None:
    """The planning date ends at midnight of each region: later in Los Angeles than in Bangkok."""
    moment = "2026-09-09T23:30:00Z"
    rows = [order(moment, "TH", 1), order(moment, "US-W", 1)]
    assert [region for _, region, _, _ in told(Lines.of(shop(orders=rows)))] == ["US-W"]


def test_only_the_terms_of_coming_days_are_known() -> None:
    rows = [
        {"date": "2026-09-01", "region": "DE", "item": "MUG", "quantity": 1},
        {"date": "2026-09-10", "region": "DE", "item": "MUG", "quantity": 9, "promotion": 0.3},
        {"date": "2026-09-11", "region": "DE", "item": "MUG", "quantity": 9},
    ]
    planned = Lines.of(shop(demand=rows)).planned
    assert (planned.day.tolist(), planned.promotion.tolist()) == ([10], [0.3])
    assert planned.quantity.tolist() == [0.0]


def test_what_lies_more_than_five_years_back_is_set_aside() -> None:
    """Ten years of one item: 260 complete weeks before the one under way remain."""
    days = pd.date_range("2016-09-12", WEDNESDAY, freq="7D")
    rows = [{"date": day, "region": "DE", "item": "MUG", "quantity": 1} for day in days]
    lines = Lines.of(shop(demand=rows))
    assert (date(2026, 9, 7) - lines.first).days == 7 * MOST_WEEKS
    assert lines.older == len(days) - MOST_WEEKS - 1


@pytest.mark.parametrize(("column", "file"), [("region", "regions"), ("item", "items")])
def test_an_unknown_id_is_told_with_the_file_that_should_list_it(column: str, file: str) -> None:
    row = {"date": "2026-09-01", "region": "DE", "item": "MUG", "quantity": 1, column: "NEW"}
    with pytest.raises(BadInput, match=rf"demand\.parquet.*{file}\.csv lists, got 'NEW'"):
        Lines.of(shop(demand=[row]))


def test_demand_of_long_ago_alone_is_told_as_such() -> None:
    row = {"date": "2015-01-05", "region": "DE", "item": "MUG", "quantity": 1}
    told = r"demand\.parquet.*no demand from 2021-09-13 to 2026-09-09, the 260 weeks.*of 2015-01-05"
    with pytest.raises(BadInput, match=told):
        Lines.of(shop(demand=[row]))
    later = row | {"date": "2026-10-05"}
    with pytest.raises(BadInput, match=r"no demand on or before 2026-09-09"):
        Lines.of(shop(demand=[later]))


def test_a_folder_that_holds_csv_is_told_so() -> None:
    row = {"date": "2026-10-05", "region": "DE", "item": "MUG", "quantity": 1}
    with pytest.raises(BadInput, match=r"^demand\.csv:0:0: no demand on or before"):
        Lines.of(replace(shop(demand=[row]), files={"demand": "demand.csv"}))
