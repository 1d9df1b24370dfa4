"""Prices as a product: kept, named by content, and asked by id."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.errors import BadInput
from routing.allocation.prices import Prices, load_prices, prices_of, save_prices
from routing.allocation.solve import solve
from tests.routing.allocation.problems import random_problem


@pytest.fixture
def prices() -> Prices:
    problem = random_problem(7)
    return prices_of(problem, solve(problem))


def test_prices_come_back_from_a_file_as_they_were(prices: Prices, tmp_path: Path) -> None:
    save_prices(prices, tmp_path / "prices.parquet")
    back = load_prices(tmp_path / "prices.parquet")
    assert (back.items, back.sites, back.services) == (prices.items, prices.sites, prices.services)
    assert np.array_equal(back.stock, prices.stock)
    assert np.array_equal(back.outbound, prices.outbound)
    assert np.array_equal(back.carrier_kg, prices.carrier_kg)
    assert back.version == prices.version


def test_another_price_is_another_version(prices: Prices) -> None:
    raised = Prices(
        prices.items, prices.sites, prices.services, prices.stock, prices.outbound + 0.01,
        prices.carrier_kg,
    )  # fmt: skip
    assert raised.version != prices.version


def test_prices_are_asked_by_id_and_unknown_ids_cost_nothing(prices: Prices) -> None:
    assert prices.of_stock("item 2", "site 1") == prices.stock[2, 1]
    assert prices.of_outbound("site 2") == prices.outbound[2]
    assert prices.of_carrier_kg("site 0", "service 0") == prices.carrier_kg[0, 0]
    assert prices.of_stock("item 2", "nowhere") == prices.of_stock("nothing", "site 1") == 0.0
    assert prices.of_outbound("nowhere") == prices.of_carrier_kg("site 0", "nobody") == 0.0


def test_no_price_is_negative(prices: Prices) -> None:
    for array in (prices.stock, prices.outbound, prices.carrier_kg):
        assert array.min() >= 0


def test_files_that_hold_no_prices_are_refused(prices: Prices, tmp_path: Path) -> None:
    path = tmp_path / "prices.parquet"
    with pytest.raises(BadInput, match="cannot be read"):
        load_prices(path)
    path.write_bytes(b"not Parquet")
    with pytest.raises(BadInput, match="Parquet"):
        load_prices(path)
    pd.DataFrame({"a": [1]}).to_parquet(path)
    with pytest.raises(BadInput, match="columns"):
        load_prices(path)
    frame = prices.frame()
    frame.loc[0, "price"] = -1.0
    frame.to_parquet(path)
    with pytest.raises(BadInput, match=">= 0"):
        load_prices(path)
