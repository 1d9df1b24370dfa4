"""Allocation of a brand: where the stock at hand should serve the demand of the horizon."""

import math
import time
from collections.abc import Callable

import pandas as pd

from carriers.rates import RateBook
from core.brand import Brand
from inventory.demand.forecast import forecast as forecast_demand
from routing.allocation.inputs.assembly import problem_of
from routing.allocation.prices import Prices, rows_of
from routing.allocation.problem import Floats, Problem
from routing.allocation.results.result import Allocation, result_of
from routing.allocation.solver.crew import Members, hands
from routing.allocation.solver.solve import solve
from routing.costs import CostBook
from routing.landed_cost.tariffs import Tariffs

Report = Callable[[float, str], None]
"""Tells progress: the share done from 0 to 1 and what is being done now."""

GAP = 2e-3
"""How far from the best plan is near enough, unless somebody asks for more."""

MOST_GAP = 0.2
"""A plan further from the best one than this proves next to nothing."""

_FORECAST_SHARE, _BUILT_SHARE, _SOLVED_SHARE = 0.4, 0.45, 0.97


def allocate(
    brand: Brand,
    forecast: pd.DataFrame | None = None,
    time_limit: float | None = None,
    seed: int = 0,
    report: Report | None = None,
    gap: float = GAP,
    workers: int = 1,
    members: Members = hands,
    start: Prices | None = None,
) -> Allocation:
    """Returns a plan of a brand over its horizon within `gap` of the best, with prices and proof.

    Demand is `forecast` (layout of `forecast.parquet`); without one the brand's own forecast
    counts, and without that it is computed from past demand with `seed`. `time_limit` in seconds
    stops at the best plan so far, with its honest gap; any number of `workers` (processes)
    gives the same plan, wherever `members` takes them from. `start` are prices of an earlier run to
    begin at: they change how soon a plan is proven, and which of the plans within `gap` is found.
    Raises `BadInput` where the brand lacks what the plan needs.
    """
    tell = report or _silent
    expected = demand_forecast(brand, seed, report) if forecast is None else forecast
    begun = time.perf_counter()
    tell(_FORECAST_SHARE, "Pricing every lane")
    tariffs = Tariffs.of(brand)
    book = CostBook.of(brand, RateBook.of(brand, brand.today), tariffs)
    problem = problem_of(brand, book, tariffs, expected)
    built = time.perf_counter()
    tell(_BUILT_SHARE, "Solving")
    solution = solve(
        problem,
        gap,
        seed,
        start=_begun(start, problem),
        report=_proving(tell, gap),
        time_limit=time_limit,
        workers=workers,
        members=members,
    )
    solved = time.perf_counter()
    tell(_SOLVED_SHARE, "Explaining")
    seconds = {"build": built - begun, "solve": solved - built, "total": solved - begun}
    return result_of(brand, book, problem, solution, seconds, gap)


def _begun(start: Prices | None, problem: Problem) -> Floats | None:
    """Returns the rows of earlier prices; None where they know nothing of this problem."""
    rows = None if start is None else rows_of(start, problem)
    return rows if rows is not None and rows.any() else None


def _proving(tell: Report, gap: float) -> Report:
    """Returns a report that shows how near the proof is: gaps close by about a half a round."""

    def proving(open_gap: float, doing: str) -> None:
        far = math.log(max(open_gap, gap) / gap) / math.log(1.0 / gap) if 0 < gap < 1 else 0.0
        share = min(max(1.0 - far, 0.0), 1.0)
        tell(_BUILT_SHARE + share * (_SOLVED_SHARE - _BUILT_SHARE), f"Solving, {doing}")

    return proving


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
