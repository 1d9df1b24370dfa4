"""The risk page: an alert, its drafts, and what a press of a button does once."""

from collections.abc import Sequence

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from api.database import session_factory
from api.services.risk import take_signals
from core.brand import Brand
from routing.disruptions.signal import Signal
from tests.console.conftest import form_token
from tests.fakes import FakeClock, seeded_entropy
from tests.routing.disruptions.scenes import centroid_near_bangkok, flood, lamps_from_ayutthaya

pytestmark = pytest.mark.usefixtures("loaded")


@pytest.fixture
def brand() -> Brand:
    """Lamps that are made where the flood is."""
    return lamps_from_ayutthaya()


def warned(app: FastAPI, clock: FakeClock, *signals: Signal) -> Sequence[str]:
    """Takes signals in and returns the ids of their alerts."""
    given = signals or (flood(),)
    with session_factory(app.state.engine).begin() as session:
        return take_signals(session, given, clock, seeded_entropy(9)).alerts


def test_a_flood_shows_what_is_at_risk_and_what_to_order(
    app: FastAPI, planner: TestClient, clock: FakeClock
) -> None:
    (alert,) = warned(app, clock)
    page = planner.get("/risk").text
    assert f'data-alert="{alert}"' in page
    for told in ("Revenue at risk", "AYUTTHAYA", "NINGBO", "Place these purchase orders"):
        assert told in page
    assert "open alerts: " in planner.get("/").text


def test_placing_the_drafts_twice_orders_once(
    app: FastAPI, planner: TestClient, clock: FakeClock
) -> None:
    (alert,) = warned(app, clock)
    form = {"csrf": form_token(planner, "/risk")}
    for _ in range(2):
        answer = planner.post(f"/risk/{alert}/apply", data=form, follow_redirects=False)
        assert answer.headers["location"] == f"/risk#{alert}"
    page = planner.get("/risk").text
    assert page.count('<span class="id">por_') == 1
    assert "Place these purchase orders" not in page


def test_acknowledging_takes_the_button_away_and_keeps_the_alert(
    app: FastAPI, planner: TestClient, clock: FakeClock
) -> None:
    (alert,) = warned(app, clock)
    form = {"csrf": form_token(planner, "/risk")}
    planner.post(f"/risk/{alert}/acknowledge", data=form)
    page = planner.get("/risk").text
    assert 'data-state="acknowledged"' in page
    assert ">Acknowledge<" not in page
    assert planner.post("/risk/alr_none/acknowledge", data=form).status_code == 404


def test_a_centroid_offers_nothing_to_order(
    app: FastAPI, planner: TestClient, clock: FakeClock
) -> None:
    warned(app, clock, centroid_near_bangkok())
    page = planner.get("/risk").text
    assert "watch" in page
    assert "Place these purchase orders" not in page


def test_another_sign_in_cannot_place_orders(
    app: FastAPI, planner: TestClient, clock: FakeClock
) -> None:
    (alert,) = warned(app, clock)
    assert planner.post(f"/risk/{alert}/apply", data={"csrf": "f" * 64}).status_code == 403
    assert "Nothing is on order" in planner.get("/risk").text
