"""The network: sites that hold stock and regions that ask for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time
from functools import cached_property
from types import MappingProxyType

from core.brand import SERVING_TIERS, Brand, Row, number
from core.places import Point


@dataclass(frozen=True, slots=True)
class Site:
    """A place that stores, ships, receives returns or supplies; costs in settlement currency."""

    site: str
    name: str
    tier: str
    country: str
    point: Point
    time_zone: str
    status: str
    fixed_cost: float
    handling_cost: float
    storage_cost: float
    storage_m3: float
    outbound_units: float
    cutoff: time
    working_days: frozenset[int]
    customs: str
    bond_days: float

    @property
    def serves(self) -> bool:
        """Whether customers' orders may leave from here."""
        return self.tier in SERVING_TIERS and self.status != "closed"


@dataclass(frozen=True, slots=True)
class Region:
    """A market: where demand arises and whose duty and tax rules apply."""

    region: str
    name: str
    country: str
    point: Point
    promise_hours: float
    population: float


@dataclass(frozen=True)
class Network:
    """All sites and regions of a brand, in the order of its folder."""

    sites: tuple[Site, ...]
    regions: tuple[Region, ...]

    @cached_property
    def site(self) -> Mapping[str, Site]:
        """Sites by id."""
        return MappingProxyType({site.site: site for site in self.sites})

    @cached_property
    def region(self) -> Mapping[str, Region]:
        """Regions by id."""
        return MappingProxyType({region.region: region for region in self.regions})

    @cached_property
    def serving(self) -> tuple[Site, ...]:
        """Sites from which customers' orders may leave."""
        return tuple(site for site in self.sites if site.serves)

    @classmethod
    def of(cls, brand: Brand) -> "Network":
        """Returns the network of a brand; unlimited capacities are infinite."""
        sites = tuple(_site(row) for row in brand.table("sites").to_dict("records"))
        regions = tuple(
            _region(row, brand.targets.promise_hours)
            for row in brand.table("regions").to_dict("records")
        )
        return cls(sites, regions)


def _site(row: Row) -> Site:
    return Site(
        site=str(row["site"]),
        name=str(row["name"]) or str(row["site"]),
        tier=str(row["tier"]),
        country=str(row["country"]),
        point=Point(number(row["latitude"]), number(row["longitude"])),
        time_zone=str(row["time_zone"]),
        status=str(row["status"]),
        fixed_cost=number(row["fixed_cost"]),
        handling_cost=number(row["handling_cost"]),
        storage_cost=number(row["storage_cost"]),
        storage_m3=number(row["storage_m3"], empty=float("inf")),
        outbound_units=number(row["outbound_units"], empty=float("inf")),
        cutoff=time.fromisoformat(str(row["cutoff"])),
        working_days=frozenset(int(digit) for digit in str(row["working_days"])),
        customs=str(row["customs"]),
        bond_days=number(row["bond_days"], empty=float("inf")),
    )


def _region(row: Row, promise_hours: float) -> Region:
    return Region(
        region=str(row["region"]),
        name=str(row["name"]) or str(row["region"]),
        country=str(row["country"]),
        point=Point(number(row["latitude"]), number(row["longitude"])),
        promise_hours=number(row["promise_hours"], empty=promise_hours),
        population=number(row["population"], empty=0.0),
    )
