"""Impact: what a flood means in days, money and severity."""

import math

import numpy as np
import pytest

from core.places import Point
from routing.disruptions.impact import impact
from routing.disruptions.situation import Situation
from tests.routing.disruptions.scenes import (
    AYUTTHAYA,
    centroid_near_bangkok,
    circle,
    flood,
    lamps_from_ayutthaya,
)


def test_a_polygon_over_ayutthaya_reaches_the_maker_and_leaves_bangkok_dry() -> None:
    met = impact(flood(), Situation(lamps_from_ayutthaya()))
    assert met.exposure.sites == ("TH-AYT",)
    assert met.exposure.suppliers == ("AYUTTHAYA",)
    assert [one.item for one in met.items] == ["LAMP"]
    assert met.regions == ("DE", "TH")  # where lamps are asked for


def test_survival_is_stock_over_daily_need() -> None:
    met = impact(flood(), Situation(lamps_from_ayutthaya()))
    assert met.time_to_survive_days == 20
    assert met.time_to_recover_days == 52


def test_revenue_at_risk_is_that_of_a_seeded_simulation() -> None:
    met = impact(flood(), Situation(lamps_from_ayutthaya()))
    recovery = np.random.default_rng(11).triangular(21, 45, 90, 400_000)
    lost = np.mean(np.maximum(0, recovery - 20) * 15 * 20)
    assert float(met.revenue_at_risk.amount) == pytest.approx(float(lost), rel=0.005)
    assert met.probability == 1.0
    assert met.severity == "critical"


def test_inbound_counts_when_it_goes_to_a_dry_site() -> None:
    due = {"item": "LAMP", "quantity": 150, "due": "2011-10-20"}
    dry = lamps_from_ayutthaya(inbound=[{"site": "DE-HAM", **due}])
    wet = lamps_from_ayutthaya(inbound=[{"site": "TH-AYT", **due}])
    assert impact(flood(), Situation(dry)).time_to_survive_days == 30
    assert impact(flood(), Situation(wet)).time_to_survive_days == 20


def test_a_second_active_supplier_slows_the_drain() -> None:
    """With half of the volume bought in Ningbo, the stock lasts twice as long."""
    offers = [
        {"supplier": "AYUTTHAYA", "item": "LAMP", "unit_cost": 8.0, "share": 0.5},
        {"supplier": "NINGBO", "item": "LAMP", "unit_cost": 9.0, "share": 0.5},
    ]
    met = impact(flood(), Situation(lamps_from_ayutthaya(offers=offers)))
    assert met.time_to_survive_days == 40


def test_stock_in_a_flooded_warehouse_does_not_count() -> None:
    over_bangkok = flood(geometry=circle(Point(13.69, 100.75), 20), precision="circle")
    met = impact(over_bangkok, Situation(lamps_from_ayutthaya()))
    assert met.exposure.sites == ("TH-BKK",)
    (lamp,) = met.items
    assert lamp.cover.stock == 200
    assert lamp.suppliers == ()


def test_a_centroid_is_only_a_watch_however_near() -> None:
    met = impact(centroid_near_bangkok(), Situation(lamps_from_ayutthaya()))
    assert met.severity == "watch"
    assert not met.orders_allowed
    assert met.exposure.sites == ("TH-BKK", "TH-AYT")  # everything in the countries named


def test_a_centroid_without_country_watches_its_surroundings() -> None:
    lost = centroid_near_bangkok(countries=())
    assert impact(lost, Situation(lamps_from_ayutthaya())).exposure.sites == ("TH-BKK", "TH-AYT")


def test_a_zone_without_country_reaches_nothing() -> None:
    nowhere = flood(geometry=None, precision="zone")
    assert impact(nowhere, Situation(lamps_from_ayutthaya())).exposure.nothing


def test_the_feeds_own_color_plays_no_part() -> None:
    situation = Situation(lamps_from_ayutthaya())
    colors = [impact(flood(severity=word), situation) for word in ("minor", "extreme", "unknown")]
    assert len({met.severity for met in colors}) == 1


def test_stock_beyond_every_recovery_makes_it_medium() -> None:
    stock = [{"site": "DE-HAM", "item": "LAMP", "on_hand": 15 * 90}]
    met = impact(flood(), Situation(lamps_from_ayutthaya(stock=stock)))
    assert (met.severity, met.probability, met.revenue_at_risk.minor) == ("medium", 0.0, 0)


def test_an_item_that_nobody_asks_for_never_runs_out() -> None:
    met = impact(flood(), Situation(lamps_from_ayutthaya(forecast=[])))
    assert met.time_to_survive_days == math.inf
    assert met.revenue_at_risk.minor == 0


def test_without_forecast_the_last_thirteen_weeks_speak() -> None:
    demand = [
        {"date": "2011-10-17", "region": "DE", "item": "LAMP", "quantity": 91 * 5, "price": 30},
        {"date": "2011-07-01", "region": "DE", "item": "LAMP", "quantity": 10_000, "price": 1},
        {"date": "2011-10-18", "region": "DE", "item": "LAMP", "quantity": 10_000, "price": 1},
    ]
    met = impact(flood(), Situation(lamps_from_ayutthaya(forecast=[], demand=demand)))
    assert met.time_to_survive_days == 60
    assert met.items[0].price == 30


def test_more_stock_never_raises_the_risk() -> None:
    risks = []
    for units in (0, 100, 300, 900, 2000):
        stock = [{"site": "DE-HAM", "item": "LAMP", "on_hand": units}]
        met = impact(flood(), Situation(lamps_from_ayutthaya(stock=stock)))
        risks.append(met.revenue_at_risk.minor)
    assert risks == sorted(risks, reverse=True)


def test_a_circle_reaches_what_is_inside_it() -> None:
    near = flood(geometry=circle(AYUTTHAYA, 5), precision="circle")
    far = flood(geometry=circle(Point(6.3345, 101.141), 100), precision="circle")
    situation = Situation(lamps_from_ayutthaya())
    assert impact(near, situation).exposure.suppliers == ("AYUTTHAYA",)
    assert impact(far, situation).exposure.nothing
