"""Hindsight: what a stream of orders costs at least, whoever decides and whatever he knows.

Limits are relaxed at prices (Lagrangian relaxation): an order pays for each unit it takes of a site
and is then free to take it, so every order is decided for itself, exactly, and the sum of what they
cost less the price of everything there is undercuts every plan that keeps the limits. Prices are
improved by subgradient steps of Polyak's length (B. T. Polyak, 1969); each step gives a bound.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from core.errors import BadInput
from routing.allocation.prices import Prices
from routing.fulfillment.choice import choose
from routing.fulfillment.context import PlanningContext
from routing.fulfillment.crowd import Crowd
from routing.fulfillment.order import Availability, Order, Wishes
from routing.fulfillment.planning import asked_of, crowds
from routing.fulfillment.splits import divisions
from routing.fulfillment.wants import wants_of
from simulations.serving import Setting

Floats = NDArray[np.float64]

STEPS = 200
_PATIENCE, _SHORTER = 10, 0.7
"""After so many steps without a better bound, steps get shorter by that factor."""

_WISHES = Wishes(keep_scarce=True)


@dataclass(frozen=True, eq=False)
class _Limits:
    """Units that there are: by key, by [item, site], and by [site, period]; nan without limit."""

    held: Availability
    stock: Floats
    slots: Floats


@dataclass(frozen=True, eq=False)
class Hindsight:
    """A cost that nobody undercuts, and the prices of all limits that prove it."""

    bound: float
    prices: Prices


def hindsight(
    orders: Sequence[Order],
    setting: Setting,
    context: PlanningContext,
    reached: float,
    start: Prices | None = None,
    steps: int = STEPS,
) -> Hindsight:
    """Returns a cost that nobody undercuts who serves orders within a setting.

    Counted are the full costs of plans and the penalties of units that are not served. `reached`
    is the cost of some policy: the nearer to the best one, the sooner the bound is tight; so it is
    with prices to `start` at. Arrivals count as stock from the beginning. Raises `BadInput` for an
    order that is too large for the exact choice, and for one before the first period.
    """
    _refuse_large(orders, context)
    limits = _limits(setting, context)
    stock, slots = _begun(limits, context, start)
    best, at_best, length, since = -np.inf, (stock, slots), 1.0, 0
    for _ in range(steps):
        prices = stock[:, :, np.newaxis] + slots
        cost, taken, packed = _decided(orders, limits.held, setting, context, prices)
        value = cost - float((stock * limits.stock).sum() + np.nansum(slots * limits.slots))
        if value > best:
            best, at_best, since = value, (stock, slots), 0
        else:
            since += 1
        if since == _PATIENCE:
            length, since, (stock, slots) = length * _SHORTER, 0, at_best
            continue
        over = taken - limits.stock, np.nan_to_num(packed - limits.slots)
        size = float((over[0] ** 2).sum() + (over[1] ** 2).sum())
        if size == 0 or reached <= value:
            break
        step = length * (reached - value) / size
        stock = np.maximum(stock + step * over[0], 0.0)
        slots = np.maximum(slots + step * over[1], 0.0)
    stock, slots = at_best
    return Hindsight(best, _as_prices(stock[:, :, np.newaxis] + slots, setting, context))


def _refuse_large(orders: Sequence[Order], context: PlanningContext) -> None:
    most = _WISHES.effort.options
    for order in orders:
        parts = divisions(tuple(want.units for want in wants_of(order, context.catalog)))
        if parts > most:
            told = f"Expected orders of at most {most} divisions, got {order.order} with {parts}."
            raise BadInput(told)


def _begun(
    limits: _Limits, context: PlanningContext, start: Prices | None
) -> tuple[Floats, Floats]:
    stock, slots = np.zeros_like(limits.stock), np.zeros_like(limits.slots)
    if start is not None:
        for at, site in enumerate(context.rates.sites):
            slots[at] = [start.of_outbound(site, bucket) for bucket in range(slots.shape[1])]
            stock[:, at] = [start.of_stock(item.item, site) for item in context.catalog.items]
    return stock, np.where(np.isnan(limits.slots), 0.0, slots)


def _limits(setting: Setting, context: PlanningContext) -> _Limits:
    sites = {site: at for at, site in enumerate(context.rates.sites)}
    stock = np.zeros((len(context.catalog.items), len(sites)))
    held = Counter(setting.stock)
    for arrival in setting.arrivals:
        held[arrival.key] += arrival.units
    for (site, item, _), units in held.items():
        stock[context.catalog.index[item], sites[site]] += units
    slots = np.full((len(sites), len(setting.periods)), np.nan)
    for site, units in setting.outbound.items():
        slots[sites[site]] = units
    return _Limits(held, stock, slots)


def _decided(
    orders: Sequence[Order],
    held: Availability,
    setting: Setting,
    context: PlanningContext,
    prices: Floats,
) -> tuple[float, Floats, Floats]:
    """What all orders cost at prices, and the units they take by [item, site], [site, period]."""
    priced = replace(context, prices=_as_prices(prices, setting, context))
    asked = [asked_of(order, _WISHES, priced) for order in orders]
    cost, taken = 0.0, np.zeros(prices.shape[:2])
    packed = np.zeros(prices.shape[1:])
    for places in crowds(asked, range(len(asked)), priced):
        crowd = Crowd.of([asked[at] for at in places], held, priced)
        choice = choose(crowd)
        served = crowd.splits.bundles[choice.target]
        cost += float(choice.cost.sum() + ((crowd.wanted - served) * crowd.unmet_penalty).sum())
        loads = choice.loads
        units, site = crowd.splits.bundles[loads.bundle], crowd.site[loads.row]
        np.add.at(taken, (crowd.items[loads.option], site[:, np.newaxis]), units)
        period = np.array([setting.period(each.order.placed_at) for each in crowd.asked])
        np.add.at(packed, (site, period[loads.option]), units.sum(axis=1))
    return cost, taken, packed


def _as_prices(prices: Floats, setting: Setting, context: PlanningContext) -> Prices:
    """Prices of units by item, site and period: slots are paid for with the goods."""
    _, sites, periods = prices.shape
    names = context.rates.sites
    services = tuple(service.service for service in context.services)
    return Prices(
        items=tuple(item.item for item in context.catalog.items),
        sites=names,
        services=services,
        lanes=(),
        buckets=setting.periods,
        stock=prices,
        outbound=np.zeros((sites, periods)),
        carrier_kg=np.zeros((sites, len(services), periods)),
        lane_m3=np.zeros((0, periods)),
        storage_m3=np.zeros((sites, periods)),
    )
