from datetime import date, timedelta

import numpy as np
import pytest

from inventory.demand import prophets
from inventory.demand.history import History
from inventory.demand.regions import Markets, forecast_regions, last_year_member
from tests.inventory.demand.market import Units, brand_with, steady


def silent(share: float, doing: str) -> None:
    pass


def test_prophet_brings_a_past_eid_to_its_estimated_future_date() -> None:
    """Demand triples on each Eid al-Fitr; the one of 2027 is only estimated, and is expected."""
    first, end = date(2024, 1, 1), date(2027, 2, 15)
    feasts = {date(2024, 4, 10), date(2025, 3, 30), date(2026, 3, 20)}
    random = np.random.default_rng(5)
    units = np.array(
        [
            (300.0 if first + timedelta(days=at) in feasts else 100.0) + random.normal(0, 3)
            for at in range((end - first).days)
        ]
    )
    series = prophets.DailySeries("AE", first, units)
    with prophets.quiet():
        model = prophets.fit(series, date(2027, 3, 15), seed=0)
        assert model is not None
        weeks = prophets.weekly_mean(model, date(2027, 2, 15), 4)
    assert weeks[3] == pytest.approx(900, rel=0.08)  # Monday 8 March to Sunday 14 March
    assert weeks[0] == pytest.approx(700, rel=0.08)


@pytest.mark.parametrize(
    "units",
    [
        np.zeros(0),
        np.array([3.0]),
        np.zeros(200),
        np.full(200, 4.0),
        np.arange(10.0),
        np.where(np.arange(200) % 21 == 0, 50.0, 0.0),
    ],
    ids=["empty", "one day", "all zero", "constant", "ten days", "an order every three weeks"],
)
def test_prophet_is_not_asked_where_there_is_nothing_to_learn(units: np.ndarray) -> None:
    series = prophets.DailySeries("DE", date(2026, 1, 5), units)
    assert prophets.fit(series, date(2026, 12, 1), seed=0) is None


def test_the_same_seed_draws_the_same_weeks_and_leaves_other_draws_alone() -> None:
    units = np.random.default_rng(1).poisson(20, 200).astype(float)
    series = prophets.DailySeries("DE", date(2026, 1, 5), units)
    with prophets.quiet():
        model = prophets.fit(series, date(2026, 12, 1), seed=7)
        assert model is not None
        np.random.seed(42)  # noqa: NPY002  # the global generator is what is tested
        first = prophets.weekly_samples(model, date(2026, 7, 27), 3, seed=9)
        drawn = np.random.random()  # noqa: NPY002
        again = prophets.weekly_samples(model, date(2026, 7, 27), 3, seed=9)
    np.random.seed(42)  # noqa: NPY002
    assert drawn == np.random.random()  # noqa: NPY002
    assert np.array_equal(first, again)
    assert (first >= 0).all()


START = date(2023, 1, 2)


def seasonal(day: date, region: str, item: str) -> float:
    """The last four weeks of each 52 sell four times as much; a year sells a fifth more."""
    year, week = divmod((day - START).days // 7, 52)
    return (4.0 if week >= 48 else 1.0) * 10.0 * 1.2**year


def regional(units: Units, first: date, today: date) -> tuple[History, np.ndarray]:
    brand = brand_with(units, first, today, items=("MUG",), regions=("DE",))
    history = History.of(brand)
    made = forecast_regions(history, Markets(("DE",), 0), 4, silent)
    return history, made.mean


def test_last_year_wins_admission_where_the_year_repeats() -> None:
    """At the end of the season demand falls back; smoothing alone would go on with the season."""
    history, mean = regional(seasonal, START, date(2025, 12, 28))
    season, usual = 4 * 70 * 1.2**2, 70 * 1.2**3
    assert history.by_region[0, -1] == pytest.approx(season)
    assert np.abs(mean - usual).max() < np.abs(mean - season).min()


def test_last_year_needs_a_year_and_a_quarter() -> None:
    short = History.of(brand_with(steady, date(2025, 10, 6), date(2026, 9, 6)))
    assert not last_year_member(short, 4).usable.any()


def test_without_enough_past_only_smoothing_speaks() -> None:
    brand = brand_with(steady, date(2026, 8, 17), date(2026, 9, 6))
    made = forecast_regions(History.of(brand), Markets(("DE", "TH"), 0), 4, silent)
    assert made.admitted == (("smoothing",), ("smoothing",))
    assert np.allclose(made.mean, [[21.0] * 4, [10.5] * 4])
