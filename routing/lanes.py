"""Lanes: how stock moves between sites, through which sea passages, and what a closed one costs.

Sea distances come from the maritime network and the port table of the `searoute` package
(Apache-2.0; network after Eurostat's marnet, ports by UN/LOCODE). Times and prices of a detour
follow two planning assumptions that are named here and nowhere else: `SEA_KM_PER_DAY` and
`FREIGHT_SHARE`.
"""

import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache, lru_cache
from itertools import pairwise
from threading import Lock
from typing import Any

import networkx as nx
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from searoute import searoute
from searoute.classes.passages import Passage
from searoute.searoute import setup_M, setup_P

from carriers.services import services_of
from core.brand import Brand, Row, number
from core.errors import BadInput
from core.places import Point
from warehouses.geography import EARTH_RADIUS_KM, coordinates, distances_km, lane_km
from warehouses.network import Network

SEA_MODES = frozenset({"sea_lcl", "sea_fcl"})
"""Modes of service that sail and so depend on passages."""

PASSAGES = frozenset(str(passage) for passage in Passage.valid_passages())
"""Passages that the maritime network knows, such as `suez` and `panama`."""

ALWAYS_CLOSED = frozenset({"northwest"})
"""Passages without liner services; never used."""

SEA_KM_PER_DAY = 16 * 1.852 * 24
"""Kilometers that a container ship makes in a day at 16 knots, a usual slow-steaming speed."""

FREIGHT_SHARE = 0.6
"""Share of a sea price that grows with distance (fuel, charter); the rest is ports and papers.

A planning assumption, so that a detour of a third makes a lane a fifth dearer.
"""

_LONGEST_PORT_ACCESS_KM = 100.0
_SEA_LOCK = Lock()

Coordinates = tuple[tuple[float, float], ...]
"""Points of a line as (longitude, latitude) in degrees, the order of GeoJSON."""


@dataclass(frozen=True, slots=True)
class SeaLeg:
    """The shortest way by sea between the ports nearest to two points.

    `km` is the way on water, `drayage_km` the way on land to and from the ports, `geometry` the
    ship's track.
    """

    km: float
    passages: tuple[str, ...]
    geometry: Coordinates
    from_port: str
    to_port: str
    drayage_km: float

    @property
    def days(self) -> float:
        """Days under way at `SEA_KM_PER_DAY`, without time in port."""
        return self.km / SEA_KM_PER_DAY


@dataclass(frozen=True, slots=True)
class _Port:
    code: str
    point: Point


def sea_leg(
    point_a: Point, point_b: Point, restrictions: Iterable[str] = frozenset()
) -> SeaLeg | None:
    """Returns the way by sea that avoids the passages in `restrictions`; None where there is none.

    Raises `BadInput` for a passage that the maritime network does not know.
    """
    closed = frozenset(restrictions)
    for passage in sorted(closed - PASSAGES):
        raise BadInput(_unknown_passage(passage))
    return _sea_leg(_nearest_port(point_a), _nearest_port(point_b), point_a, point_b, closed)


def _unknown_passage(passage: str) -> str:
    near = get_close_matches(passage, sorted(PASSAGES), n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(sorted(PASSAGES))}."
    return f"Unknown passage {passage!r}; {hint}"


def _sea_leg(
    a: _Port, b: _Port, point_a: Point, point_b: Point, closed: frozenset[str]
) -> SeaLeg | None:
    track = _track(a.point, b.point, closed)
    if track is None:
        return None
    points, passages = track
    drayage_km = lane_km(point_a, a.point) + lane_km(b.point, point_b)
    return SeaLeg(_length_km(points), passages, points, a.code, b.code, drayage_km)


@lru_cache(maxsize=4096)
def _track(
    a: Point, b: Point, closed: frozenset[str]
) -> tuple[Coordinates, tuple[str, ...]] | None:
    """Returns the track from port to port with its passages; one call at a time.

    The package keeps the restrictions of the last call on its one shared network.
    """
    with _SEA_LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # "No path found" is our None
        feature = searoute(
            [a.longitude, a.latitude], [b.longitude, b.latitude],
            restrictions=sorted(closed | ALWAYS_CLOSED), return_passages=True,
        )  # fmt: skip
    inner = [_wrapped(longitude, latitude) for longitude, latitude in feature.geometry.coordinates]
    if not inner:
        return None
    ends = _wrapped(a.longitude, a.latitude), _wrapped(b.longitude, b.latitude)
    return (ends[0], *inner, ends[1]), tuple(sorted(feature.properties["traversed_passages"]))


def _wrapped(longitude: float, latitude: float) -> tuple[float, float]:
    return round((longitude + 180) % 360 - 180, 4), round(latitude, 4)


