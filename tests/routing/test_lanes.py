from itertools import pairwise, product

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.brand import Brand
from core.errors import BadInput
from core.places import Point
from routing.lanes import (
    FREIGHT_SHARE,
    PASSAGES,
    SEA_KM_PER_DAY,
    Lane,
    LaneGraph,
    Load,
    cheapest_path,
    close_passage,
    close_passages,
    detour,
    fastest_path,
    great_circle,
    lane_geometry,
    lane_graph,
    lanes_of,
    passages_of,
    sea_leg,
)
from tests.builders import brand_of
from warehouses.geography import coordinates, distances_km, lane_km

SHENZHEN, HAMBURG = Point(22.54, 114.06), Point(53.55, 9.99)
LOS_ANGELES, DUBAI, LONDON = Point(33.94, -118.24), Point(25.0, 55.06), Point(51.5, -0.12)
LOAD = Load(weight_kg=2000, volume_m3=10, units=500)


def test_a_ship_from_shenzhen_to_hamburg_passes_suez() -> None:
    leg = sea_leg(SHENZHEN, HAMBURG)
    assert leg is not None
    assert {"malacca", "suez"} <= set(leg.passages)
    assert (leg.from_port[:2], leg.to_port[:2]) == ("CN", "DE")
    assert leg.km == pytest.approx(18_700, rel=0.03)
    assert leg.days == leg.km / SEA_KM_PER_DAY


def test_a_closed_suez_makes_the_way_longer_around_africa() -> None:
    before, after = sea_leg(SHENZHEN, HAMBURG), sea_leg(SHENZHEN, HAMBURG, {"suez"})
    assert before is not None
    assert after is not None
    assert "suez" not in after.passages
    assert "south_africa" in after.passages
    assert after.km > 1.25 * before.km


def test_closing_passages_does_not_leak_into_the_next_question() -> None:
    first = sea_leg(SHENZHEN, HAMBURG)
    sea_leg(SHENZHEN, HAMBURG, {"suez", "malacca"})
    assert sea_leg(SHENZHEN, HAMBURG) == first


def test_a_gulf_behind_a_closed_strait_cannot_be_reached() -> None:
    assert sea_leg(DUBAI, HAMBURG, {"ormuz"}) is None
    assert detour(DUBAI, HAMBURG, frozenset({"ormuz"})) is None


def test_an_unknown_passage_is_refused_with_a_hint() -> None:
    with pytest.raises(BadInput, match="'suez'"):
        sea_leg(SHENZHEN, HAMBURG, {"suze"})
    with pytest.raises(BadInput, match="'suez'"):
        close_passage(canal_brand(), "suze")


@settings(max_examples=25, deadline=None)
@given(closed=st.frozensets(st.sampled_from(sorted(PASSAGES)), max_size=3))
def test_closing_passages_never_shortens_a_way(closed: frozenset[str]) -> None:
    free, bound = sea_leg(SHENZHEN, HAMBURG), sea_leg(SHENZHEN, HAMBURG, closed)
    assert free is not None
    if bound is not None:
        assert bound.km >= free.km - 1
        assert not closed.intersection(bound.passages)


def test_a_track_is_as_long_as_it_says_and_no_shorter_than_the_globe_allows() -> None:
    leg = sea_leg(SHENZHEN, LOS_ANGELES)
    assert leg is not None
    points = [(latitude, longitude) for longitude, latitude in leg.geometry]
    steps = np.diag(distances_km(points[:-1], points[1:])).sum()
    assert leg.km == pytest.approx(steps, rel=1e-3)
    assert leg.km >= 0.99 * lane_km(SHENZHEN, LOS_ANGELES) - leg.drayage_km


def test_a_track_over_the_date_line_stays_within_the_map() -> None:
    line = lane_geometry("sea_fcl", SHENZHEN, LOS_ANGELES)
    assert all(-180 <= x <= 180 and -90 <= y <= 90 for x, y in line)
    assert line[0] == (SHENZHEN.longitude, SHENZHEN.latitude)
    assert line[-1] == (LOS_ANGELES.longitude, LOS_ANGELES.latitude)


@settings(max_examples=50, deadline=None)
@given(
    st.floats(-85, 85), st.floats(-179, 179), st.floats(-85, 85), st.floats(-179, 179)
)  # fmt: skip
def test_a_great_circle_is_the_shortest_line(
    latitude_a: float, longitude_a: float, latitude_b: float, longitude_b: float
) -> None:
    a, b = Point(latitude_a, longitude_a), Point(latitude_b, longitude_b)
    direct = float(distances_km(coordinates((a,)), coordinates((b,)))[0, 0])
    if direct > 19_500:
        return  # nearly antipodal: every line is as short
    points = [(latitude, longitude) for longitude, latitude in great_circle(a, b)]
    steps = float(np.diag(distances_km(points[:-1], points[1:])).sum())
    assert steps == pytest.approx(direct, rel=1e-3, abs=1.0)


