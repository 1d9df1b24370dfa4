"""Parts: a brand too large for one frame gets the same forecast, some items at a time."""

from collections.abc import Sequence
from datetime import date

import numpy as np
import pandas as pd
import pytest

from core.brand import Brand
from core.errors import BadInput
from inventory.demand import partition
from inventory.demand.engine import Here
from inventory.demand.forecast import Forecast, forecast
from inventory.demand.overrides import Override
from inventory.demand.parts import ForecastPart, by_name, forecast_parts, sample
from inventory.demand.quantiles import COLUMNS
from inventory.demand.regions import Asked
from tests.inventory.demand.market import brand_with, noisy

ITEMS = tuple(f"I{at:02d}" for at in (3, 1, 2, 0, 5, 4))
"""Not in the order of their names."""

OVERRIDES = (
    Override(
        "A", "*", "*", "*", date(2026, 9, 7), date(2026, 9, 13), None, 120.0, "Pia",
        date(2026, 9, 1), "A fair",
    ),
    Override(
        "B", "DE", "*", "I04", date(2026, 9, 14), date(2026, 9, 20), 2.0, None, "Pia",
        date(2026, 9, 1), "A sale",
    ),
)  # fmt: skip


@pytest.fixture(scope="module")
def brand() -> Brand:
    return brand_with(noisy(4, 0.8), date(2026, 3, 2), date(2026, 9, 6), ITEMS)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Partitions of two items each."""
    monkeypatch.setattr(partition, "PARTITION_SERIES", 4)


def parts_of(
    brand: Brand, overrides: tuple[Override, ...] = ()
) -> tuple[Sequence[ForecastPart], Forecast]:
    kept: list[ForecastPart] = []
    told = forecast_parts(
        brand, Asked(2), kept.append, Here(), lambda share, doing: None, overrides
    )
    return kept, told


def rows(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    keys = ["region", "item", "start"]
    columns = [*keys, "mean", *COLUMNS]
    return pd.concat(frames)[columns].sort_values(keys, ignore_index=True)


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("overrides", [(), OVERRIDES], ids=["none", "overrides"])
def test_parts_hold_the_numbers_of_the_whole(brand: Brand, overrides: tuple[Override, ...]) -> None:
    kept, told = parts_of(brand, overrides)
    whole = forecast(by_name(brand), 2, more=overrides)
    assert [(part.number, part.first, part.last) for part in kept] == [
        (0, "I00", "I01"), (1, "I02", "I03"), (2, "I04", "I05"),
    ]  # fmt: skip
    pd.testing.assert_frame_equal(
        rows([part.plain() for part in kept]), rows([whole.frame]), check_dtype=False, rtol=1e-6
    )
    pd.testing.assert_frame_equal(told.regions, whole.regions, rtol=1e-6)
    pd.testing.assert_frame_equal(told.categories, whole.categories, rtol=1e-6)
    pd.testing.assert_frame_equal(told.shifts, whole.shifts, rtol=1e-6)
    assert told.models == whole.models


@pytest.mark.usefixtures("few")
def test_a_market_is_the_sum_of_what_was_kept_of_its_items(brand: Brand) -> None:
    kept, told = parts_of(brand, OVERRIDES)
    items = rows([part.plain() for part in kept]).groupby(["start", "region"])["mean"].sum()
    regions = told.regions.set_index(["start", "region"])["mean"]
    np.testing.assert_allclose(items[regions.index], regions, rtol=1e-6)
    fair = items[items.index.get_level_values("start") == "2026-09-07"]
    assert fair.sum() == pytest.approx(120.0, rel=1e-6)


@pytest.mark.usefixtures("few")
def test_rows_of_a_part_stand_by_region_item_and_week(brand: Brand) -> None:
    kept, _ = parts_of(brand)
    for part in kept:
        plain = part.plain()
        keys = list(zip(plain["region"], plain["item"], plain["start"], strict=True))
        assert keys == sorted(keys)
        assert set(plain["method"]) <= {"smoothing", "smoothing_imapa", "naive"}
        assert str(plain["mean"].dtype) == "float32"


def test_no_part_looks_further_than_a_forecast_may(brand: Brand) -> None:
    with pytest.raises(BadInput, match="1 to 104 weeks"):
        forecast_parts(brand, Asked(105), lambda part: None, Here(), lambda share, doing: None)


def test_a_sample_of_a_small_brand_is_the_brand(brand: Brand) -> None:
    assert sample(brand) is brand


def test_a_sample_keeps_whole_items_from_all_over_the_catalog(
    brand: Brand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inventory.demand.parts.LARGE_SERIES", 10)
    monkeypatch.setattr("inventory.demand.parts.JUDGED_SERIES", 6)
    chosen = sample(brand)
    assert list(chosen.table("items")["item"]) == [ITEMS[0], ITEMS[2], ITEMS[5]]
    assert set(chosen.table("demand")["item"]) == {ITEMS[0], ITEMS[2], ITEMS[5]}
    assert set(chosen.table("demand")["region"]) == {"DE", "TH"}
