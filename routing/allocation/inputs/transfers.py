"""Transfers: how stock waits, moves, leaves bond and is bought, and what each costs."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.brand import Brand
from inventory.items import Catalog
from routing.allocation.inputs.chains import Chains
from routing.allocation.inputs.sources import UNLIMITED
from routing.allocation.inputs.stage import Stage
from routing.allocation.problem import (
    BUY,
    CARRY,
    LEAVE,
    MOVE,
    NOWHERE,
    RELEASE,
    Bools,
    Floats,
    Ints,
    Limits,
    Transfers,
)
from routing.landed_cost.tariffs import Tariffs
from routing.lanes import Lane


def transfers_of(
    brand: Brand, catalog: Catalog, tariffs: Tariffs, stage: Stage, chains: Chains, limits: Limits
) -> Transfers:
    """Returns all that stock can do other than be shipped, sorted by item."""
    customs = Customs(brand, catalog, tariffs, {})
    parts = [
        _waits(catalog, stage, chains, limits),
        *_releases(customs, stage, chains),
        *(
            move
            for number in range(len(stage.lanes))
            for move in _moves(catalog, customs, stage, chains, number, limits)
        ),
        _purchases(customs, stage, chains),
    ]
    return _sorted(parts)


@dataclass(frozen=True, eq=False)
class Customs:
    """What customs take on goods that enter a country; `rules` are those looked up already."""

    brand: Brand
    catalog: Catalog
    tariffs: Tariffs
    rules: dict[str, tuple[Floats, NDArray[np.bool_], float]]

    def cost(self, country: str, item: Ints, freight: Floats) -> Floats:
        """Returns the duty and the tax that nobody recovers on a unit entering a country."""
        share, on_freight, tax = self._rules(country)
        value = self.catalog.value[item]
        duty = share[item] * (value + np.where(on_freight[item], freight, 0.0))
        return duty + tax * (value + freight + duty)

    def _rules(self, country: str) -> tuple[Floats, NDArray[np.bool_], float]:
        """Duty as a share and whether it falls on freight, [item], and the rate of the tax."""
        if country not in self.rules:
            on = self.brand.rules_date
            rule = self.tariffs.tax_rule(country, on)
            self.rules[country] = (
                self.tariffs.duty_share(self.catalog, country, on),
                self.tariffs.basis(self.catalog, country, on) == "cif",
                0.0 if rule.recoverable else rule.rate,
            )
        return self.rules[country]


def _waits(catalog: Catalog, stage: Stage, chains: Chains, limits: Limits) -> Transfers:
    """Returns the transfers to the next bucket; from the last one goods are left over.

    Both take room of the site and cost its storage. Goods whose bond ends are out of reach from
    then on and cost nothing more.
    """
    chain = np.repeat(np.arange(len(chains)), chains.until)
    pool = np.arange(len(chain), dtype=np.int32)
    bucket = pool - chains.first[chain]
    last = bucket == chains.until[chain] - 1
    item, site = chains.item[chain], chains.site[chain]
    volume = catalog.volume_m3[item]
    rate = np.array([one.storage_cost for one in stage.sites]) * stage.horizon.weeks
    row = limits.storage_begin + site * stage.buckets + bucket
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


def _releases(customs: Customs, stage: Stage, chains: Chains) -> Iterator[Transfers]:
    """Yields the releases of stock whose bond ends into the free stock of its site, duty paid.

    Other stock in bond pays when it is shipped or moved to where duty is due.
    """
    ending = chains.bonded & (chains.until < stage.buckets)
    for at, site in enumerate(stage.sites):
        chain = np.flatnonzero(ending & (chains.site == at))
        if len(chain):
            item = chains.item[chain]
            paid = customs.cost(site.country, item, np.zeros(len(item)))
            step = _Step(0, at, False, RELEASE)
            yield _between(stage, chains, chain, step, paid)


def _moves(
    catalog: Catalog, customs: Customs, stage: Stage, chains: Chains, number: int, limits: Limits
) -> Iterator[Transfers]:
    """Yields the moves of one lane, of free stock and of stock in bond."""
    lane = stage.lanes[number]
    begin = stage.at[lane.from_site]
    for state in (False, True):
        chain = np.flatnonzero((chains.site == begin) & (chains.bonded == state))
        if not len(chain):
            continue
        end, bonded = stage.after(lane, state)
        item = chains.item[chain]
        cost = freight = _freight(catalog, lane, item)
        if not bonded and (state or stage.crosses(lane)):
            cost = freight + customs.cost(stage.sites[end].country, item, freight)
        row = limits.lane_begin + number * stage.buckets
        step = _Step(stage.lead(lane), end, bonded, MOVE, number, row)
        yield _between(stage, chains, chain, step, cost, catalog.volume_m3[item])


def _freight(catalog: Catalog, lane: Lane, item: Ints) -> Floats:
    """Returns what a unit of each item pays on a lane, beside its departure."""
    by_weight, by_volume = catalog.weight_kg[item], catalog.volume_m3[item]
    return lane.cost_per_kg * by_weight + lane.cost_per_m3 * by_volume + lane.cost_per_unit


@dataclass(frozen=True, slots=True)
class _Step:
    """A way of stock to a site in a customs state: buckets that it takes, and what it is."""

    lead: int
    site: int
    bonded: bool
    kind: int
    lane: int = -1
    row: int = -1


def _between(
    stage: Stage,
    chains: Chains,
    start: NDArray[np.intp],
    step: _Step,
    cost: Floats,
    use: Floats | None = None,
) -> Transfers:
    """Returns a transfer from each chain in every bucket in which it holds goods and arrives."""
    begins = chains.begins[start]
    count = np.minimum(chains.until[start], stage.buckets - step.lead) - begins
    at, bucket = _spread(begins, np.maximum(count, 0))
    item, arrives = chains.item[start[at]], bucket + step.lead
    end = chains.at(item, step.site, step.bonded, stage.until(step.site, step.bonded, arrives))
    return Transfers(
        item=item,
        start=chains.pool(start[at], bucket),
        end=chains.pool(end, arrives),
        cost=cost[at],
        most=np.full(len(at), UNLIMITED),
        row=(step.row + bucket if step.row >= 0 else np.full(len(at), -1)).astype(np.int32),
        use=np.zeros(len(at)) if use is None else use[at],
        kind=np.full(len(at), step.kind, np.int8),
        lane=np.full(len(at), step.lane, np.int32),
    )


def _purchases(customs: Customs, stage: Stage, chains: Chains) -> Transfers:
    """Returns what may be bought of each source in each bucket from its first one on.

    Goods from abroad pay duty on coming in, unless they come into bond.
    """
    if not stage.sources:
        return Transfers.none()
    item = np.array([source.item for source in stage.sources], dtype=np.int32)
    begins = np.array([source.begins for source in stage.sources], dtype=np.int32)
    received = [stage.received(source) for source in stage.sources]
    site = np.array([site for site, _ in received], dtype=np.int32)
    bonded = np.array([bonded for _, bonded in received], dtype=bool)
    most = [source.most(stage.buckets, stage.horizon.weeks) for source in stage.sources]
    at, bucket = _spread(begins, stage.buckets - begins)
    end = chains.at(item[at], site[at], bonded[at], stage.until(site[at], bonded[at], bucket))
    return Transfers(
        item=item[at],
        start=np.full(len(at), NOWHERE, np.int32),
        end=chains.pool(end, bucket),
        cost=_prices(customs, stage, item, site, bonded)[at],
        most=np.concatenate(most),
        row=np.full(len(at), -1, np.int32),
        use=np.zeros(len(at)),
        kind=np.full(len(at), BUY, np.int8),
        lane=at.astype(np.int32),
    )


def _prices(customs: Customs, stage: Stage, item: Ints, site: Ints, bonded: Bools) -> Floats:
    """Returns what a unit of each source costs as it comes in, duty paid where it is due."""
    price = np.array([source.offer.unit_cost for source in stage.sources], dtype=float)
    due = np.array([source.abroad for source in stage.sources], dtype=bool) & ~bonded
    for at in np.unique(site[due]):
        taxed = np.flatnonzero(due & (site == at))
        country = stage.sites[at].country
        price[taxed] += customs.cost(country, item[taxed], np.zeros(len(taxed)))
    return price


def _spread(begins: Ints, count: Ints) -> tuple[NDArray[np.intp], Ints]:
    """Returns the position of each row and, for `count` rows of each, buckets from `begins` on."""
    at = np.repeat(np.arange(len(count)), count)
    bucket = np.arange(len(at)) - (np.cumsum(count) - count)[at] + begins[at]
    return at, bucket.astype(np.int32)


def _sorted(parts: list[Transfers]) -> Transfers:
    names = ("item", "start", "end", "cost", "most", "row", "use", "kind", "lane")
    joined = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    order = np.argsort(joined["item"], kind="stable")
    return Transfers(**{name: values[order] for name, values in joined.items()})