def canal_brand() -> Brand:
    """Shenzhen feeds Hamburg by sea and air, and by way of Dubai; Hamburg serves Britain."""
    return brand_of(
        sites=[
            {"site": "CN-SZX", "tier": "bonded", "country": "CN", "latitude": 22.54,
             "longitude": 114.06, "customs": "bonded"},
            {"site": "AE-DXB", "tier": "forward", "country": "AE", "latitude": 25.0,
             "longitude": 55.06},
            {"site": "DE-HAM", "tier": "central", "country": "DE", "latitude": 53.55,
             "longitude": 9.99},
            {"site": "US-LAX", "tier": "central", "country": "US", "latitude": 33.94,
             "longitude": -118.24},
        ],
        regions=[
            {"region": "GB", "country": "GB", "latitude": 51.5, "longitude": -0.12},
            {"region": "US", "country": "US", "latitude": 40.7, "longitude": -74.0},
        ],
        items=[{"item": "MUG", "weight_kg": 0.4, "volume_m3": 0.001, "value": 12}],
        services=[
            {"service": "SEA", "mode": "sea_fcl"},
            {"service": "LCL", "mode": "sea_lcl"},
            {"service": "AIR", "mode": "air"},
            {"service": "RAIL", "mode": "rail"},
        ],
        rates=[
            {"service": "LCL", "site": "CN-SZX", "region": "GB", "base_price": 12,
             "price_per_kg": 0.6, "transit_days": 36, "transit_days_p95": 45},
            {"service": "LCL", "site": "CN-SZX", "zone": "FAR", "price_per_kg": 0.5,
             "transit_days": 30},
            {"service": "AIR", "site": "CN-SZX", "region": "GB", "price_per_kg": 4,
             "transit_days": 4},
        ],
        zones=[{"service": "LCL", "site": "CN-SZX", "region": "US", "zone": "FAR"}],
        lanes=[
            {"from_site": "CN-SZX", "to_site": "DE-HAM", "service": "SEA", "transit_days": 33,
             "transit_days_p95": 42, "container_m3": 28, "container_cost": 1400,
             "fixed_cost": 90, "passages": "malacca;suez;gibraltar"},
            {"from_site": "CN-SZX", "to_site": "DE-HAM", "service": "AIR", "transit_days": 4,
             "cost_per_kg": 2.5},
            {"from_site": "CN-SZX", "to_site": "AE-DXB", "service": "SEA", "transit_days": 18,
             "container_m3": 28, "container_cost": 600, "passages": "malacca;ormuz"},
            {"from_site": "AE-DXB", "to_site": "DE-HAM", "service": "SEA", "transit_days": 20,
             "container_m3": 28, "container_cost": 500, "passages": "ormuz;suez"},
            {"from_site": "CN-SZX", "to_site": "US-LAX", "service": "SEA", "transit_days": 22,
             "container_m3": 28, "container_cost": 1100},
            {"from_site": "AE-DXB", "to_site": "DE-HAM", "service": "RAIL", "transit_days": 12,
             "cost_per_m3": 300, "passages": "suez"},
        ],
    )  # fmt: skip


def test_a_closed_suez_slows_and_raises_the_sea_lane_by_the_stated_formula() -> None:
    brand = canal_brand()
    before, after = lanes_of(brand)[0], lanes_of(close_passage(brand, "suez"))[0]
    free, bound = sea_leg(SHENZHEN, HAMBURG), sea_leg(SHENZHEN, HAMBURG, {"suez"})
    assert free is not None
    assert bound is not None
    extra = (bound.km - free.km) / SEA_KM_PER_DAY
    assert after.transit_days == pytest.approx(before.transit_days + extra)
    assert after.transit_days_p95 == pytest.approx(before.transit_days_p95 + extra)
    factor = 1 + FREIGHT_SHARE * (bound.km / free.km - 1)
    assert after.container_cost == pytest.approx(before.container_cost * factor)
    assert after.fixed_cost == before.fixed_cost
    assert after.passages == bound.passages


