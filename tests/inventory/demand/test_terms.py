from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from core.brand import Brand
from core.folder.writer import complete
from inventory.demand.history import History
from tests.inventory.demand.market import brand_with, steady

FIRST, SUNDAY = date(2026, 8, 3), date(2026, 9, 6)
Row = tuple[str, str, str, float, float | None, float | None]


def shop(rows: Sequence[Row], today: date = SUNDAY) -> Brand:
    """Mugs and cups in two regions; rows are day, region, item, units, promotion, price."""
    names = ["date", "region", "item", "quantity", "promotion", "price"]
    frame = complete("demand", pd.DataFrame(rows, columns=names))
    return replace(brand_with(steady, FIRST, FIRST), today=today).with_table("demand", frame)


def daily(promotion: float | None, price: float | None, until: date = SUNDAY) -> list[Row]:
    """A mug a day in Germany on the same terms."""
    days = [FIRST + timedelta(days=at) for at in range((until - FIRST).days + 1)]
    return [(day.isoformat(), "DE", "MUG", 1.0, promotion, price) for day in days]


def test_a_week_takes_the_mean_of_the_days_that_tell_their_terms() -> None:
    rows = daily(0.0, 10.0)
    rows[7:10] = [
        (rows[7][0], "DE", "MUG", 1.0, 0.5, 8.0),
        (rows[8][0], "DE", "MUG", 9.0, 0.25, None),
        (rows[9][0], "DE", "MUG", 1.0, None, 8.0),
    ]
    history = History.of(shop(rows))
    promotion, none_ahead = history.promotion_matrix(0, 4)
    assert promotion[0] == pytest.approx([0, 0.75 / 6, 0, 0, 0])
    assert not promotion[1:].any()
    assert none_ahead.shape == (4, 0)
    price = history.price_matrix(0, 4)[0]
    assert price[0] == pytest.approx([10, 56 / 6, 10, 10, 10])
    assert np.isnan(price[1:]).all()


@pytest.mark.parametrize(
    ("promotion", "price"),
    [(None, None), (0.0, None), (None, 5.0), (0.0, 5.0)],
)
def test_terms_that_never_change_are_none(promotion: float | None, price: float | None) -> None:
    history = History.of(shop(daily(promotion, price)))
    assert history.promotions is None
    past, ahead = history.price_matrix(0, 2, ahead=3)
    assert (past.shape, ahead.shape) == ((2, 5), (2, 3))
    assert np.isnan(past).all()
    assert not history.promotion_matrix(0, 2)[0].any()


def test_two_items_with_prices_of_their_own_tell_nothing() -> None:
    cups = [(day, region, "CUP", 1.0, None, 3.0) for day, region, *_ in daily(None, 7.0)]
    assert History.of(shop([*daily(None, 7.0), *cups])).promotions is None


def test_a_plan_stands_in_the_weeks_ahead() -> None:
    """A promotion in the second week after a Wednesday, whose own week is under way."""
    plan: list[Row] = [
        (day, "DE", "MUG", 0.0, 0.4, 6.0) for day in ("2026-09-14", "2026-09-16", "2026-09-20")
    ]
    history = History.of(shop([*daily(0.0, 8.0, date(2026, 9, 9)), *plan], date(2026, 9, 9)))
    _, ahead = history.promotion_matrix(0, 4)
    assert (history.gap, ahead.shape) == (1, (4, 2))
    assert ahead[0].tolist() == [0.0, pytest.approx(0.4)]
    _, prices = history.price_matrix(0, 4, ahead=4)
    assert prices[0, :2] == pytest.approx([8.0, 6.0])
    assert np.isnan(prices[0, 2:]).all()
    assert history.quantity.sum() == 5 * 7


def test_seen_from_an_earlier_week_the_past_was_the_plan() -> None:
    rows = daily(0.0, 8.0)
    rows[21] = (rows[21][0], "DE", "MUG", 1.0, 0.7, 8.0)
    past, ahead = History.of(shop(rows)).before(3).promotion_matrix(0, 1)
    assert past.tolist() == [[0, 0, 0]]
    assert ahead == pytest.approx(np.array([[0.1, 0]]))


@pytest.mark.parametrize(
    ("every", "quantity", "used"),
    [(1, 5.0, True), (3, 0.0, True), (3, 5.0, False)],
    ids=["rows every week", "a plan without sales", "rows only where it sold"],
)
def test_rows_that_betray_coming_sales_are_no_plan(every: int, quantity: float, used: bool) -> None:
    """Today is a day of the past: mugs sold in every third week only, as the rows show."""
    rows: list[Row] = [
        ((FIRST + timedelta(weeks=at)).isoformat(), "DE", "MUG", 1.0, 0.1 * at, 5.0)
        for at in range(0, 13, every)
    ]
    ahead: Row = ("2026-11-09", "DE", "MUG", quantity, 0.9, 4.0)
    history = History.of(shop([*rows, ahead], date(2026, 11, 8)))
    _, planned = history.promotion_matrix(0, 1, ahead=1)
    assert (planned[0, 0] == pytest.approx(0.9)) == used
    assert ("promotion" in {one.kind for one in history.findings}) != used
