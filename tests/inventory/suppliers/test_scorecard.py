"""Scores: what they measure, how thin evidence is drawn in, and what follows."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.brand import Brand
from inventory.suppliers.scorecard import Score, scores
from inventory.suppliers.standing import Review, standing
from tests.builders import brand_of


def delivery(supplier: str, **changed: Any) -> Mapping[str, Any]:
    return {
        "supplier": supplier, "item": "MUG", "committed": "2026-09-01", "received": "2026-09-01",
        "ordered_quantity": 100, "received_quantity": 100, "defective_quantity": 0,
        "price_index": 1.0, "answer_hours": 4, **changed,
    }  # fmt: skip


def brand_with(
    *names: str, deliveries: Sequence[Mapping[str, Any]], **more: Sequence[Mapping[str, Any]]
) -> Brand:
    return brand_of(
        items=[{"item": "MUG", "weight_kg": 1, "value": 5}],
        suppliers=[{"supplier": name} for name in names],
        **({"deliveries": deliveries} if deliveries else {}),
        **more,
    )


def score_of(brand: Brand, supplier: str, strict: bool = False) -> Score:
    return next(score for score in scores(brand, strict) if score.supplier == supplier)


BAD = {"received": "2026-09-20", "defective_quantity": 10, "price_index": 1.3, "answer_hours": 200}


def test_a_good_supplier_stays_and_a_bad_one_is_dropped() -> None:
    lines = [delivery("GOOD")] * 60
    lines += [delivery("BAD", **{**BAD, "committed": "2026-07-01", "received": "2026-08-01"})] * 60
    brand = brand_with("GOOD", "BAD", deliveries=lines)
    assert score_of(brand, "GOOD").state == "active"
    assert score_of(brand, "BAD").state == "dropped"
    assert score_of(brand, "GOOD").score > 85
    assert score_of(brand, "BAD").score < 50


def test_delivery_counts_what_came_and_how_late() -> None:
    """A supplier alone is its own prior: six lines of 1, one of 13/14, one of 0.99."""
    lines = [delivery("A", received="2026-09-07", committed="2026-09-07")] * 6
    lines += [delivery("A", received="2026-09-07", committed="2026-09-06")]
    lines += [delivery("A", received="2026-09-07", committed="2026-09-07", received_quantity=99)]
    score = score_of(brand_with("A", deliveries=lines), "A")
    assert score.dimensions["delivery"] == pytest.approx((6 + 13 / 14 + 0.99) / 8 * 100)


def test_thin_evidence_is_drawn_to_the_brands_mean() -> None:
    """One hopelessly late line of NEW against forty good ones of OLD: (10 * 40/41 + 0) / 11."""
    lines = [delivery("OLD", received="2026-09-07", committed="2026-09-07")] * 40
    lines += [delivery("NEW", received="2026-09-07", committed="2026-08-01")]
    brand = brand_with("OLD", "NEW", deliveries=lines)
    assert score_of(brand, "NEW").dimensions["delivery"] == pytest.approx(100 * 400 / 41 / 11)
    assert score_of(brand, "NEW").state == "active"


def test_quality_is_the_share_of_defects() -> None:
    lines = [delivery("A", received="2026-09-07", defective_quantity=1)] * 50
    assert score_of(brand_with("A", deliveries=lines), "A").dimensions["quality"] == pytest.approx(
        80
    )


def test_cost_compares_with_the_market_and_with_what_was_agreed() -> None:
    offers = [
        {"supplier": name, "item": "MUG", "unit_cost": cost}
        for name, cost in (("CHEAP", 4.0), ("FAIR", 5.0), ("DEAR", 6.0))
    ]
    brand = brand_with("CHEAP", "FAIR", "DEAR", deliveries=[], offers=offers)
    cheap, fair, dear = (score.dimensions["cost"] for score in scores(brand))
    assert cheap > fair > dear
    drifted = brand_with("A", "B", deliveries=[delivery("A", price_index=1.2), delivery("B")])
    assert score_of(drifted, "A").dimensions["cost"] < score_of(drifted, "B").dimensions["cost"]


def test_answers_and_ratings_count() -> None:
    lines = [delivery("FAST", answer_hours=4)] * 30 + [delivery("SLOW", answer_hours=96)] * 30
    surveys = [{"supplier": "FAST", "date": "2026-09-01", "innovation": 5}] * 10
    surveys += [{"supplier": "SLOW", "date": "2026-09-01", "innovation": 2}] * 10
    fast, slow = scores(brand_with("FAST", "SLOW", deliveries=lines, surveys=surveys))
    assert fast.dimensions["service"] > 90
    assert slow.dimensions["service"] < 50
    assert fast.dimensions["innovation"] > 80 > slow.dimensions["innovation"]


def test_without_any_record_everything_stands_at_the_threshold() -> None:
    score = score_of(brand_with("A", deliveries=[]), "A")
    assert score.score == pytest.approx(80)
    assert score.state == "active"
    assert set(score.evidence.values()) == {0}
    assert score.interval[0] < 80 < score.interval[1]


def test_evidence_narrows_the_interval() -> None:
    few = score_of(brand_with("A", deliveries=[delivery("A")] * 3), "A")
    many = score_of(brand_with("A", deliveries=[delivery("A")] * 300), "A")
    assert many.interval[1] - many.interval[0] < few.interval[1] - few.interval[0]
    assert many.evidence["deliveries"] == 300


def test_what_is_received_after_today_is_hidden() -> None:
    hidden = [delivery("A", **{**BAD, "received": "2026-12-01"})] * 50
    brand = brand_with("A", deliveries=[delivery("A"), *hidden])
    assert score_of(brand, "A").evidence["deliveries"] == 1
    assert (
        score_of(brand, "A").score
        == score_of(brand_with("A", deliveries=[delivery("A")]), "A").score
    )


@settings(deadline=None, max_examples=30)
@given(st.permutations(range(12)))
def test_the_order_of_records_does_not_matter(order: list[int]) -> None:
    lines = [
        delivery("A" if at % 2 else "B", answer_hours=at + 1, price_index=1 + at / 50)
        for at in range(12)
    ]
    straight = brand_with("A", "B", deliveries=lines)
    mixed = brand_with("A", "B", deliveries=[lines[at] for at in order])
    for one, other in zip(scores(straight), scores(mixed), strict=True):
        assert one.score == pytest.approx(other.score, abs=1e-9)
        assert one.state == other.state


@settings(deadline=None, max_examples=30)
@given(
    st.lists(
        st.tuples(st.integers(0, 30), st.floats(0, 100), st.floats(0, 3), st.floats(0, 500)),
        max_size=8,
    )
)
def test_scores_stay_within_their_scale(records: list[tuple[int, float, float, float]]) -> None:
    lines = [
        delivery("A", received=(pd.Timestamp("2026-08-01") + pd.Timedelta(days=late)).date(),
                 committed="2026-08-10", defective_quantity=bad, price_index=price,
                 answer_hours=hours)
        for late, bad, price, hours in records
    ]  # fmt: skip
    (score,) = scores(brand_with("A", deliveries=lines))
    assert 0 <= score.interval[0] <= score.score <= score.interval[1] <= 100
    assert all(0 <= points <= 100 for points in score.dimensions.values())


def test_strict_drop_is_the_literal_rule() -> None:
    lines = [delivery("A", received="2026-09-06", answer_hours=100, defective_quantity=3)] * 8
    brand = brand_with("A", deliveries=lines)
    assert score_of(brand, "A").score < 80
    assert score_of(brand, "A").state == "probation"
    assert score_of(brand, "A", strict=True).state == "dropped"


def reviews(*doubts: float) -> list[Review]:
    """Reviews by the probability of being below 80; from one half on the score is below."""
    return [Review(75.0 if doubt >= 0.5 else 82.0, doubt) for doubt in doubts]


@pytest.mark.parametrize(
    ("doubts", "state"),
    [
        ((), "active"),
        ((0.1, 0.1), "active"),
        ((0.1, 0.45, 0.45), "active"),
        ((0.6,), "probation"),
        ((0.1, 0.6, 0.7, 0.8), "probation"),
        ((0.1, 0.6, 0.4, 0.4), "probation"),
        ((0.1, 0.6, 0.2), "probation"),
        ((0.1, 0.6, 0.2, 0.2), "active"),
        ((0.1, 0.6, 0.2, 0.6, 0.2), "probation"),
        ((0.1, 0.95), "probation"),
        ((0.1, 0.95, 0.95), "dropped"),
        ((0.95, 0.95, 0.4), "dropped"),
        ((0.95, 0.95, 0.7, 0.7, 0.7), "dropped"),
        ((0.95, 0.95, 0.4, 0.4), "probation"),
        ((0.95, 0.95, 0.1, 0.1), "probation"),
        ((0.95, 0.95, 0.1, 0.1, 0.1), "active"),
    ],
)
def test_standing_follows_what_is_sure_and_does_not_flicker(
    doubts: tuple[float, ...], state: str
) -> None:
    assert standing(reviews(*doubts)) == state