def test_lanes_that_do_not_pass_stay_as_they_are() -> None:
    brand = canal_brand()
    before, after = lanes_of(brand), lanes_of(close_passage(brand, "suez"))
    untouched = [lane for lane in before if "suez" not in lane.passages]
    assert [lane for lane in after if lane in before] == untouched


def test_a_train_through_a_closed_passage_is_gone() -> None:
    modes = [lane.mode for lane in lanes_of(close_passage(canal_brand(), "suez"))]
    assert "rail" not in modes


def test_a_lane_without_another_way_is_gone() -> None:
    closed = close_passage(canal_brand(), "ormuz")
    assert not any(
        "AE-DXB" in (x.from_site, x.to_site) for x in lanes_of(closed) if x.mode != "rail"
    )


def test_sea_rates_to_customers_are_rerouted_too() -> None:
    brand = canal_brand()
    before, after = brand.table("rates"), close_passage(brand, "suez").table("rates")
    slower = after["transit_days"] > before["transit_days"]
    assert list(slower) == [True, False, False]
    assert after["price_per_kg"].iloc[0] > before["price_per_kg"].iloc[0]
    assert after["price_per_kg"].iloc[2] == before["price_per_kg"].iloc[2]


def test_closing_nothing_changes_nothing_and_closing_never_changes_the_original() -> None:
    brand = canal_brand()
    assert close_passages(brand, ()) is brand
    before = brand.table("lanes").copy()
    close_passage(brand, "suez")
    assert brand.table("lanes").equals(before)


def test_passages_in_use_are_those_of_lanes_and_of_sea_rates() -> None:
    used = passages_of(canal_brand())
    assert {"suez", "ormuz", "malacca"} <= used
    assert passages_of(canal_brand().with_table("lanes", canal_brand().table("lanes").head(0))) >= {
        "suez"
    }


def test_the_cheapest_way_changes_boats_and_the_fastest_one_flies() -> None:
    graph = lane_graph(canal_brand())
    cheap = cheapest_path(graph, "CN-SZX", "DE-HAM", LOAD)
    fast = fastest_path(graph, "CN-SZX", "DE-HAM", LOAD)
    assert cheap is not None
    assert fast is not None
    assert cheap.sites == ("CN-SZX", "AE-DXB", "DE-HAM")
    assert (cheap.cost, cheap.transit_days) == (1100, 38)
    assert [lane.service for lane in fast.lanes] == ["AIR"]
    assert (fast.cost, fast.transit_days) == (5000, 4)


def lanes_between(graph: LaneGraph, a: str, b: str) -> list[Lane]:
    return [lane for lane in graph.lanes if (lane.from_site, lane.to_site) == (a, b)]


def test_the_best_ways_are_those_of_an_enumeration() -> None:
    """Every simple way through the small network, counted one by one."""
    graph = lane_graph(canal_brand())
    ways = [
        way
        for path in nx.all_simple_paths(nx.DiGraph(graph.graph), "CN-SZX", "DE-HAM")
        for way in product(*(lanes_between(graph, *step) for step in pairwise(path)))
    ]
    cheap = cheapest_path(graph, "CN-SZX", "DE-HAM", LOAD)
    fast = fastest_path(graph, "CN-SZX", "DE-HAM", LOAD)
    assert cheap is not None
    assert fast is not None
    assert cheap.cost == min(sum(lane.cost(LOAD) for lane in way) for way in ways)
    assert fast.transit_days == min(sum(lane.transit_days for lane in way) for way in ways)


def test_containers_are_counted_whole() -> None:
    lane = lanes_of(canal_brand())[0]
    assert lane.cost(Load(100, 28.0)) == 90 + 1400
    assert lane.cost(Load(100, 28.1)) == 90 + 2 * 1400


def test_a_closed_site_carries_no_lanes() -> None:
    brand = canal_brand()
    sites = brand.table("sites").assign(status=["open", "closed", "open", "open"])
    graph = lane_graph(brand.with_table("sites", sites))
    assert "AE-DXB" not in graph.graph
    way = cheapest_path(graph, "CN-SZX", "DE-HAM", LOAD)
    assert way is not None
    assert way.sites == ("CN-SZX", "DE-HAM")


def test_sites_without_lanes_between_them_have_no_path() -> None:
    graph = lane_graph(canal_brand())
    assert cheapest_path(graph, "US-LAX", "DE-HAM", LOAD) is None
    assert cheapest_path(graph, "NOWHERE", "DE-HAM", LOAD) is None
    stay = cheapest_path(graph, "US-LAX", "US-LAX", LOAD)
    assert stay is not None
    assert (stay.sites, stay.cost) == ((), 0)
