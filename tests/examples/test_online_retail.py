import json
from datetime import date
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from api.cli import run
from core.brand import Brand
from core.errors import BadInput
from core.folder.reader import check_folder, read_brand
from core.places import EU_MEMBERS
from examples.online_retail.build import MOST_ITEMS, TODAY, build
from examples.online_retail.catalog import categories, category_of
from examples.online_retail.customs import duties, taxes
from examples.online_retail.sales import sort_out
from routing.lanes import SEA_MODES, lanes_of

ITEMS = 40


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    written = tmp_path_factory.mktemp("online-retail") / "shop"
    assert run(["example", "online-retail", str(written), "--items", str(ITEMS)]) == 0
    return written


@pytest.fixture(scope="module")
def brand(folder: Path) -> Brand:
    return read_brand(folder)


@pytest.fixture(scope="module")
def source() -> pd.DataFrame:
    """The lines as they were published, with no rule applied."""
    path = Path(str(files("examples.online_retail").joinpath("data", "lines.parquet")))
    return pd.read_parquet(path).astype({"Country": str})


def test_the_real_example_is_clean(folder: Path) -> None:
    checked = check_folder(folder)
    assert checked.ok, checked.problems
    assert checked.counts["items"] == ITEMS


def test_units_of_demand_are_the_units_of_the_source(brand: Brand, source: pd.DataFrame) -> None:
    """Counted here from the published lines alone, item by item."""
    ours = brand.table("demand").groupby("item")["quantity"].sum()
    mine = source[
        source["StockCode"].isin(ours.index)
        & ~source["InvoiceNo"].str.startswith("C")
        & (source["Quantity"] > 0)
        & (source["UnitPrice"] > 0)
        & (source["Country"] != "Unspecified")
    ]
    theirs = mine.groupby("StockCode")["Quantity"].sum().reindex(ours.index)
    assert (ours == theirs).all()
    assert ours.sum() > 100_000


def test_demand_and_orders_count_the_same_units(brand: Brand) -> None:
    by_order = brand.table("orders").groupby(["region", "item"])["quantity"].sum()
    by_day = brand.table("demand").groupby(["region", "item"])["quantity"].sum()
    assert by_order.sort_index().eq(by_day.sort_index()).all()


def test_the_source_is_sorted_out_without_loss(source: pd.DataFrame) -> None:
    names = {"InvoiceNo": "invoice", "StockCode": "item", "Quantity": "quantity",
             "InvoiceDate": "at", "UnitPrice": "price", "Country": "market"}  # fmt: skip
    sales = sort_out(source.rename(columns=names))
    counted = len(sales.sold) + len(sales.returned) + sum(sales.set_aside.values())
    assert counted == sales.lines == 1_044_847


def test_returns_lie_apart_and_are_never_subtracted(brand: Brand, source: pd.DataFrame) -> None:
    returned = brand.table("returns")
    chosen = set(brand.table("items")["item"])
    back = source[
        source["InvoiceNo"].str.startswith("C")
        & source["StockCode"].isin(chosen)
        & (source["Country"] != "Unspecified")
    ]
    assert returned["quantity"].sum() == -back["Quantity"].sum() > 0


def test_postage_fees_and_vouchers_are_not_goods(brand: Brand) -> None:
    lines = pd.DataFrame(
        {
            "invoice": "500000",
            "item": ["85123A", "22423", "DCGS0058", "PADS", "POST", "DOT", "C2", "M", "m", "D",
                     "S", "ADJUST", "BANK CHARGES", "AMAZONFEE", "CRUK", "GIFT_0001_20", "TEST001",
                     "B"],
            "quantity": 1,
            "at": pd.Timestamp("2011-01-04"),
            "price": 2.0,
            "market": "France",
        }
    )  # fmt: skip
    assert list(sort_out(lines).sold["item"]) == ["85123A", "22423", "DCGS0058", "PADS"]
    assert brand.table("items")["item"].str.fullmatch(r"\d{5}[A-Z]{0,2}").all()


def test_home_and_the_nine_largest_export_markets_are_regions(
    brand: Brand, source: pd.DataFrame
) -> None:
    goods = source[source["StockCode"].str.fullmatch(r"\d{5}[A-Za-z]{0,2}")]
    sold = goods[(goods["Quantity"] > 0) & ~goods["InvoiceNo"].str.startswith("C")]
    value = (sold["Quantity"] * sold["UnitPrice"]).groupby(sold["Country"]).sum()
    largest = value.drop(["United Kingdom", "Unspecified"]).nlargest(9).index
    regions = brand.table("regions")
    named = set(regions["name"].replace("Ireland", "EIRE"))
    assert {"United Kingdom", *largest} <= named
    grouped = regions[regions["name"].str.endswith("other markets")]
    assert len(regions) == 10 + len(grouped)
    assert set(grouped["region"]) == {
        "BE-EUROPE", "JP-ASIA", "US-NORTH-AMERICA", "BR-SOUTH-AMERICA", "ZA-AFRICA",
    }  # fmt: skip


