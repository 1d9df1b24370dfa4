"""Inputs: the allocation problem of a brand over the buckets of its planning horizon."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from carriers.services import services_of
from core.brand import Brand
from core.errors import BadInput
from core.errors import Problem as Fault
from core.places import customs_territory
from inventory.items import Catalog
from routing.allocation.problem import (
    CARRY,
    LEAVE,
    MOVE,
    NOWHERE,
    RELEASE,
    Axes,
    Consignments,
    Demands,
    Floats,
    Ints,
    Limits,
    Pools,
    Problem,
    Segments,
    Ships,
    Transfers,
    Units,
)
from routing.allocation.segments import QUANTILES, certain, uncertain
from routing.costs import UnitCosts
from routing.landed_cost.tariffs import Tariffs
from routing.lanes import Lane, lanes_of
from warehouses.network import Network, Site

BUCKET_DAYS = {"week": 7, "day": 1}

OVERFLOW_TIMES, LEAST_OVERFLOW = 10.0, 1.0
"""Goods beyond the storage of a site cost so many times its rate per m3 and bucket, and no less
than this: rented space, dear enough to be avoided."""

UNLIMITED = 2**40

CHAINS_AT_ONCE = 5_000
"""Chains whose lanes are priced at once."""


@dataclass(frozen=True, eq=False)
class Horizon:
    """The buckets of a plan: first days, and days of each."""

    starts: tuple[date, ...]
    days: int

    @classmethod
    def of(cls, brand: Brand, forecast: pd.DataFrame) -> "Horizon":
        """Returns the buckets from the one that holds the planning date to the horizon's end.

        They begin on the weekday on which those of the forecast do, and are as long: a forecast by
        week is planned by week. Where it begins only after the bucket that holds today, that bucket
        comes on top.
        """
        days, today = _days_of(brand, forecast), brand.today
        known = forecast["start"].min()
        away = 0 if pd.isna(known) else (known - pd.Timestamp(today)).days
        first = today - timedelta(days=-away % days)
        later = 0 < away < days or (away == days and first == today)
        count = max(1, brand.horizon_weeks * 7 // days) + later
        return cls(tuple(first + timedelta(days=days * at) for at in range(count)), days)

    @property
    def end(self) -> date:
        """The day after the last bucket."""
        return self.starts[-1] + timedelta(days=self.days)

    @property
    def weeks(self) -> float:
        """Weeks of one bucket."""
        return self.days / 7.0

    def at(self, days: "pd.Series[pd.Timestamp]") -> NDArray[np.int64]:
        """Returns the bucket of each day; days before the first count in it, others may be past."""
        since = (days - pd.Timestamp(self.starts[0])).dt.days.to_numpy()
        return np.maximum(since // self.days, 0).astype(np.int64)


def _days_of(brand: Brand, forecast: pd.DataFrame) -> int:
    """Returns the days of a bucket: a week where the starts of the forecast are weeks apart."""
    starts = np.sort(forecast["start"].unique())
    apart = np.diff(starts).min() // np.timedelta64(1, "D") if len(starts) > 1 else 0
    weekly = int(apart) % BUCKET_DAYS["week"] == 0 and apart > 0
    return BUCKET_DAYS["week"] if weekly else BUCKET_DAYS[brand.bucket]


def problem_of(brand: Brand, costs: UnitCosts, tariffs: Tariffs, forecast: pd.DataFrame) -> Problem:
    """Returns the problem of serving the forecast from stock, arrivals and moves, bucket by bucket.

    `forecast` has the layout of `forecast.parquet`; with quantiles demand is uncertain, without
    them it is the mean. Capacities per week hold in every bucket.
    """
    catalog, network = Catalog.of(brand), Network.of(brand)
    horizon = Horizon.of(brand, forecast)
    sites = tuple(network.site[site] for site in costs.sites)
    stage = _Stage(brand, catalog, horizon, costs, sites, tariffs)
    demands, segments = _demand(brand, catalog, costs, horizon, forecast)
    lots = _Lots.of(brand, costs, horizon, sites)
    lanes = tuple(lane for lane in lanes_of(brand) if stage.joins(lane))
    chains = stage.chains(lots, lanes)
    limits = _limits(brand, horizon, sites, lanes)
    ships, cheapest = _ships(costs, chains, demands, segments, len(horizon.starts))
    return Problem(
        axes=Axes(
            costs.items,
            costs.sites,
            costs.regions,
            costs.services,
            horizon.starts,
            tuple((lane.from_site, lane.to_site, lane.service) for lane in lanes),
        ),
        pools=chains.pools(lots),
        demands=demands,
        segments=segments,
        ships=ships,
        transfers=stage.transfers(chains, lanes, limits),
        limits=limits,
        cheapest=cheapest,
        weight_kg=catalog.weight_kg,
        value=catalog.value,
        fixed_cost=np.array([site.fixed_cost for site in sites], dtype=float),
        decide=np.array([site.status == "decide" for site in sites], dtype=bool),
        consignments=_consignments(lanes),
    )


def _consignments(lanes: tuple[Lane, ...]) -> Consignments:
    return Consignments(
        np.array([lane.fixed_cost for lane in lanes], dtype=float),
        np.array([lane.container_m3 for lane in lanes], dtype=float),
        np.array([lane.container_cost for lane in lanes], dtype=float),
    )


def _limits(
    brand: Brand, horizon: Horizon, sites: tuple[Site, ...], lanes: tuple[Lane, ...]
) -> Limits:
    buckets, weeks = len(horizon.starts), horizon.weeks
    kg = np.array([service.kg_per_week for service in services_of(brand)], dtype=float)
    storage = np.array([site.storage_cost for site in sites], dtype=float)
    outbound = np.array([site.outbound_units for site in sites], dtype=float)
    volume = np.array([lane.capacity_m3 for lane in lanes], dtype=float)
    return Limits(
        outbound=np.repeat(outbound[:, None] * weeks, buckets, axis=1),
        carrier_kg=np.tile((kg * weeks)[None, :, None], (len(sites), 1, buckets)),
        lane_m3=np.repeat(volume[:, None] * weeks, buckets, axis=1),
        storage_m3=np.repeat(
            np.array([site.storage_m3 for site in sites], dtype=float)[:, None], buckets, axis=1
        ),
        overflow_price=np.maximum(OVERFLOW_TIMES * storage * weeks, LEAST_OVERFLOW),
    )


def _demand(
    brand: Brand, catalog: Catalog, costs: UnitCosts, horizon: Horizon, forecast: pd.DataFrame
) -> tuple[Demands, Segments]:
    """Returns the demand of each item, region and bucket, and its segments."""
    held = _within(brand, horizon, forecast)
    names = [name for name in QUANTILES if name in held and held[name].notna().all()]
    rows = pd.DataFrame(
        {
            "item": pd.Index(costs.items).get_indexer(pd.Index(held["item"])),
            "region": pd.Index(costs.regions).get_indexer(pd.Index(held["region"])),
            "bucket": horizon.at(held["start"]),
            **{name: held[name].to_numpy(dtype=float) for name in ("mean", *names)},
        }
    )
    rows = rows[~(rows["mean"] <= 0)].sort_values(["item", "region", "bucket"], kind="stable")
    mean = rows["mean"].to_numpy(dtype=float)
    if len(names) == len(QUANTILES) and len(rows):
        row, units, chance = uncertain(mean, rows[list(QUANTILES)].to_numpy(dtype=float))
    else:
        row, units, chance = certain(mean)
    item = rows["item"].to_numpy(dtype=np.int32)
    demands = Demands(
        item, rows["region"].to_numpy(dtype=np.int32), rows["bucket"].to_numpy(dtype=np.int32)
    )
    return demands, Segments(row, units, chance, catalog.unmet_penalty[item[row]] * chance)


def _within(brand: Brand, horizon: Horizon, forecast: pd.DataFrame) -> pd.DataFrame:
    """Returns the rows of buckets within the horizon; the one that holds today counts whole."""
    first = pd.Timestamp(horizon.starts[0])
    end = pd.Timestamp(horizon.end)
    held = forecast[(forecast["start"] >= first) & (forecast["start"] < end)]
    if len(forecast) and held.empty:
        fault = (
            f"no bucket lies in the horizon from {brand.today} to {end.date()}; correct today or "
            "horizon_weeks in brand.toml, or forecast again"
        )
        raise BadInput([Fault("forecast.parquet", 0, 0, fault)])
    return held


@dataclass(frozen=True, eq=False)
class _Lots:
    """Units that appear: item, site, customs state, bucket, and the bucket after its bond ends."""

    item: Ints
    site: Ints
    bonded: NDArray[np.bool_]
    bucket: Ints
    until: Ints
    units: Units

    @classmethod
    def of(
        cls, brand: Brand, costs: UnitCosts, horizon: Horizon, sites: tuple[Site, ...]
    ) -> "_Lots":
        """Returns stock on hand and arrivals due within the horizon at serving sites.

        Bonded stock that has outstayed its bond is left out: it may not be shipped any more.
        """
        rows = pd.concat([_on_hand(brand), _arrivals(brand, horizon)], ignore_index=True)
        rows["item"] = pd.Index(costs.items).get_indexer(pd.Index(rows["item"]))
        rows["site"] = pd.Index(costs.sites).get_indexer(pd.Index(rows["site"]))
        rows = rows[(rows["site"] >= 0) & (rows["units"] > 0)]
        days = np.array([site.bond_days for site in sites], dtype=float)
        buckets = len(horizon.starts)
        until = np.full(len(rows), buckets, dtype=np.int64)
        dated = rows["bonded"].to_numpy() & rows["since"].notna().to_numpy()
        held = days[rows["site"].to_numpy()]
        ends = dated & np.isfinite(held)
        last = rows["since"][ends] + pd.to_timedelta(held[ends], unit="D")
        since = (last - pd.Timestamp(horizon.starts[0])).dt.days.to_numpy()
        until[ends] = np.clip(-(-since // horizon.days), 0, buckets)
        rows = rows.assign(until=until)
        rows = rows[rows["bucket"] < rows["until"]]
        keys = ["item", "site", "bonded", "until", "bucket"]
        summed = rows.groupby(keys, as_index=False)["units"].sum()
        return cls(
            summed["item"].to_numpy(np.int32),
            summed["site"].to_numpy(np.int32),
            summed["bonded"].to_numpy(bool),
            summed["bucket"].to_numpy(np.int32),
            summed["until"].to_numpy(np.int32),
            np.floor(summed["units"].to_numpy(float)).astype(np.int64),
        )


def _on_hand(brand: Brand) -> pd.DataFrame:
    stock = brand.table("stock")
    return pd.DataFrame(
        {
            "item": stock["item"],
            "site": stock["site"],
            "bonded": stock["customs"] == "bonded",
            "since": stock["bonded_since"],
            "bucket": 0,
            "units": stock["on_hand"],
        }
    )


def _arrivals(brand: Brand, horizon: Horizon) -> pd.DataFrame:
    """Goods due before the horizon ends, late ones included, in the customs state of their site."""
    inbound, sites = brand.table("inbound"), brand.table("sites")
    due = inbound[inbound["due"] < pd.Timestamp(horizon.end)]
    bonded = due["site"].map(dict(zip(sites["site"], sites["customs"] == "bonded", strict=True)))
    return pd.DataFrame(
        {
            "item": due["item"],
            "site": due["site"],
            "bonded": bonded.astype(bool),
            "since": due["due"],
            "bucket": np.minimum(horizon.at(due["due"]), len(horizon.starts) - 1),
            "units": due["quantity"],
        }
    )


@dataclass(frozen=True, eq=False)
class _Chains:
    """Stock over time: an item at a site in one customs state, and the bucket after its bond ends.

    The pools of a chain follow one another from bucket 0 up to `until`; `first` is the first one.
    """

    item: Ints
    site: Ints
    bonded: NDArray[np.bool_]
    until: Ints

    @property
    def first(self) -> Ints:
        """The pool of bucket 0 of each chain."""
        return (np.cumsum(self.until) - self.until).astype(np.int32)

    @property
    def index(self) -> pd.MultiIndex:
        """What names a chain."""
        return pd.MultiIndex.from_arrays([self.item, self.site, self.bonded, self.until])

    def at(
        self, item: Ints, site: Ints, bonded: NDArray[np.bool_], until: Ints
    ) -> NDArray[np.intp]:
        """Returns the chain of each name, -1 where there is none."""
        asked = pd.MultiIndex.from_arrays([item, site, bonded, until])
        return np.asarray(self.index.get_indexer(asked))

    def pools(self, lots: _Lots) -> Pools:
        """Returns the pools of all chains with the units that appear in each."""
        chain = np.repeat(np.arange(len(self.item)), self.until)
        units = np.zeros(len(chain), np.int64)
        lot = self.first[self.at(lots.item, lots.site, lots.bonded, lots.until)]
        np.add.at(units, lot + lots.bucket, lots.units)
        bucket = np.arange(len(chain), dtype=np.int32) - self.first[chain]
        return Pools(self.item[chain], self.site[chain], self.bonded[chain], bucket, units)


@dataclass(frozen=True, eq=False)
class _Stage:
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

    def chains(self, lots: _Lots, lanes: tuple[Lane, ...]) -> _Chains:
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
        return _Chains(
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

    def transfers(self, chains: _Chains, lanes: tuple[Lane, ...], limits: Limits) -> Transfers:
        """Returns all that stock can do other than be shipped, sorted by item."""
        parts = [self._waits(chains, limits), *self._releases(chains)]
        for at, lane in enumerate(lanes):
            parts += self._moves(chains, lane, at, limits)
        return _sorted(parts)

    def _waits(self, chains: _Chains, limits: Limits) -> Transfers:
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

    def _releases(self, chains: _Chains) -> Iterator[Transfers]:
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
        self, chains: _Chains, lane: Lane, number: int, limits: Limits
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
        """Returns what a unit of each item pays on a lane, beside its departure."""
        return (
            lane.cost_per_kg * self.catalog.weight_kg[item]
            + lane.cost_per_m3 * self.catalog.volume_m3[item]
            + lane.cost_per_unit
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
        chains: _Chains,
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


def _ships(
    costs: UnitCosts, chains: _Chains, demands: Demands, segments: Segments, buckets: int
) -> tuple[Ships, Floats]:
    """Returns every pool with every demand of its item and bucket that it can serve at a gain.

    With them comes the least unit cost of any lawful way to each demand, infinite where none is.

    Left out, at no loss: ways that are forbidden or dearer than the dearest unit of the demand.
    """
    items, regions = len(costs.items), len(costs.regions)
    worth = np.zeros(len(demands.item))
    np.maximum.at(worth, segments.demand, segments.value)
    most = np.zeros((items, regions))
    np.maximum.at(most, (demands.item, demands.region), worth)
    place = np.full((items, regions, buckets), -1, np.int32)
    place[demands.item, demands.region, demands.bucket] = np.arange(len(demands.item))
    least = np.full((items, regions), np.inf)
    ways, pools, asked, of_way = [], [], [], []
    count = 0
    for begin in range(0, len(chains.item), CHAINS_AT_ONCE):
        cut = slice(begin, begin + CHAINS_AT_ONCE)
        cost = _lane_costs(costs, chains.item[cut], chains.site[cut], chains.bonded[cut])
        best = cost.min(axis=2, initial=np.inf)
        np.minimum.at(least, chains.item[cut], best)
        chain, region = np.nonzero(best < most[chains.item[cut]])
        ways.append(cost[chain, region])
        chain = chain + begin
        bucket = np.arange(buckets)
        row = place[chains.item[chain], region]
        kept = (row >= 0) & (bucket < chains.until[chain][:, None])
        kept &= ways[-1].min(axis=1, initial=np.inf)[:, None] < np.where(
            row >= 0, worth[row], -np.inf
        )
        way, when = np.nonzero(kept)
        pools.append(chains.first[chain[way]] + when)
        asked.append(row[way, when])
        of_way.append(count + way)
        count += len(chain)
    pool = np.concatenate(pools) if pools else np.zeros(0)
    order = np.argsort(pool, kind="stable")
    ships = Ships(
        pool[order].astype(np.int32),
        (np.concatenate(asked) if asked else pool)[order].astype(np.int32),
        (np.concatenate(of_way) if of_way else pool)[order].astype(np.int32),
        np.concatenate(ways) if ways else np.zeros((0, len(costs.services))),
    )
    return ships, least[demands.item, demands.region]


def _lane_costs(costs: UnitCosts, item: Ints, site: Ints, bonded: NDArray[np.bool_]) -> Floats:
    """Returns unit costs [chain, region, service], infinite where the way is forbidden."""
    total = np.where(bonded[:, None, None], costs.bonded_total[item, site], costs.total[item, site])
    allowed = np.broadcast_to(costs.allowed, costs.shape)[item, site]
    return np.where(allowed, total, np.inf)
