from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from inventory.demand import prophets
from inventory.demand.members import Weekly, level_member
from inventory.demand.prophets import Drawn, Task
from inventory.demand.quantiles import LEVELS
from inventory.demand.regions import (
    EXCESS,
    GATE_WEEKS,
    MARGIN,
    MEMBERS,
    RECENT_ORIGINS,
    Asked,
    Layer,
    Outlook,
    _event_ends,
    _trials,
    _within,
    forecast_layer,
)
from inventory.demand.season import FEWEST_WEEKS, YEAR

Floats = NDArray[np.float64]
Say = Callable[[Task, int], Floats | None]
"""What a made-up Prophet says of a task whose first week has this number; None for nothing."""

FIRST = date(2023, 1, 2)
FAIR = "Trade fair"


def silent(share: float, doing: str) -> None:
    pass


def layer_of(demand: Floats, gap: int = 0, **changes: Any) -> Layer:
    names = tuple(f"R{at}" for at in range(len(demand)))
    return replace(Layer(names, Weekly(demand, FIRST, gap)), **changes)


def days_of(*weeks: int, name: str = FAIR) -> tuple[tuple[date, str], ...]:
    """The Wednesdays of some weeks under a name."""
    return tuple((FIRST + timedelta(weeks=week, days=2), name) for week in weeks)


def outlook(layer: Layer, weeks: int = 4) -> Outlook:
    return forecast_layer(layer, Asked(weeks), silent)


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> Callable[[Say], list[Task]]:
    """Puts somebody who knows in Prophet's place; the tasks that it was asked are kept."""

    def place(say: Say) -> list[Task]:
        asked: list[Task] = []

        def made(
            tasks: Sequence[Task], workers: int, report: Callable[[float], None]
        ) -> list[Drawn | None]:
            asked.extend(tasks)
            report(1.0)
            return [_drawn(task, say) for task in tasks]

        monkeypatch.setattr(prophets, "forecast_markets", made)
        return asked

    return place