def test_best_sellers_are_net_of_returns(brand: Brand) -> None:
    """One order of 74,215 jars was canceled within the hour; it makes no best seller."""
    assert "23166" not in set(brand.table("items")["item"])


def test_summer_orders_are_turned_into_utc(brand: Brand, source: pd.DataFrame) -> None:
    placed = brand.table("orders").groupby("order")["placed_at"].first().dt.tz_localize(None)
    chosen = source[source["StockCode"].isin(brand.table("items")["item"].unique())]
    local = chosen.groupby("InvoiceNo")["InvoiceDate"].min().reindex(placed.index)
    ahead = local - placed
    summer = local.between("2010-03-29", "2010-10-30") | local.between("2011-03-28", "2011-10-29")
    assert ahead[summer].median() == pd.Timedelta(hours=1)
    assert ahead[~summer].median() == pd.Timedelta(0)


def test_enough_later_sales_stay_hidden_for_replay(brand: Brand) -> None:
    orders = brand.table("orders")
    assert brand.today == TODAY
    assert orders["placed_at"].max() >= pd.Timestamp(TODAY, tz="UTC") + pd.Timedelta(weeks=8)


def test_the_six_hubs_stand_as_named(brand: Brand) -> None:
    sites = brand.table("sites").set_index("site")
    tiers = sites.loc[["US-LAX", "DE-HAM", "TH-BKK", "AE-DXB", "CN-SZX", "CN-CAN"], "tier"]
    assert list(tiers) == ["central", "central", "forward", "forward", "bonded", "bonded"]
    assert (sites["tier"] == "return").sum() == 2
    assert {"TH", "CN"} <= set(sites.loc[sites["tier"] == "supplier", "country"])


def test_ships_from_asia_to_hamburg_pass_suez_and_ships_to_america_do_not(brand: Brand) -> None:
    sailing = [lane for lane in lanes_of(brand) if lane.mode in SEA_MODES]
    asian = {"CN-SZX", "CN-CAN", "CN-NGB", "TH-LCH", "IN-BOM", "AE-DXB"}
    assert all(
        "suez" in lane.passages
        for lane in sailing
        if lane.from_site in asian and lane.to_site == "DE-HAM"
    )
    assert not any("suez" in lane.passages for lane in sailing if lane.to_site == "US-LAX")


def test_trucks_and_couriers_stay_on_their_continent(brand: Brand) -> None:
    rates = brand.table("rates")
    land = rates[rates["service"].isin(["ROAD", "LAST-MILE"])]
    assert set(land["site"]) == {"DE-HAM", "US-LAX"}
    regions = brand.table("regions").set_index("region")["country"]
    europe = EU_MEMBERS | {"GB", "CH"}
    from_hamburg = land.loc[land["site"] == "DE-HAM", "region"].map(regions)
    assert set(from_hamburg) <= europe
    assert set(land.loc[land["site"] == "US-LAX", "region"].map(regions)) == {"US"}


def test_every_hub_can_reach_every_region(brand: Brand) -> None:
    rates = brand.table("rates")
    reached = rates[rates["service"] == "EXPRESS"].drop_duplicates(["site", "region"])
    assert len(reached) == 6 * len(brand.table("regions"))


def test_no_parcel_gets_cheaper_by_growing_heavier(brand: Brand) -> None:
    for _, bands in brand.table("rates").groupby(["service", "site", "region"]):
        rows = bands.sort_values("weight_from_kg").to_dict("records")
        for light, heavy in pairwise(rows):
            edge = heavy["weight_from_kg"]
            assert light["weight_to_kg"] == edge
            before = light["base_price"] + light["price_per_kg"] * edge
            assert heavy["base_price"] + heavy["price_per_kg"] * edge >= before - 0.05


def test_some_items_end_short_and_hamburg_cannot_ship_alone(brand: Brand) -> None:
    supply = brand.table("stock").groupby("item")["on_hand"].sum()
    supply = supply.add(brand.table("inbound").groupby("item")["quantity"].sum(), fill_value=0)
    demand = brand.table("demand")
    day = pd.Timestamp(TODAY)
    ahead = demand[(demand["date"] >= day) & (demand["date"] < day + pd.Timedelta(weeks=13))]
    asked = ahead.groupby("item")["quantity"].sum().reindex(supply.index, fill_value=0)
    assert 0.1 < float((supply < asked).mean()) < 0.9
    sites = brand.table("sites").set_index("site")
    outbound = sites["outbound_units"].dropna()
    weekly = float(asked.sum()) / 13
    assert outbound["DE-HAM"] < weekly < 1.6 * outbound.sum()