def _length_km(points: Coordinates) -> float:
    unit = _on_sphere(np.array([(latitude, longitude) for longitude, latitude in points]))
    chords = np.linalg.norm(np.diff(unit, axis=0), axis=1)
    return float(2 * EARTH_RADIUS_KM * np.arcsin(np.clip(chords / 2, 0, 1)).sum())


def _on_sphere(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns points [n, 2] of latitude and longitude as points [n, 3] on the unit sphere."""
    latitude, longitude = np.radians(points).T
    ring = np.cos(latitude)
    return np.column_stack([ring * np.cos(longitude), ring * np.sin(longitude), np.sin(latitude)])


@cache
def _ports() -> tuple[_Port, ...]:
    """Returns the cargo terminals that ships reach; the port table also lists inland depots."""
    terminals = [
        _Port(str(data["port"]), Point(latitude, longitude))
        for (longitude, latitude), data in setup_P().nodes(data=True)
        if data.get("t") == 1.0 and abs(latitude) <= 90 and abs(longitude) <= 180
    ]
    water = _on_sphere(np.array([(node[1], node[0]) for node in setup_M().nodes]))
    places = _on_sphere(coordinates(tuple(port.point for port in terminals)))
    chords, _ = cKDTree(water).query(places)
    away_km = np.asarray(chords) * EARTH_RADIUS_KM
    near = zip(terminals, away_km, strict=True)
    return tuple(port for port, km in near if km <= _LONGEST_PORT_ACCESS_KM)


@lru_cache(maxsize=4096)
def _nearest_port(point: Point) -> _Port:
    away = distances_km(coordinates((point,)), coordinates(tuple(p.point for p in _ports())))
    return _ports()[int(np.argmin(away))]


def great_circle(point_a: Point, point_b: Point, points: int = 33) -> Coordinates:
    """Returns points evenly spaced on the shortest line between two points of the globe."""
    a, b = _on_sphere(coordinates((point_a, point_b)))
    angle = float(np.arccos(np.clip(a @ b, -1, 1)))
    share = np.linspace(0, 1, points)[:, np.newaxis]
    if angle < 1e-9:
        along = a + share * (b - a)
    else:
        along = (np.sin((1 - share) * angle) * a + np.sin(share * angle) * b) / np.sin(angle)
    latitude = np.degrees(np.arcsin(np.clip(along[:, 2], -1, 1)))
    longitude = np.degrees(np.arctan2(along[:, 1], along[:, 0]))
    pairs = np.column_stack([longitude, latitude]).round(4).tolist()
    return tuple((x, y) for x, y in pairs)


def lane_geometry(
    mode: str, point_a: Point, point_b: Point, closed_passages: Iterable[str] = frozenset()
) -> Coordinates:
    """Returns the line that a map draws: the ship's track for sea modes, else a great circle."""
    leg = sea_leg(point_a, point_b, closed_passages) if mode in SEA_MODES else None
    if leg is None:
        return great_circle(point_a, point_b)
    start, end = coordinates((point_a, point_b)).round(4).tolist()
    return ((start[1], start[0]), *leg.geometry, (end[1], end[0]))


# --- the graph of sites and lanes -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Load:
    """What is to be moved: one consignment."""

    weight_kg: float
    volume_m3: float
    units: float = 1.0


@dataclass(frozen=True, slots=True)
class Lane:
    """One way to move stock from a site to another; prices in settlement currency."""

    from_site: str
    to_site: str
    service: str
    mode: str
    transit_days: float
    transit_days_p95: float
    cost_per_kg: float
    cost_per_m3: float
    cost_per_unit: float
    fixed_cost: float
    container_m3: float
    container_cost: float
    capacity_m3: float
    passages: tuple[str, ...]

    def cost(self, load: Load) -> float:
        """Returns what one consignment costs; containers are counted whole."""
        containers = np.ceil(load.volume_m3 / self.container_m3) if self.container_m3 > 0 else 0.0
        return float(
            self.fixed_cost
            + self.cost_per_kg * load.weight_kg
            + self.cost_per_m3 * load.volume_m3
            + self.cost_per_unit * load.units
            + self.container_cost * containers
        )


@dataclass(frozen=True, slots=True)
class LanePath:
    """Lanes taken one after another, with their cost in settlement currency and median days."""

    lanes: tuple[Lane, ...]
    cost: float
    transit_days: float

    @property
    def sites(self) -> tuple[str, ...]:
        """Sites passed, from first to last; empty where nothing moves."""
        return (*(lane.from_site for lane in self.lanes), *(x.to_site for x in self.lanes[-1:]))


@dataclass(frozen=True, slots=True)
class LaneGraph:
    """The network of open sites and usable lanes.

    `graph` is a networkx multi-digraph: nodes are site ids with `tier`, `country`, `latitude` and
    `longitude`; edges carry their `Lane` under `lane` and are keyed by service.
    """

    graph: "nx.MultiDiGraph[str]"

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """All lanes, in the order of the folder."""
        return tuple(edge["lane"] for _, _, edge in self.graph.edges(data=True))


def lane_graph(brand: Brand, closed_passages: Iterable[str] = frozenset()) -> LaneGraph:
    """Returns the graph of a brand; lanes that touch a closed site are left out.

    Lanes through closed passages are rerouted or left out as `close_passages` says.
    """
    network = Network.of(brand)
    graph: nx.MultiDiGraph[str] = nx.MultiDiGraph()
    for site in (site for site in network.sites if site.status != "closed"):
        graph.add_node(
            site.site, tier=site.tier, country=site.country,
            latitude=site.point.latitude, longitude=site.point.longitude,
        )  # fmt: skip
    for lane in lanes_of(close_passages(brand, closed_passages)):
        if lane.from_site in graph and lane.to_site in graph:
            graph.add_edge(lane.from_site, lane.to_site, key=lane.service, lane=lane)
    return LaneGraph(graph)


def lanes_of(brand: Brand) -> tuple[Lane, ...]:
    """Returns the lanes of a brand in the order of its folder; no limit is infinite."""
    modes = {service.service: service.mode for service in services_of(brand)}
    return tuple(
        _lane(row, modes[str(row["service"])]) for row in brand.table("lanes").to_dict("records")
    )


def _lane(row: Row, mode: str) -> Lane:
    transit_days = number(row["transit_days"])
    return Lane(
        from_site=str(row["from_site"]),
        to_site=str(row["to_site"]),
        service=str(row["service"]),
        mode=mode,
        transit_days=transit_days,
        transit_days_p95=number(row["transit_days_p95"], empty=transit_days),
        cost_per_kg=number(row["cost_per_kg"]),
        cost_per_m3=number(row["cost_per_m3"]),
        cost_per_unit=number(row["cost_per_unit"]),
        fixed_cost=number(row["fixed_cost"]),
        container_m3=number(row["container_m3"]),
        container_cost=number(row["container_cost"]),
        capacity_m3=number(row["capacity_m3"], empty=float("inf")),
        passages=_listed(row["passages"]),
    )


def _listed(cell: object) -> tuple[str, ...]:
    return tuple(part.strip() for part in str(cell).split(";") if part.strip())


def cheapest_path(lanes: LaneGraph, from_site: str, to_site: str, load: Load) -> LanePath | None:
    """Returns the cheapest way for one consignment; None where no lanes connect the sites."""
    return _best_path(lanes, from_site, to_site, load, lambda lane: lane.cost(load))


def fastest_path(lanes: LaneGraph, from_site: str, to_site: str, load: Load) -> LanePath | None:
    """Returns the way with the fewest median days; None where no lanes connect the sites."""
    return _best_path(lanes, from_site, to_site, load, lambda lane: lane.transit_days)


def _best_path(
    lanes: LaneGraph, from_site: str, to_site: str, load: Load, burden: Callable[[Lane], float]
) -> LanePath | None:
    """Returns the path of least burden (Dijkstra); of parallel lanes the lightest is taken."""

    def best(_: str, __: str, parallel: Mapping[str, Mapping[str, Any]]) -> float:
        return min(burden(edge["lane"]) for edge in parallel.values())

    if from_site not in lanes.graph or to_site not in lanes.graph:
        return None
    try:
        sites = nx.dijkstra_path(lanes.graph, from_site, to_site, weight=best)
    except nx.NetworkXNoPath:
        return None
    taken = tuple(
        min((edge["lane"] for edge in lanes.graph[a][b].values()), key=burden)
        for a, b in pairwise(sites)
    )
    cost = sum(lane.cost(load) for lane in taken)
    return LanePath(taken, cost, sum(lane.transit_days for lane in taken))


# --- closed passages ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Detour:
    """What closed passages do to one way by sea."""

    extra_days: float
    price_factor: float
    passages: tuple[str, ...]


def close_passage(brand: Brand, passage: str) -> Brand:
    """Returns the brand with one sea passage closed; see `close_passages`."""
    return close_passages(brand, (passage,))


def close_passages(brand: Brand, passages: Iterable[str]) -> Brand:
    """Returns the brand with sea passages closed together.

    A sea lane that names one of them, and a sea rate whose way uses one, sails around: its days
    grow by the extra kilometers over `SEA_KM_PER_DAY` and its prices by
    `1 + FREIGHT_SHARE * (new km / old km - 1)`. Where no way is left the row is dropped, as is a
    lane of another mode that names a closed passage. Close several at once, not one after
    another: each call knows only its own. Raises `BadInput` for an unknown passage.
    """
    closed = frozenset(passages)
    for passage in sorted(closed - PASSAGES):
        raise BadInput(_unknown_passage(passage))
    if not closed:
        return brand
    return _with_rates_rerouted(_with_lanes_rerouted(brand, closed), closed)


def passages_of(brand: Brand) -> frozenset[str]:
    """Returns every passage that a lane names or that the way of a sea rate uses."""
    named = {passage for lane in lanes_of(brand) for passage in lane.passages}
    used = {
        passage
        for points in _sea_rate_points(brand).values()
        if (leg := sea_leg(*points)) is not None
        for passage in leg.passages
    }
    return frozenset(named | used)


def detour(point_a: Point, point_b: Point, closed: frozenset[str]) -> Detour | None:
    """Returns what closed passages do to a way by sea; None where no way is left."""
    before, after = sea_leg(point_a, point_b), sea_leg(point_a, point_b, closed)
    if before is None or after is None:
        return None
    stretch = max(0.0, after.km / before.km - 1) if before.km > 0 else 0.0
    extra_days = max(0.0, after.days - before.days)
    return Detour(extra_days, 1 + FREIGHT_SHARE * stretch, after.passages)


_LANE_PRICES = ("cost_per_kg", "cost_per_m3", "cost_per_unit", "container_cost")
_RATE_PRICES = ("base_price", "price_per_kg", "price_per_unit")


def _with_lanes_rerouted(brand: Brand, closed: frozenset[str]) -> Brand:
    points = {site.site: site.point for site in Network.of(brand).sites}
    changes: dict[int, Detour | None] = {}
    for at, lane in enumerate(lanes_of(brand)):
        if closed.intersection(lane.passages):
            ends = points[lane.from_site], points[lane.to_site]
            changes[at] = detour(*ends, closed) if lane.mode in SEA_MODES else None
    lanes = _changed(brand.table("lanes"), changes, _LANE_PRICES)
    kept = [at for at in changes if changes[at] is not None]
    names = {at: ";".join(change.passages) for at, change in changes.items() if change}
    lanes.loc[kept, "passages"] = pd.Series(names, dtype="str")
    return brand.with_table("lanes", lanes.reset_index(drop=True))


def _with_rates_rerouted(brand: Brand, closed: frozenset[str]) -> Brand:
    detours: dict[int, Detour | None] = {}
    for at, points in _sea_rate_points(brand).items():
        leg = sea_leg(*points)
        if leg is not None and closed.intersection(leg.passages):
            detours[at] = detour(*points, closed)
    rates = _changed(brand.table("rates"), detours, _RATE_PRICES)
    return brand.with_table("rates", rates.reset_index(drop=True))


def _sea_rate_points(brand: Brand) -> dict[int, tuple[Point, Point]]:
    """Returns the two ends of each sea rate by row; a zone stands at its first region."""
    network, rates = Network.of(brand), brand.table("rates")
    sailing = {service.service for service in services_of(brand) if service.mode in SEA_MODES}
    zones = brand.table("zones").drop_duplicates(["service", "site", "zone"])
    first = {
        (str(row["service"]), str(row["site"]), str(row["zone"])): str(row["region"])
        for row in zones.to_dict("records")
    }
    found: dict[int, tuple[Point, Point]] = {}
    for at, row in enumerate(rates.loc[:, ["service", "site", "region", "zone"]].to_numpy()):
        service, site, region, zone = (str(cell) for cell in row)
        if service in sailing:
            region = region or first[service, site, zone]
            found[at] = network.site[site].point, network.region[region].point
    return found


def _changed(
    frame: pd.DataFrame, changes: Mapping[int, Detour | None], prices: tuple[str, ...]
) -> pd.DataFrame:
    """Returns a copy with days and prices of the changed rows grown, and rows of None dropped."""
    made = frame.reset_index(drop=True).copy()
    kept = {at: change for at, change in changes.items() if change is not None}
    rows = list(kept)
    days = np.array([change.extra_days for change in kept.values()])
    factor = np.array([change.price_factor for change in kept.values()])
    for column in ("transit_days", "transit_days_p95"):
        made.loc[rows, column] = made.loc[rows, column].to_numpy() + days
    for column in prices:
        made.loc[rows, column] = made.loc[rows, column].to_numpy() * factor
    return made.drop(index=[at for at, change in changes.items() if change is None])
