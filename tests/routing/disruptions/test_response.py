"""Response: a flood ends in purchase orders at the second supplier, a rumor in a watch."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from core.places import Point
from routing.disruptions.geometry import Geometry, Polygon
from routing.disruptions.response import respond
from routing.disruptions.signal import version_key
from routing.disruptions.situation import Situation
from tests.routing.disruptions.scenes import centroid_near_bangkok, flood, lamps_from_ayutthaya


def test_a_thai_flood_moves_the_purchase_order() -> None:
    """The stock lasts 20 days, the maker needs 21 to 90: lamps come from Ningbo on day 20.

    With one chance in five each it is back after 34, 43, 51, 60 or 72 days; a lamp that is needed
    with one chance in five is worth 0.2 * (20 - 9) against 0.8 * 0.25 * 9, so the last day counts:
    786 lamps, in whole dozens.
    """
    (incident,) = respond([flood()], Situation(lamps_from_ayutthaya()))
    (draft,) = incident.drafts
    assert (draft.supplier, draft.item, draft.site, draft.quantity) == (
        "NINGBO", "LAMP", "DE-HAM", 780,
    )  # fmt: skip
    assert (draft.order_by, draft.arrives) == (date(2011, 10, 17), date(2011, 11, 6))
    assert draft.unit_cost.as_json() == {"amount": 900, "currency": "EUR"}
    assert draft.loss_avoided.as_json() == {
        "amount": (209 + 350 + 459 + 593 + 780) * 2000 // 5, "currency": "EUR",
    }  # fmt: skip
    assert [action["action"] for action in incident.actions] == [
        "order", "confirm", "reroute", "accept",
    ]  # fmt: skip
    assert [units for _, units, _ in incident.uncovered] == [1]  # six of the last dozen, 1 in 5


def test_a_centroid_raises_a_watch_and_never_an_order() -> None:
    (incident,) = respond([centroid_near_bangkok()], Situation(lamps_from_ayutthaya()))
    assert incident.alert_json()["severity"] == "watch"
    assert incident.drafts == ()
    assert [action["action"] for action in incident.actions] == ["watch"]


def test_the_most_precise_words_about_an_event_count() -> None:
    words = [centroid_near_bangkok(), flood(part=1)]
    (incident,) = respond(words, Situation(lamps_from_ayutthaya()))
    assert incident.signal.precision == "polygon"
    assert incident.drafts


def test_a_polygon_elsewhere_silences_the_centroid() -> None:
    """The point near Bangkok belonged to water 800 km away."""
    square = ((6, 101), (6.6, 101), (6.6, 101.5), (6, 101))
    far = Geometry((Polygon(tuple(Point(*pair) for pair in square)),))
    words = [centroid_near_bangkok(), flood(geometry=far, part=1)]
    assert respond(words, Situation(lamps_from_ayutthaya())) == ()


def test_one_warning_in_two_languages_is_one_incident() -> None:
    words = [flood(part=0), flood(part=1, title="น้ำท่วม")]
    (incident,) = respond(words, Situation(lamps_from_ayutthaya()))
    assert incident.scope == "0"


def test_the_newest_version_counts() -> None:
    words = [flood(version="10"), flood(version="9", geometry=None, precision="zone")]
    (incident,) = respond(words, Situation(lamps_from_ayutthaya()))
    assert incident.signal.version == "10"
    assert respond([flood(), flood(version="2", status="cancelled")],
                   Situation(lamps_from_ayutthaya())) == ()  # fmt: skip
    assert version_key("2011-10-17T08:00:00Z") > version_key("2011-10-17T07:59:59Z")


def test_a_test_message_and_a_far_one_raise_nothing() -> None:
    situation = Situation(lamps_from_ayutthaya())
    assert respond([flood(status="test")], situation) == ()
    assert respond([flood(geometry=None, precision="zone", countries=("US",))], situation) == ()


def test_an_incident_keeps_its_name_from_version_to_version() -> None:
    situation = Situation(lamps_from_ayutthaya())
    (first,) = respond([flood()], situation)
    (second,) = respond([flood(version="2", title="Flood grows")], situation)
    assert first.key == second.key


def test_a_flooded_second_supplier_gets_no_order_and_the_gap_is_named() -> None:
    suppliers: list[Mapping[str, Any]] = [
        {"supplier": "AYUTTHAYA", "site": "TH-AYT", "recover_days_likely": 45},
        {"supplier": "NINGBO", "site": "TH-AYT"},
        {"supplier": "UNTRIED"},
    ]
    (incident,) = respond([flood()], Situation(lamps_from_ayutthaya(suppliers=suppliers)))
    assert incident.drafts == ()
    assert incident.uncovered[0][0] == "LAMP"
    assert "qualify" in incident.uncovered[0][2]


def test_a_dropped_supplier_gets_no_order_while_another_one_can_deliver() -> None:
    late: list[Mapping[str, Any]] = [
        {"supplier": "NINGBO", "item": "LAMP", "committed": f"2011-0{month}-01",
         "received": f"2011-0{month}-28", "ordered_quantity": 100, "received_quantity": 50,
         "defective_quantity": 20, "price_index": 1.5, "answer_hours": 200}
        for month in (6, 7, 8, 9)
        for _ in range(10)
    ]  # fmt: skip
    offers: list[Mapping[str, Any]] = [
        {"supplier": "AYUTTHAYA", "item": "LAMP", "unit_cost": 8.0, "share": 1},
        {"supplier": "NINGBO", "item": "LAMP", "unit_cost": 7.0, "lead_days": 20},
        {"supplier": "UNTRIED", "item": "LAMP", "unit_cost": 9.0, "lead_days": 20},
    ]
    (both,) = respond([flood()], Situation(lamps_from_ayutthaya(deliveries=late, offers=offers)))
    assert {draft.supplier for draft in both.drafts} == {"UNTRIED"}
    alone = lamps_from_ayutthaya(deliveries=late, offers=offers[:2])
    (last,) = respond([flood()], Situation(alone))
    assert {draft.supplier for draft in last.drafts} == {"NINGBO"}


def test_a_flood_over_every_serving_site_leaves_nowhere_to_send_goods() -> None:
    world = Polygon(tuple(Point(*p) for p in ((5, 0), (60, 0), (60, 110), (5, 110), (5, 0))))
    (incident,) = respond([flood(geometry=Geometry((world,)))], Situation(lamps_from_ayutthaya()))
    assert incident.drafts == ()
    assert {reason for _, _, reason in incident.uncovered} == {
        "Every site that could receive the goods is inside the hazard."
    }