def test_bonded_stock_says_since_when_and_free_stock_does_not(brand: Brand) -> None:
    stock = brand.table("stock")
    bonded = stock["customs"] == "bonded"
    assert set(stock.loc[bonded, "site"]) == {"CN-SZX", "CN-CAN"}
    assert stock["bonded_since"].notna().eq(bonded).all()
    assert (stock.loc[bonded, "bonded_since"] < pd.Timestamp(TODAY)).all()


def test_every_region_has_a_tax_rule_in_force(brand: Brand) -> None:
    taxes_now = brand.table("taxes")
    day = pd.Timestamp(brand.rules_date)
    holds = (taxes_now["valid_from"] <= day) & ~(taxes_now["valid_to"] < day)
    in_force = set(taxes_now.loc[holds, "country"])
    assert set(brand.table("regions")["country"]) <= in_force
    assert (brand.table("duties")["source"] != "").all()
    assert (taxes_now["source"] != "").all()


def test_relief_in_the_union_ends_and_the_american_surcharge_comes_and_goes() -> None:
    german = taxes({"DE"})
    assert list(german["de_minimis_duty"]) == [150, 0]
    assert list(german["valid_from"]) == ["2021-07-01", "2026-07-01"]
    american = duties().query("destination == 'US' and origin == 'CN' and hs_prefix == '6912'")
    assert list(american["duty_rate"].astype(float)) == pytest.approx([0.173, 0.273, 0.173])


@pytest.mark.parametrize(
    ("description", "category"),
    [
        ("WHITE HANGING HEART T-LIGHT HOLDER", "glassware"),
        ("GRAND CHOCOLATECANDLE", "candles and matches"),
        ("ZINC WILLIE WINKIE CANDLE STICK", "metalware"),
        ("CHOCOLATE HOT WATER BOTTLE", "hot water bottles"),
        ("JUMBO BAG RED RETROSPOT", "bags and purses"),
        ("SET/20 RED RETROSPOT PAPER NAPKINS", "paper and party"),
        ("REGENCY CAKESTAND 3 TIER", "ceramics"),
        ("PICNIC BASKET WICKER SMALL", "baskets and wicker"),
        ("ICE CREAM SUNDAE LIP GLOSS", "cosmetics"),
        ("NOBODY KNOWS WHAT THIS IS", "general gifts"),
    ],
)
def test_a_description_decides_the_category(description: str, category: str) -> None:
    assert category_of(description, categories()) == category


def test_measures_are_imputed_for_every_item(brand: Brand) -> None:
    items = brand.table("items")
    assert items["weight_kg"].between(0.02, 12).all()
    assert (items[["length_cm", "width_cm", "height_cm", "value"]] > 0).all(axis=None)
    assert items["hs_code"].str.fullmatch(r"\d{6}").all()
    assert items["origin"].isin(["CN", "IN", "GB", "TH"]).all()


def test_offers_come_from_at_least_two_suppliers_and_shares_add_up(brand: Brand) -> None:
    offers = brand.table("offers")
    assert (offers.groupby("item")["supplier"].nunique() >= 2).all()
    assert offers.groupby("item")["share"].sum().to_numpy() == pytest.approx(np.ones(ITEMS))


def test_the_same_count_gives_the_same_brand(brand: Brand) -> None:
    again = build(ITEMS, lambda _, __: None).brand
    for name, frame in brand.tables.items():
        pd.testing.assert_frame_equal(frame, again.table(name), obj=name)


def test_the_folder_says_what_is_real_and_credits_the_source(folder: Path) -> None:
    readme = (folder / "README.md").read_text(encoding="utf-8")
    assert "Chen, Sain and Guo" in readme
    assert "CC BY 4.0" in readme
    assert "$" not in readme


def test_the_sample_order_is_a_real_one_after_the_planning_date(folder: Path, brand: Brand) -> None:
    order = json.loads((folder / "ORDER.json").read_text(encoding="utf-8"))
    real = brand.table("orders").query("order == @order['order']")
    assert [line["item"] for line in order["lines"]] == list(real["item"])
    assert [line["quantity"] for line in order["lines"]] == list(real["quantity"])
    assert date.fromisoformat(order["placed_at"][:10]) >= TODAY


@pytest.mark.parametrize("items", [0, -3, MOST_ITEMS + 1])
def test_a_count_out_of_range_is_refused(items: int) -> None:
    with pytest.raises(BadInput, match="items"):
        build(items, lambda _, __: None)
