"""`bench promise --value`: what shadow prices are worth to orders that compete for stock."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np
from scipy import stats

from api.benchmarks.measured import Line, Measured, Report, WrongAnswer
from api.benchmarks.value_instances import Instance, instance
from api.benchmarks.value_orders import real_instance
from core.brand import Brand
from inventory.demand.calendar import Calendar
from inventory.demand.engine import Engine
from inventory.demand.forecast import Learned, forecast, learned
from inventory.demand.history import History
from inventory.demand.regions import Asked
from inventory.items import Catalog
from routing.allocation.allocate import allocate
from routing.fulfillment.context import PlanningContext, availability_of
from routing.fulfillment.order import Wishes
from simulations.futures import futures_of
from simulations.hindsight import hindsight
from simulations.serving import Setting, serve
from simulations.strategies import myopic, priced

SEEDS = 8
FUTURES = 6
"""So many draws of demand are allocated for each set of prices."""

TRUE, FORECAST = "prices of true demand", "prices of a forecast"
BARS: Mapping[str, float] = {TRUE: 0.60, FORECAST: 0.30}
"""Shares of the gap that are expected at least."""

TIGHT = 1e-5

Kind = tuple[Callable[[int], Instance], Callable[[Instance, float], float]]
"""Makes an instance from a seed; bounds its cost, given what some policy reached."""


@dataclass(frozen=True)
class Share:
    """Costs on one seed, and the share of the gap between `myopic` and `bound` that each closes."""

    myopic: float
    bound: float
    costs: Mapping[str, float]

    @property
    def gap(self) -> float:
        """What knowing the future could save at most, over the bound."""
        return (self.myopic - self.bound) / self.bound

    def captured(self, name: str) -> float:
        """Returns the share of the gap that one policy closes."""
        return (self.myopic - self.costs[name]) / (self.myopic - self.bound)


def measure(
    seed: int, report: Report, seeds: int = SEEDS, kinds: Mapping[str, Kind] | None = None
) -> Measured:
    """Returns the share of the gap captured on each seed and its mean with the 95 % interval.

    Raises `WrongAnswer` where a policy costs less than the bound that nothing undercuts.
    """
    asked = KINDS if kinds is None else kinds
    shares: dict[str, list[Share]] = {name: [] for name in asked}
    for at, (name, own) in enumerate((name, own) for own in range(seeds) for name in asked):
        report(at / (seeds * len(asked)), f"Serving {name} of seed {seed + own}")
        made, bounded = asked[name]
        shares[name].append(share_of(made(seed + own), seed + own, bounded))
    lines = [
        line for name, found in shares.items()
        for line in _lines(f"{name}, {seeds} seeds from {seed}", found)
    ]  # fmt: skip
    return Measured("promise-value", seed, tuple(lines))


def bound_of_lanes(given: Instance, _reached: float) -> float:
    """Returns the bound of the allocation: right where serving a unit costs what its lane does."""
    return allocate(given.brand, given.truth, gap=TIGHT).bound


def bound_of_orders(given: Instance, reached: float) -> float:
    """Returns the bound of deciding each order by itself at prices of all limits."""
    start = allocate(given.brand, given.truth, gap=TIGHT).prices
    context = PlanningContext.of(given.brand)
    return hindsight(given.orders, setting_of(given.brand), context, reached, start).bound


KINDS: Mapping[str, Kind] = {
    "generated orders": (instance, bound_of_lanes),
    "real orders": (real_instance, bound_of_orders),
}


def setting_of(brand: Brand) -> Setting:
    """Returns what policies meet: stock and slots a week of a brand without arrivals."""
    sites = brand.table("sites")
    limited = sites[sites["outbound_units"].notna()]
    return Setting(
        stock=availability_of(brand),
        arrivals=(),
        periods=tuple(brand.today + timedelta(weeks=at) for at in range(brand.horizon_weeks)),
        outbound=dict(
            zip(limited["site"], limited["outbound_units"].astype(int).tolist(), strict=True)
        ),
    )


def share_of(
    given: Instance, seed: int, bounded: Callable[[Instance, float], float] = bound_of_lanes
) -> Share:
    """Returns what the policies make of one instance.

    All serve the same orders from the same stock. Prices are renewed each week from what is left,
    as the mean over several futures: the true demand and draws about it, since the prices of one
    demand alone jump where a limit just binds; or draws of a forecast made once, from the past.
    """
    brand, catalog = given.brand, Catalog.of(given.brand)
    context, setting = PlanningContext.of(brand), setting_of(brand)
    expected = forecast(brand, brand.horizon_weeks, seed, learn=_without_prophet).frame
    keeping = Wishes(keep_scarce=True)
    futures = {
        TRUE: (given.by_day, *futures_of(given.truth, FUTURES, seed)),
        FORECAST: futures_of(expected, FUTURES, seed),
    }
    now = serve(given.orders, setting, myopic(context), catalog).cost
    costs = {
        name: serve(given.orders, setting, priced(brand, context, those, keeping), catalog).cost
        for name, those in futures.items()
    }
    least = bounded(given, min(now, *costs.values()))
    for name, cost in {"myopic": now, **costs}.items():
        if cost < least * (1 - TIGHT):
            raise WrongAnswer(f"{name} costs {cost:.2f}, less than the bound {least:.2f}.")
    return Share(now, least, costs)


def _without_prophet(
    brand: Brand,
    history: History,
    calendar: Calendar,
    asked: Asked,
    report: Report,
    engine: Engine,
) -> Learned:
    """Learns all but what Prophet would say of regions: days without demand keep it away."""
    quiet = replace(history, daily=np.zeros_like(history.daily))
    return learned(brand, quiet, calendar, asked, report, engine)


def _lines(case: str, shares: Sequence[Share]) -> list[Line]:
    gaps = ", ".join(f"{100 * share.gap:.1f}" for share in shares)
    names = list(shares[0].costs)
    lines = []
    for name in names:
        captured = np.array([share.captured(name) for share in shares])
        low, high = interval(captured)
        each = ", ".join(f"{100 * share:.0f}" for share in captured)
        told = f"{case}, gaps {gaps} %: {each} %; mean within {100 * low:.0f}-{100 * high:.0f} %"
        bar = BARS.get(name, 0.0)
        lines.append(
            Line(told, name, "% of the gap", 100 * float(captured.mean()), "bar", 100 * bar, True)
        )
    return lines


def interval(values: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> tuple[float, float]:
    """Returns the 95 % interval of a mean by Student's t; the mean twice for a single value."""
    mean = float(values.mean())
    if len(values) < 2:
        return mean, mean
    half = float(stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))
    return mean - half, mean + half
