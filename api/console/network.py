"""The map: sites, markets and routes of a brand as the document that `static/map.js` draws."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.brand import SERVING_TIERS, Brand
from routing.lanes import Lane, lane_geometry, lanes_of
from warehouses.network import Network, Region, Site

TIERS = ("central", "forward", "bonded", "return", "supplier", "port")
_FAMILIES = {"sea_lcl": "sea", "sea_fcl": "sea", "express": "air", "air": "air"}


@dataclass(frozen=True, slots=True)
class NetworkSummary:
    """What the heading and legend of the map say."""

    hubs: int
    sites: int
    regions: int
    lanes: int
    currency: str
    tiers: Sequence[str]
    modes: Sequence[str]


@dataclass(frozen=True, slots=True)
class Flow:
    """Units that go from a site to a market with a service; `unit_cost` in settlement currency."""

    site: str
    region: str
    service: str
    quantity: float
    unit_cost: float


def network_summary(brand: Brand) -> NetworkSummary:
    """Returns what the map holds, in numbers."""
    network, lanes = Network.of(brand), lanes_of(brand)
    drawn = {_family(lane.mode) for lane in lanes}
    return NetworkSummary(
        hubs=sum(site.tier in SERVING_TIERS for site in network.sites),
        sites=len(network.sites),
        regions=len(network.regions),
        lanes=len(lanes),
        currency=brand.currency,
        tiers=present_tiers(brand),
        modes=[mode for mode in ("sea", "air", "road") if mode in drawn],
    )


def present_tiers(brand: Brand) -> list[str]:
    """Returns the tiers that the brand has sites of, in the order of the legend."""
    present = set(brand.table("sites")["tier"])
    return [tier for tier in TIERS if tier in present]


def network_document(brand: Brand, on_hand: Mapping[str, int]) -> dict[str, Any]:
    """Returns the map of all sites and lanes: keys `sites`, `regions`, `routes`.

    `on_hand` are units by site. A route holds the longitudes and latitudes of its line.
    """
    network = Network.of(brand)
    return {
        "sites": [_site(site, on_hand.get(site.site, 0)) for site in network.sites],
        "regions": [_region(region, 0) for region in network.regions],
        "routes": [_lane(lane, network) for lane in lanes_of(brand) if _drawable(lane, network)],
    }


def flow_document(
    brand: Brand, flows: Iterable[Flow], on_hand: Mapping[str, int]
) -> dict[str, Any]:
    """Returns the map of an allocation's flows, each a great circle from site to market."""
    network, listed = Network.of(brand), list(flows)
    served: dict[str, float] = {}
    for flow in listed:
        served[flow.region] = served.get(flow.region, 0) + flow.quantity
    return {
        "sites": [
            _site(site, on_hand.get(site.site, 0)) for site in network.sites if site.serves
        ],
        "regions": [_region(region, served.get(region.region, 0)) for region in network.regions],
        "routes": [_flow(flow, network) for flow in _by_pair(listed) if _known(flow, network)],
    }  # fmt: skip


def order_document(
    brand: Brand,
    flows: Sequence[Flow],
    region: str,
    lost: Sequence[str],
    on_hand: Mapping[str, int],
) -> dict[str, Any]:
    """Returns the map of one order: its legs, and a thin line for each other site considered.

    `lost` are names of options as a decision record has them: each part begins with a site.
    """
    network, document = Network.of(brand), flow_document(brand, flows, on_hand)
    used = {flow.site for flow in flows}
    named = {site.site for site in network.sites for option in lost
             for part in option.split(" + ") if part.startswith(f"{site.site} ")}  # fmt: skip
    thin = [
        {**_flow(Flow(site, region, "", 0, 0.0), network), "kind": "lane", "mode": "lost",
         "title": f"{network.site[site].name}\nconsidered, dearer"}
        for site in sorted(named - used)
        if region in network.region
    ]  # fmt: skip
    return {**document, "routes": [*thin, *document["routes"]]}


def _family(mode: str) -> str:
    return _FAMILIES.get(mode, "road")


def _site(site: Site, on_hand: int) -> dict[str, Any]:
    state = "" if site.status == "open" else f"\n{site.status}"
    return {
        "id": site.site,
        "name": site.name,
        "tier": site.tier,
        "status": site.status,
        "hub": site.tier in SERVING_TIERS,
        "lon": site.point.longitude,
        "lat": site.point.latitude,
        "href": f"/stock?site={site.site}",
        "title": f"{site.name} ({site.site})\n{site.tier}, {site.country}{state}\n"
        f"{on_hand:,} units on hand",
    }


def _region(region: Region, quantity: float) -> dict[str, Any]:
    told = f"\n{quantity:,.0f} units served" if quantity else ""
    return {
        "id": region.region,
        "lon": region.point.longitude,
        "lat": region.point.latitude,
        "quantity": quantity,
        "title": f"{region.name} ({region.region}){told}",
    }


def _lane(lane: Lane, network: Network) -> dict[str, Any]:
    start, end = network.site[lane.from_site], network.site[lane.to_site]
    through = f"\nthrough {', '.join(lane.passages)}" if lane.passages else ""
    return {
        "kind": "lane",
        "from": lane.from_site,
        "to": lane.to_site,
        "service": lane.service,
        "mode": _family(lane.mode),
        "path": lane_geometry(lane.mode, start.point, end.point),
        "title": f"{start.name} to {end.name}\n{lane.service}, {lane.transit_days:g} days{through}",
    }


def _drawable(lane: Lane, network: Network) -> bool:
    return lane.from_site in network.site and lane.to_site in network.site


def _flow(flow: Flow, network: Network) -> dict[str, Any]:
    start, end = network.site[flow.site], network.region[flow.region]
    return {
        "kind": "flow",
        "from": flow.site,
        "to": flow.region,
        "service": flow.service,
        "mode": "flow",
        "quantity": flow.quantity,
        "path": [
            (start.point.longitude, start.point.latitude),
            (end.point.longitude, end.point.latitude),
        ],
        "title": f"{start.name} to {end.name}\n{flow.quantity:,.0f} units",
    }


def _known(flow: Flow, network: Network) -> bool:
    return flow.site in network.site and flow.region in network.region


def _by_pair(flows: Iterable[Flow]) -> list[Flow]:
    """Returns flows with all services of a site and market put together, largest last (on top)."""
    pairs: dict[tuple[str, str], Flow] = {}
    for flow in flows:
        known = pairs.get((flow.site, flow.region))
        quantity = flow.quantity + (known.quantity if known else 0)
        service = f"{known.service}, {flow.service}" if known else flow.service
        pairs[flow.site, flow.region] = Flow(flow.site, flow.region, service, quantity, 0.0)
    return sorted(pairs.values(), key=lambda flow: flow.quantity)
