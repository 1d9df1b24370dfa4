"""The allocation report: one HTML page that needs nothing but a browser."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from api.console.rendering import money, number, share
from api.reports.charts import LABEL_UNITS, Floats, Mark, compact, nice_ticks
from api.reports.forecast import Tile, environment
from api.reports.world import (
    WIDTH,
    Projection,
    Ring,
    as_ring,
    at,
    best_center,
    land,
)
from api.services import allocation_figures as figures
from api.services.allocation_figures import PARTS, Bucket, Made
from core.brand import Brand
from routing.lanes import great_circle
from warehouses.network import Network

MOST_LIMITS, MOST_STOCK, MOST_MOVES, MOST_USES, MOST_ORDERS = 10, 8, 8, 12, 12
"""How many rows of each table are shown; the others are counted, and files hold all."""

FLOW_WIDTHS = (1.0, 9.0)
"""Width of the least and of the largest flow on the map."""

ROOM, LETTER = 170.0, 17.0
"""Length and height of a name on the map, in its units."""


@dataclass(frozen=True, slots=True)
class Line:
    """A flow on the map: its path, its width, and what it is."""

    path: str
    width: float
    text: str


@dataclass(frozen=True, slots=True)
class Spot:
    """A place on the map; `radius` grows with units, `tier` is empty for a region."""

    x: float
    y: float
    radius: float
    tier: str
    name: str
    text: str
    label_x: float = 0.0
    label_y: float = 0.0
    anchor: str = "start"


@dataclass(frozen=True, slots=True)
class Map:
    """Land, flows, regions and sites, ready to draw; `label` says in words what is seen."""

    width: int
    height: float
    land: Sequence[str]
    lines: Sequence[Line]
    regions: Sequence[Spot]
    sites: Sequence[Spot]
    label: str


@dataclass(frozen=True, slots=True)
class Column:
    """One bucket of a chart of columns: where it stands, and how high each part of it is."""

    x: float
    width: float
    parts: Sequence[tuple[str, float, float]]
    text: str


@dataclass(frozen=True, slots=True)
class Columns:
    """Amounts by bucket as stacked columns; parts are (class, y, height)."""

    width: int
    height: int
    left: float
    bottom: float
    columns: Sequence[Column]
    y_ticks: Sequence[Mark]
    x_ticks: Sequence[Mark]
    label: str


def allocation_report(brand: Brand, made: Made) -> str:
    """Returns an allocation as one page that asks nothing of a network and runs no script.

    The same brand and allocation give the same page.
    """
    buckets = figures.buckets_of(brand, made)
    limits, uses = figures.limits_of(brand, made), figures.uses_of(brand, made)
    lanes, currency = figures.moved_lanes(made), brand.currency
    return environment().get_template("allocation.html").render(
        brand=brand,
        made=made,
        first=made.starts[0],
        buckets=len(made.starts),
        decided=figures.decided(brand, made.document["open_sites"]),
        tiles=_tiles(made, currency),
        map=_map(brand, made),
        costs=_costs(made),
        served=_columns(buckets, ("served", "unmet"), "Units asked for"),
        stock=_columns(buckets, ("stock",), "Stock at sites"),
        uses=uses[:MOST_USES],
        hidden_uses=max(0, len(uses) - MOST_USES),
        limits=[one for one in limits if not one.is_stock][:MOST_LIMITS],
        scarce=[one for one in limits if one.is_stock][:MOST_STOCK],
        lanes=lanes[:MOST_MOVES],
        hidden_lanes=max(0, len(lanes) - MOST_MOVES),
        moved=sum(lane.quantity for lane in lanes),
        reasons=figures.reasons_of(made),
        orders=figures.orders_of(made)[:MOST_ORDERS],
        hidden_orders=max(0, len(made.purchases) - MOST_ORDERS),
    )  # fmt: skip


def _tiles(made: Made, currency: str) -> list[Tile]:
    document = made.document
    kpis, units = document["kpis"], document["units"]
    bound = money(document["bound"], currency)
    return [
        Tile("Cost of the plan", money(document["objective"], currency),
             f"{made.proof}; no plan costs less than {bound}"),
        Tile("Paid for logistics", money(kpis["logistics_cost"], currency),
             f"{money(kpis['cost_per_unit'], currency)} a unit, "
             f"{share(kpis['logistics_cost_share'])} of the value served"),
        Tile("Fill", share(kpis["fill"]),
             f"{number(units['served'])} of {number(units['demand'])} units asked for"),
        Tile("On time", share(kpis["on_time"]), "of units shipped, by median transit"),
        Tile("Carbon", f"{kpis['carbon_kg'] / 1000:,.1f} t", "of CO2 equivalent, well to wake"),
    ]  # fmt: skip


def _costs(made: Made) -> list[tuple[str, float]]:
    """Parts of the cost, the largest first."""
    parts: Mapping[str, float] = made.document["costs"]
    named = [(PARTS.get(name, name.capitalize()), amount) for name, amount in parts.items()]
    return sorted((part for part in named if part[1] > 0), key=lambda part: -part[1])


def _map(brand: Brand, made: Made) -> Map:
    network = Network.of(brand)
    sums = made.flows.groupby(["site", "region"], as_index=False)["quantity"].sum()
    known = sums["site"].isin(list(network.site)) & sums["region"].isin(list(network.region))
    sums = sums[known].sort_values("quantity", kind="stable")
    pairs = list(zip(sums["site"].astype(str), sums["region"].astype(str), strict=True))
    circles = [
        as_ring(great_circle(network.site[site].point, network.region[region].point))
        for site, region in pairs
    ]
    view = Projection(best_center(circles))
    sent, got = (sums.groupby(name)["quantity"].sum() for name in ("site", "region"))
    return Map(
        width=WIDTH,
        height=view.height,
        land=[path for path in (view.path(ring, closed=True) for ring in land()) if path],
        lines=_lines(network, view, pairs, circles, sums["quantity"].to_numpy(dtype=float)),
        regions=[
            _spot(view, at(region.point), float(got.get(region.region, 0.0)), got.max(), "",
                  region.name or region.region, "received")
            for region in network.regions
        ],
        sites=_labeled([
            _spot(view, at(site.point), float(sent.get(site.site, 0.0)), sent.max(), site.tier,
                  site.name or site.site, "shipped")
            for site in network.serving
        ]),
        label=f"{len(pairs)} flows from {len(sent)} sites to {len(got)} regions, "
        f"{number(float(sums['quantity'].sum()))} units",
    )  # fmt: skip


def _lines(
    network: Network,
    view: Projection,
    pairs: Sequence[tuple[str, str]],
    circles: Sequence[Ring],
    units: Floats,
) -> list[Line]:
    """The flows, the largest on top; their width grows with the root of their units."""
    least, most = FLOW_WIDTHS
    share_of = np.sqrt(units / units.max(initial=1.0))
    return [
        Line(
            view.path(circle), round(least + (most - least) * float(wide), 1),
            f"{network.site[site].name or site} to {network.region[region].name or region}: "
            f"{number(float(count))} units",
        )
        for (site, region), circle, wide, count in zip(pairs, circles, share_of, units, strict=True)
    ]  # fmt: skip


def _spot(
    view: Projection, point: Ring, units: float, most: float, tier: str, name: str, done: str
) -> Spot:
    (x, y), base = view.place(point)[0].tolist(), 4.5 if tier else 1.8
    radius = base + 5.0 * (units / most) ** 0.5 if units else base
    return Spot(round(x, 1), round(y, 1), round(radius, 1), tier, name,
                f"{name}: {number(units)} units {done}")  # fmt: skip


def _labeled(spots: Sequence[Spot]) -> list[Spot]:
    """Returns sites with a place for each name, pushed down where it would cover another one."""
    placed: list[Spot] = []
    for spot in sorted(spots, key=lambda one: (one.y, one.x)):
        left = spot.x > WIDTH - ROOM
        x = spot.x + (-spot.radius - 5 if left else spot.radius + 5)
        y = spot.y + 4
        for other in placed:
            if abs(other.label_y - y) < LETTER and abs(other.x - spot.x) < ROOM:
                y = other.label_y + LETTER
        anchor = "end" if left else "start"
        placed.append(replace(spot, label_x=round(x, 1), label_y=round(y, 1), anchor=anchor))
    return placed


def _columns(buckets: Sequence[Bucket], parts: Sequence[str], name: str) -> Columns:
    """Returns amounts by bucket as columns; the first part stands below."""
    width, height = 520, 200
    totals = [sum(getattr(bucket, part) for part in parts) for bucket in buckets]
    ticks = nice_ticks(max([1.0, *totals]))
    left = 8 + LABEL_UNITS * max(len(compact(tick)) for tick in ticks)
    top, bottom, right = 10.0, height - 26.0, width - 8.0
    step = (right - left) / len(buckets)
    tall = (bottom - top) / max(ticks[-1], *totals)
    drawn = []
    for number_of, bucket in enumerate(buckets):
        y, stack = bottom, []
        for part in parts:
            high = max(getattr(bucket, part), 0.0) * tall
            y -= high
            stack.append((part, round(y, 1), round(high, 1)))
        told = ", ".join(f"{getattr(bucket, part):,.0f} {part}" for part in parts)
        x = left + step * number_of
        drawn.append(
            Column(round(x + step * 0.12, 1), round(step * 0.76, 1), stack,
                   f"From {bucket.start}: {told}")
        )  # fmt: skip
    every = max(1, -(-len(buckets) * 52 // int(right - left)))
    return Columns(
        width=width,
        height=height,
        left=round(left, 1),
        bottom=bottom,
        columns=drawn,
        y_ticks=[Mark(left, round(bottom - tick * tall, 1), 0, compact(tick)) for tick in ticks],
        x_ticks=[
            Mark(round(left + step * (at_bucket + 0.5), 1), 0, 0, f"{bucket.start:%d %b}")
            for at_bucket, bucket in enumerate(buckets)
            if at_bucket % every == 0
        ],
        label=f"{name}: {_range(totals)} units a bucket over {len(buckets)} buckets",
    )


def _range(totals: Sequence[float]) -> str:
    low, high = min(totals), max(totals)
    return f"{low:,.0f}" if low == high else f"{low:,.0f} to {high:,.0f}"
