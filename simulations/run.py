"""Runs: a scenario applied to a brand, allocated and summed up."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from carriers.rates import RateBook
from core.brand import Brand
from core.folder.writer import complete
from routing.allocation.allocate import allocate, demand_forecast
from routing.allocation.results.result import Allocation
from simulations.outcome import Flow, Outcome
from simulations.scenarios import Scenario, apply

Report = Callable[[float, str], None]
"""Tells progress: the share done from 0 to 1 and what is being done now."""

_FORECAST_SHARE = 0.4
GAP = 1e-2
"""How near to the best plan a scenario has to be: what is compared differs by more."""

_LANE = ["site", "region", "service"]


def run(scenario: Scenario, brand: Brand, seed: int = 0, report: Report | None = None) -> Outcome:
    """Returns what a brand would do and pay under a scenario.

    A brand without a forecast is forecast as it is, before the scenario scales its demand: so all
    scenarios of one brand and seed share one forecast. Raises `BadInput` where the scenario does
    not fit the brand, or the brand lacks what an allocation needs.
    """
    return run_all([scenario], brand, seed, report)[0]


def run_all(
    scenarios: Sequence[Scenario], brand: Brand, seed: int = 0, report: Report | None = None
) -> tuple[Outcome, ...]:
    """Returns the outcome of each scenario; the brand is forecast once, for all of them."""
    tell = report or _silent
    ready = forecast_once(brand, seed, _part(tell, 0.0, _FORECAST_SHARE))
    width = (1 - _FORECAST_SHARE) / max(len(scenarios), 1)
    return tuple(
        _run(scenario, ready, seed, _part(tell, _FORECAST_SHARE + at * width, width))
        for at, scenario in enumerate(scenarios)
    )


def forecast_once(brand: Brand, seed: int = 0, report: Report | None = None) -> Brand:
    """Returns the brand with a forecast: its own, or one made from its past demand."""
    if len(brand.table("forecast")):
        return brand
    tell = report or _silent
    frame = demand_forecast(brand, seed, tell)
    return brand.with_table("forecast", complete("forecast", frame))


def _run(scenario: Scenario, brand: Brand, seed: int, tell: Report) -> Outcome:
    tell(0.0, f"Applying {scenario.name}")
    changed = apply(brand, scenario)
    allocation = allocate(changed, seed=seed, report=_part(tell, 0.0, 0.95), gap=GAP)
    tell(0.95, f"Summing up {scenario.name}")
    return outcome_from(scenario, changed, allocation, seed)


def outcome_from(scenario: Scenario, brand: Brand, allocation: Allocation, seed: int) -> Outcome:
    """Returns the outcome that an allocation of the changed brand amounts to."""
    flows = _flows(allocation.flows)
    return Outcome(
        scenario=scenario,
        brand=brand.name,
        currency=brand.currency,
        seed=seed,
        status=allocation.status,
        objective=allocation.objective,
        bound=allocation.bound,
        units=allocation.units,
        costs=allocation.costs,
        kpis={**allocation.kpis, "transit_days": _transit_days(brand, flows)},
        unmet=allocation.reasons(),
        flows=flows,
        prices=allocation.prices,
    )


def _flows(frame: pd.DataFrame) -> tuple[Flow, ...]:
    """Sums item flows to one row per site, region and service, in that order."""
    summed = frame.assign(cost=frame["quantity"] * frame["unit_cost"])
    lanes = summed.groupby(_LANE, sort=True)[["quantity", "cost"]].sum().reset_index()
    return tuple(
        Flow(
            str(row["site"]), str(row["region"]), str(row["service"]), row["quantity"], row["cost"]
        )
        for row in lanes.to_dict("records")
    )


def _transit_days(brand: Brand, flows: Sequence[Flow]) -> float:
    """Returns the median days from pickup to delivery, averaged over the units shipped."""
    rates = RateBook.of(brand, brand.today)
    units = np.array([flow.quantity for flow in flows])
    if not units.sum():
        return 0.0
    days = rates.transit_days[
        [rates.services.index(flow.service) for flow in flows],
        [rates.sites.index(flow.site) for flow in flows],
        [rates.regions.index(flow.region) for flow in flows],
    ]
    return float(units @ days / units.sum())


def _part(tell: Report, low: float, width: float) -> Report:
    """Returns a report whose 0 to 1 is a part of another's."""
    return lambda share, doing: tell(low + width * share, doing)


def _silent(share: float, doing: str) -> None:
    """Tells nobody."""
