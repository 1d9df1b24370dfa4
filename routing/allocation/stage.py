"""The stage: sites, items and buckets between which stock waits, moves and leaves bond."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.brand import Brand
from core.places import customs_territory
from inventory.items import Catalog
from routing.allocation.chains import Chains
from routing.allocation.horizon import Horizon
from routing.allocation.lots import Lots
from routing.allocation.problem import (
    CARRY,
    LEAVE,
    MOVE,
    NOWHERE,
    RELEASE,
    Floats,
    Ints,
    Limits,
    Transfers,
)
from routing.costs import UnitCosts
from routing.landed_cost.tariffs import Tariffs
from routing.lanes import Lane
from warehouses.network import Site

UNLIMITED = 2**40


@dataclass(frozen=True, eq=False)
class Stage:
    """Sites, items and buckets between which stock moves."""

    brand: Brand
    catalog: Catalog
    horizon: Horizon
    costs: UnitCosts
    sites: tuple[Site, ...]
    tariffs: Tariffs

    @property
    def buckets(self) -> int:
        """Number of buckets."""
        return len(self.horizon.starts)

    def joins(self, lane: Lane) -> bool:
        """Whether a lane joins two serving sites within the horizon."""
        known = self.costs.sites
        inside = lane.from_site in known and lane.to_site in known
        return inside and self.lead(lane) < self.buckets

    def lead(self, lane: Lane) -> int:
        """Returns the buckets from leaving to being there, at least one."""
        return max(1, int(np.ceil(lane.transit_days / self.horizon.days)))

    def chains(self, lots: Lots, lanes: tuple[Lane, ...]) -> Chains:
        """Returns a chain for every lot, and for all that moves and releases can make of one."""
        known = set(
            zip(
                *(part.tolist() for part in (lots.item, lots.site, lots.bonded, lots.until)),
                strict=True,
            )
        )
        items = sorted({item for item, *_ in known})
        while True:
            states = {(site, bonded) for _, site, bonded, _ in known}
            more = {self._after(lane, bonded) for lane in lanes for site, bonded in states
                    if self.costs.sites.index(lane.from_site) == site}  # fmt: skip
            more |= {
                (site, False) for _, site, bonded, until in known if bonded and until < self.buckets
            }
            fresh = {(item, *state, self.buckets) for item in items for state in more} - known
            if not fresh:
                break
            known |= fresh
        columns = zip(*sorted(known), strict=True) if known else ((), (), (), ())
        item, site, bonded, until = (np.array(column) for column in columns)
        return Chains(
            item.astype(np.int32),
            site.astype(np.int32),
            bonded.astype(bool),
            until.astype(np.int32),
        )

    def _after(self, lane: Lane, bonded: bool) -> tuple[int, bool]:
        """Returns where a lane ends, and whether goods are in bond there.

        Goods enter the bond of a bonded site when they come in bond or over a customs border; what
        is free already stays free.
        """
        end = self.costs.sites.index(lane.to_site)
        enters = self.sites[end].customs == "bonded" and (bonded or self._crosses(lane))
        return end, enters

    def _crosses(self, lane: Lane) -> bool:
        start, end = (
            self.sites[self.costs.sites.index(name)] for name in (lane.from_site, lane.to_site)
        )
        return customs_territory(start.country) != customs_territory(end.country)

    def transfers(self, chains: Chains, lanes: tuple[Lane, ...], limits: Limits) -> Transfers:
        """Returns all that stock can do other than be shipped, sorted by item."""
        parts = [self._waits(chains, limits), *self._releases(chains)]
        for at, lane in enumerate(lanes):
            parts += self._moves(chains, lane, at, limits)
        return _sorted(parts)

    def _waits(self, chains: Chains, limits: Limits) -> Transfers:
        """Returns the transfers to the next bucket; from the last one goods are left over.

        Both take room of the site and cost its storage. Goods whose bond ends are out of reach from
        then on and cost nothing more.
        """
        chain = np.repeat(np.arange(len(chains.item)), chains.until)
        pool = np.arange(len(chain), dtype=np.int32)
        bucket = pool - chains.first[chain]
        last = bucket == chains.until[chain] - 1
        item, site = chains.item[chain], chains.site[chain]
        volume = self.catalog.volume_m3[item]
        rate = np.array([one.storage_cost for one in self.sites]) * self.horizon.weeks
        row = limits.storage_begin + site * self.buckets + bucket
        return Transfers(
            item=item,
            start=pool,
            end=np.where(last, NOWHERE, pool + 1).astype(np.int32),
            cost=volume * rate[site],
            most=np.full(len(pool), UNLIMITED),
            row=row.astype(np.int32),
            use=volume,
            kind=np.where(last, LEAVE, CARRY).astype(np.int8),
            lane=np.full(len(pool), -1, np.int32),
        )

    def _releases(self, chains: Chains) -> Iterator[Transfers]:
        """Yields the releases of stock whose bond ends into the free stock of its site, duty paid.

        Other stock in bond pays when it is shipped or moved to where duty is due.
        """
        ending = chains.bonded & (chains.until < self.buckets)
        for at, site in enumerate(self.sites):
            bonded = np.flatnonzero(ending & (chains.site == at))
            if len(bonded):
                item = chains.item[bonded]
                free = chains.at(
                    item,
                    np.full_like(item, at),
                    np.zeros(len(item), bool),
                    np.full_like(item, self.buckets),
                )
                paid = self._import_cost(site.country, item, np.zeros(len(item)))
                yield self._between(chains, bonded, free, 0, paid, RELEASE)

    def _moves(
        self, chains: Chains, lane: Lane, number: int, limits: Limits
    ) -> Iterator[Transfers]:
        """Yields the moves of one lane, of free stock and of stock in bond."""
        begin = self.costs.sites.index(lane.from_site)
        for state in (False, True):
            chosen = np.flatnonzero((chains.site == begin) & (chains.bonded == state))
            if not len(chosen):
                continue
            end, bonded = self._after(lane, state)
            item = chains.item[chosen]
            target = chains.at(
                item,
                np.full_like(item, end),
                np.full(len(item), bonded),
                np.full_like(item, self.buckets),
            )
            freight = self._freight(lane, item)
            imported = not bonded and (state or self._crosses(lane))
            cost = freight + (
                self._import_cost(self.sites[end].country, item, freight) if imported else 0.0
            )
            row = limits.lane_begin + number * self.buckets
            yield self._between(
                chains, chosen, target, self.lead(lane), cost, MOVE, number, row,
                self.catalog.volume_m3[item],
            )  # fmt: skip

    def _freight(self, lane: Lane, item: Ints) -> Floats:
        """Returns what a unit of each item pays on a lane; containers by the share it fills."""
        volume = self.catalog.volume_m3[item]
        per_m3 = lane.cost_per_m3
        if lane.container_m3 > 0:
            per_m3 += lane.container_cost / lane.container_m3
        return (
            lane.cost_per_kg * self.catalog.weight_kg[item] + per_m3 * volume + lane.cost_per_unit
        )

    def _import_cost(self, country: str, item: Ints, freight: Floats) -> Floats:
        """Returns the duty and the tax that nobody recovers on a unit entering a country."""
        on, value = self.brand.rules_date, self.catalog.value[item]
        share = self.tariffs.duty_share(self.catalog, country, on)[item]
        base = value + np.where(
            self.tariffs.basis(self.catalog, country, on)[item] == "cif", freight, 0.0
        )
        rule = self.tariffs.tax_rule(country, on)
        tax = 0.0 if rule.recoverable else rule.rate
        return share * base + tax * (value + freight + share * base)

    def _between(
        self,
        chains: Chains,
        start: NDArray[np.intp],
        end: NDArray[np.intp],
        lead: int,
        cost: Floats,
        kind: int,
        lane: int = -1,
        row: int = -1,
        use: Floats | None = None,
    ) -> Transfers:
        """Returns a transfer from each chain to another in every bucket from which it arrives."""
        count = np.minimum(chains.until[start], chains.until[end] - lead)
        at = np.repeat(np.arange(len(start)), np.maximum(count, 0))
        begun = np.cumsum(np.maximum(count, 0)) - np.maximum(count, 0)
        bucket = np.arange(len(at)) - begun[at]
        return Transfers(
            item=chains.item[start[at]],
            start=(chains.first[start[at]] + bucket).astype(np.int32),
            end=(chains.first[end[at]] + bucket + lead).astype(np.int32),
            cost=cost[at],
            most=np.full(len(at), UNLIMITED),
            row=(row + bucket if row >= 0 else np.full(len(at), -1)).astype(np.int32),
            use=np.zeros(len(at)) if use is None else use[at],
            kind=np.full(len(at), kind, np.int8),
            lane=np.full(len(at), lane, np.int32),
        )


def _sorted(parts: list[Transfers]) -> Transfers:
    names = ("item", "start", "end", "cost", "most", "row", "use", "kind", "lane")
    joined = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    order = np.argsort(joined["item"], kind="stable")
    return Transfers(**{name: values[order] for name, values in joined.items()})
