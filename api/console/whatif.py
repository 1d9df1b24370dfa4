"""The scenario pages: runs with their progress, and what differs between them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from sqlmodel import Session

from api.console.views import JobLine
from api.queue.records import QUEUED, RUNNING
from api.services.scenarios import RunView, run_views
from core.money import Money
from simulations.comparison import Comparison, CostDifference, Difference, FlowDifference
from simulations.outcome import Outcome

RUNS_SHOWN = 40
FLOWS_SHOWN = 20


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run as the list shows it; `compare` leads to its comparison with the base."""

    id: str
    name: str
    at: datetime
    state: str
    done: bool
    cost: float | None
    unmet: float | None
    currency: str
    compare: str
    problem: str


@dataclass(frozen=True, slots=True)
class Cell:
    """One figure of one run, and its change against the base."""

    value: float
    change: float | None
    digits: int


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure across all runs of a comparison."""

    name: str
    cells: Sequence[Cell]


@dataclass(frozen=True, slots=True)
class DifferencePage:
    """One run against the base; `chart` holds the steps of the waterfall."""

    name: str
    change: Money
    change_share: float | None
    chart: Mapping[str, Any]
    costs: Sequence[CostDifference]
    inputs: Sequence[str]
    flows: Sequence[FlowDifference]
    flows_moved: int


@dataclass(frozen=True, slots=True)
class ComparisonPage:
    """Runs side by side against the first of them."""

    names: Sequence[str]
    currency: str
    measures: Sequence[Measure]
    differences: Sequence[DifferencePage]


def run_rows(session: Session) -> tuple[list[JobLine], list[RunRow]]:
    """Returns jobs of runs that wait or run, and all runs, newest first."""
    views = run_views(session, RUNS_SHOWN)
    going = [view for view in views if view.job.state in (QUEUED, RUNNING) and view.run.scenario]
    return [_line(view) for view in going], [_row(view) for view in views]


def comparison_page(comparison: Comparison) -> ComparisonPage:
    """Returns a comparison arranged for reading."""
    base, differences = comparison.base, comparison.differences
    return ComparisonPage(
        names=[base.scenario.name, *(difference.name for difference in differences)],
        currency=base.currency,
        measures=_measures(base, differences),
        differences=[_difference(base, difference) for difference in differences],
    )


def _line(view: RunView) -> JobLine:
    job = view.job
    return JobLine(job.id, job.kind, view.name, job.state, job.doing, job.progress, job.error)


def _row(view: RunView) -> RunRow:
    run, outcome = view.run, view.run.outcome or {}
    done = run.outcome is not None
    ids = [run.base, run.id]
    return RunRow(
        id=run.id,
        name=view.name,
        at=run.created_at,
        state="succeeded" if done else view.job.state,
        done=done,
        cost=outcome.get("objective"),
        unmet=outcome.get("units", {}).get("unmet"),
        currency=outcome.get("currency", ""),
        compare=_compare(ids) if done and run.base else "",
        problem=view.job.error,
    )


def _compare(ids: Sequence[str | None]) -> str:
    return "/scenarios/compare?" + urlencode([("ids", one) for one in ids])


def _measures(base: Outcome, differences: Sequence[Difference]) -> list[Measure]:
    names = list(differences[0].kpis)
    cost = [_cell(base.objective, None)]
    cost += [
        _cell(base.objective + float(one.total.amount), float(one.total.amount))
        for one in differences
    ]
    return [Measure("cost", cost), *(_measure(name, differences) for name in names)]


def _measure(name: str, differences: Sequence[Difference]) -> Measure:
    before = differences[0].kpis[name][0]
    after = [one.kpis[name][1] for one in differences]
    return Measure(name, [_cell(before, None), *(_cell(value, value - before) for value in after)])


def _cell(value: float, change: float | None) -> Cell:
    return Cell(value, change, 3 if abs(value) < 10 else 1 if abs(value) < 1000 else 0)


def _difference(base: Outcome, difference: Difference) -> DifferencePage:
    change = difference.total
    whole = base.objective
    moving = [cost for cost in difference.costs if cost.difference.minor]
    return DifferencePage(
        name=difference.name,
        change=change,
        change_share=float(change.amount) / whole if whole else None,
        chart=_waterfall(base, difference.name, moving),
        costs=moving,
        inputs=[
            *(_told(one) for one in difference.added),
            *(f"without {_told(one)}" for one in difference.dropped),
        ],
        flows=difference.flows[:FLOWS_SHOWN],
        flows_moved=len(difference.flows),
    )


def _waterfall(base: Outcome, name: str, moving: Sequence[CostDifference]) -> dict[str, Any]:
    """Returns the steps from the base's cost to the run's; the axis starts near both."""
    steps: list[dict[str, Any]] = [
        {"name": base.scenario.name, "value": base.objective, "total": True}
    ]
    level = lowest = base.objective
    for cost in sorted(moving, key=lambda cost: -cost.difference.minor):
        value = float(cost.difference.amount)
        level += value
        lowest = min(lowest, level)
        steps.append({"name": cost.part, "value": value, "total": False})
    steps.append({"name": name, "value": level, "total": True})
    highest = max(base.objective, level)
    floor = max(0.0, lowest - 2 * (highest - lowest)) if highest > lowest else 0.0
    return {"steps": steps, "currency": base.currency, "floor": floor}


def _told(override: Mapping[str, Any]) -> str:
    """Returns an override as a line: `site DE-HAM, status closed`."""
    return ", ".join(f"{key} {_value(value)}" for key, value in override.items())


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        return " and ".join(f"{key} {inner}" for key, inner in value.items())
    return "everything" if value == "*" else str(value)