def _drawn(task: Task, say: Say) -> Drawn | None:
    mean = say(task, (task.start - FIRST).days // 7)
    if mean is None:
        return None
    quantiles = np.repeat(mean[:, None], len(LEVELS), axis=1) * (1.0 + np.array(LEVELS))
    return Drawn(mean, quantiles, np.repeat(mean / 7.0, 7), fallback=False)


def lumpy(weeks: int = 3 * YEAR + 30, seed: int = 1) -> Floats:
    """Noise around 100 that no smoothing foresees."""
    return np.random.default_rng(seed).choice([50.0, 150.0], (1, weeks))


def with_days(demand: Floats, **changes: Any) -> Layer:
    """The first three years of demand as a layer that Prophet may be asked about."""
    past = demand[:, : 3 * YEAR]
    daily = np.repeat(past / 7.0, 7, axis=1).T
    return layer_of(past, daily=daily, **changes)


def test_a_member_that_knows_the_future_is_admitted_and_outweighs_smoothing(
    said: Callable[[Say], list[Task]],
) -> None:
    truth = lumpy()
    said(lambda task, week: truth[0, week : week + task.weeks])
    made = outlook(with_days(truth))
    assert made.admitted == (("smoothing", "prophet"),)
    assert np.allclose(made.mean[0], truth[0, 3 * YEAR : 3 * YEAR + 4], atol=0.01)
    assert np.allclose(made.quantiles[0, :, -1], 1.95 * made.mean[0], rtol=0.01)


def test_a_member_that_errs_as_much_as_smoothing_stays_outside(
    said: Callable[[Say], list[Task]],
) -> None:
    truth = lumpy()
    said(lambda task, week: np.full(task.weeks, 100.0))
    assert outlook(with_days(truth)).admitted == (("smoothing",),)


def test_luck_at_one_origin_admits_nobody(said: Callable[[Say], list[Task]]) -> None:
    """It knew the last four weeks to the unit and was wide of all others."""
    truth = lumpy()
    last = 3 * YEAR - GATE_WEEKS

    def say(task: Task, week: int) -> Floats:
        right = truth[0, week : week + task.weeks]
        return right if week >= last else 200.0 - right

    said(say)
    made = outlook(with_days(truth))
    assert made.admitted == (("smoothing",),)
    assert np.allclose(made.mean, level_member(with_days(truth).weekly, 4).mean)


def test_one_bad_miss_keeps_a_member_out_that_wins_in_all(
    said: Callable[[Say], list[Task]],
) -> None:
    """Right everywhere but in the last weeks, where it errs more than smoothing by a fifth."""
    truth = lumpy()
    layer = with_days(truth)
    last = 3 * YEAR - GATE_WEEKS
    usual = level_member(layer.weekly.before(last), GATE_WEEKS).mean[0]
    missed = usual - truth[0, last : 3 * YEAR]

    def say(task: Task, week: int) -> Floats:
        right = truth[0, week : week + task.weeks]
        return right + 1.2 * missed if week == last else right

    said(say)
    assert outlook(layer).admitted == (("smoothing",),)


def test_a_market_that_prophet_could_not_fit_goes_on_without_it(
    said: Callable[[Say], list[Task]],
) -> None:
    truth = np.vstack([lumpy(), lumpy(seed=2)])

    def say(task: Task, week: int) -> Floats | None:
        row = int(task.key[1:])
        return truth[row, week : week + task.weeks] if row else None

    said(say)
    made = outlook(with_days(truth))
    assert made.admitted == (("smoothing",), ("smoothing", "prophet"))
    assert np.isfinite(made.mean).all()
    assert np.isfinite(made.quantiles).all()


def test_a_member_that_failed_at_one_origin_is_not_admitted(
    said: Callable[[Say], list[Task]],
) -> None:
    truth = lumpy()
    last = 3 * YEAR - GATE_WEEKS
    said(lambda task, week: None if week == last else truth[0, week : week + task.weeks])
    assert outlook(with_days(truth)).admitted == (("smoothing",),)


def test_no_look_back_sees_what_came_after_it(said: Callable[[Say], list[Task]]) -> None:
    truth = lumpy()
    asked = said(lambda task, week: truth[0, week : week + task.weeks])
    events = (days_of(20, 80, 130, 3 * YEAR + 1),)
    outlook(with_days(truth, events=events))
    for task in asked:
        end = task.series.first + timedelta(days=len(task.series.units))
        assert end == task.start
    final = [task for task in asked if task.samples]
    assert [task.start for task in final] == [FIRST + timedelta(weeks=3 * YEAR)]


def test_without_days_prophet_is_not_asked(said: Callable[[Say], list[Task]]) -> None:
    asked = said(lambda task, week: None)
    assert outlook(layer_of(lumpy()[:, : 3 * YEAR])).admitted == (("smoothing",),)
    assert not asked


def test_last_year_wins_where_a_wild_year_repeats() -> None:
    """The same three lumpy years over again: smoothing knows the mean, last year each week."""
    year = np.random.default_rng(4).gamma(0.8, 100.0, YEAR)
    demand = np.tile(year, 3)[None]
    made = outlook(layer_of(demand))
    assert "last_year" in made.admitted[0]
    assert np.allclose(made.mean[0], year[:4], rtol=0.05)


def test_the_last_weeks_are_judged_and_those_that_held_what_is_coming() -> None:
    """A fair in two weeks: the gate looks at the weeks before the past two fairs as well."""
    demand = lumpy()[:, : 3 * YEAR]
    layer = layer_of(demand, events=(days_of(30, 80, 128, 3 * YEAR + 1),))
    ends = [trial.end for trial in _trials(layer, 4)]
    assert ends[-RECENT_ORIGINS:] == [3 * YEAR - 12, 3 * YEAR - 8, 3 * YEAR - 4]
    held = sorted(_event_ends(layer, 0, 4, GATE_WEEKS))
    assert held == [80, 128]
    for end, fair in zip(held, (80, 128), strict=True):
        assert end <= fair < end + GATE_WEEKS
    assert set(held) < set(ends)


def test_a_fair_before_there_was_a_past_is_no_origin() -> None:
    layer = layer_of(
        lumpy()[:, : 3 * YEAR], events=(days_of(FEWEST_WEEKS - 10, 100, 3 * YEAR + 1),)
    )
    assert _event_ends(layer, 0, 4, GATE_WEEKS) == [100]


def test_rare_events_count_more_than_those_of_every_month() -> None:
    monthly = days_of(*range(0, 3 * YEAR + 4, 4), name="Payday")
    layer = layer_of(lumpy()[:, : 3 * YEAR], events=(days_of(90, 120, 3 * YEAR + 2) + monthly,))
    for end, fair in zip(sorted(_event_ends(layer, 0, 4, GATE_WEEKS)), (90, 120), strict=True):
        assert end <= fair < end + GATE_WEEKS


def test_with_nothing_coming_the_same_weeks_of_the_years_before_are_judged() -> None:
    layer = layer_of(lumpy()[:, : 3 * YEAR], events=(days_of(90, 120),))
    assert _event_ends(layer, 0, 4, GATE_WEEKS) == [2 * YEAR]
    assert _event_ends(layer_of(lumpy()[:, :40]), 0, 4, GATE_WEEKS) == []


def test_each_market_is_judged_on_its_own_events() -> None:
    demand = np.vstack([lumpy(), lumpy(seed=2)])[:, : 3 * YEAR]
    layer = layer_of(demand, events=(days_of(100, 3 * YEAR), days_of(120, 3 * YEAR + 1)))
    who = {trial.end: trial.series for trial in _trials(layer, 4)}
    own = {series: [end for end in who if who[end] == (series,)] for series in (0, 1)}
    assert own == {0: [100], 1: [120]}


ERRORS = arrays(np.float64, (4, len(MEMBERS), 3), elements=st.floats(0.0, 100.0))


@given(ERRORS)
def test_a_gate_opens_as_its_rule_says(errors: Floats) -> None:
    """Less than `MARGIN` of smoothing's errors in all, and nowhere worse by over `EXCESS` of it."""
    usable = np.ones(errors.shape[1:], dtype=bool)
    passed = _within(usable, errors, MARGIN, EXCESS)
    for series in range(3):
        usual = errors[:, 0, series]
        for member in range(1, len(MEMBERS)):
            own = errors[:, member, series]
            better = own.sum() < MARGIN * usual.sum()
            calm = all(
                one - other <= EXCESS * usual.sum() for one, other in zip(own, usual, strict=True)
            )
            assert passed[member, series] == (better and calm)
        assert passed[0, series]


def test_an_unusable_member_does_not_pass_and_origins_of_others_do_not_count() -> None:
    errors = np.full((2, len(MEMBERS), 2), 10.0)
    errors[:, 1] = 1.0
    errors[1, :, 1] = np.nan
    usable = np.ones((len(MEMBERS), 2), dtype=bool)
    assert _within(usable, errors, MARGIN, EXCESS)[1].tolist() == [True, True]
    usable[1, 0] = False
    assert _within(usable, errors, MARGIN, EXCESS)[1].tolist() == [False, True]


@pytest.mark.parametrize("weeks", [1, 3, 12])
def test_without_enough_past_only_smoothing_speaks(weeks: int) -> None:
    made = outlook(layer_of(np.full((2, weeks), 21.0)))
    assert made.admitted == (("smoothing",), ("smoothing",))
    assert np.allclose(made.mean, 21.0)


def test_markets_do_not_know_of_each_other() -> None:
    """Nobody's forecast depends on who else is asked for."""
    rng = np.random.default_rng(6)
    demand = np.vstack([np.tile(rng.gamma(0.8, 100.0, YEAR), 3), rng.poisson(50.0, 3 * YEAR)])
    together = outlook(layer_of(demand))
    for at in (0, 1):
        alone = outlook(layer_of(demand[at : at + 1]))
        assert np.allclose(alone.mean[0], together.mean[at])
        assert np.allclose(alone.quantiles[0], together.quantiles[at])
        assert alone.admitted[0] == together.admitted[at]


def test_progress_reaches_the_end(said: Callable[[Say], list[Task]]) -> None:
    """What the work behind reports is passed on with words."""
    told: list[tuple[float, str]] = []
    said(lambda task, week: None)
    forecast_layer(with_days(lumpy()), Asked(4), lambda done, doing: told.append((done, doing)))
    assert told == [(1.0, "Fitting markets")]


def test_quantiles_of_a_layer_are_ordered() -> None:
    demand = np.random.default_rng(7).poisson(30.0, (5, 3 * YEAR)).astype(float)
    made = outlook(layer_of(demand, gap=1), 9)
    assert made.quantiles.shape == (5, 9, len(LEVELS))
    assert (np.diff(made.quantiles, axis=-1) >= 0).all()
