"""Allocation of a brand: where the stock at hand should serve the demand of the horizon."""

import time
from collections.abc import Callable

import pandas as pd

from carriers.rates import RateBook
from core.brand import Brand
from inventory.demand.forecast import forecast as forecast_demand
from routing.allocation.inputs import problem_of
from routing.allocation.result import Allocation, result_of
from routing.allocation.solve import solve
from routing.costs import unit_costs
from routing.landed_cost.tariffs import Tariffs

Report = Callable[[float, str], None]
"""Tells progress: the share done from 0 to 1 and what is being done now."""

_FORECAST_SHARE = 0.4


def allocate(
    brand: Brand,
    forecast: pd.DataFrame | None = None,
    time_limit: float | None = None,
    seed: int = 0,
    report: Report | None = None,
) -> Allocation:
    """Returns the cheapest one-period plan of a brand over its horizon, with prices and proof.

    Demand is the mean of `forecast` (layout of `forecast.parquet`); without one the brand's own
    forecast counts, and without that it is computed from past demand with `seed`. Quantiles are not
    used yet. Sites to be decided count as open, and their fixed cost is charged where goods leave
    them. `time_limit` in seconds stops the solver. Raises `BadInput` where the brand lacks what the
    plan needs.
    """
    tell = report or _silent
    expected = demand_forecast(brand, seed, report) if forecast is None else forecast
    begun = time.perf_counter()
    tell(_FORECAST_SHARE, "Pricing every lane")
    costs = unit_costs(brand, RateBook.of(brand, brand.today), Tariffs.of(brand))
    problem = problem_of(brand, costs, expected)
    tell(0.5, "Solving")
    solution = solve(problem, time_limit)
    tell(0.95, "Explaining")
    ended = time.perf_counter()
    seconds = {
        "build": ended - begun - solution.solve_seconds,
        "solve": solution.solve_seconds,
        "total": ended - begun,
    }
    return result_of(brand, problem, solution, seconds)


def demand_forecast(brand: Brand, seed: int = 0, report: Report | None = None) -> pd.DataFrame:
    """Returns the brand's own forecast, or else one computed from its past demand."""
    own = brand.table("forecast")
    if len(own):
        return own
    tell = report or _silent
    made = forecast_demand(
        brand, brand.horizon_weeks, seed, lambda share, doing: tell(share * _FORECAST_SHARE, doing)
    )
    return made.frame


def _silent(share: float, doing: str) -> None:
    """Tells nobody."""
