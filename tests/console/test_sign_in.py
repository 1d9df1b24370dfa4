"""Signing in, staying in, and keeping others out."""

from collections.abc import Callable

import pytest
from starlette.testclient import TestClient

from api.services.keys import CONSOLE_HOURS
from tests.console.conftest import form_token
from tests.fakes import FakeClock


def test_a_page_leads_a_stranger_to_the_sign_in_and_back(
    client: TestClient, token: Callable[[str], str]
) -> None:
    sent = client.get("/stock?site=DE-HAM", follow_redirects=False)
    assert (sent.status_code, sent.headers["location"]) == (
        303,
        "/sign-in?next=%2Fstock%3Fsite%3DDE-HAM",
    )
    form = {"key": token("planner"), "next": "/stock?site=DE-HAM"}
    back = client.post("/sign-in", data=form, follow_redirects=False)
    assert back.headers["location"] == "/stock?site=DE-HAM"
    assert client.get("/stock").status_code == 200


def test_a_wrong_key_gets_the_form_again_and_no_cookie(client: TestClient) -> None:
    answer = client.post("/sign-in", data={"key": "ent_abc_def"})
    assert answer.status_code == 403
    assert "unknown or revoked" in answer.text
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("role", ["order-service", "carrier", "auditor"])
def test_only_planners_and_admins_may_use_the_console(
    client: TestClient, token: Callable[[str], str], role: str
) -> None:
    answer = client.post("/sign-in", data={"key": token(role)})
    assert answer.status_code == 403
    assert role in answer.text
    assert client.get("/", follow_redirects=False).status_code == 303


def test_an_admin_may_use_the_console(client: TestClient, token: Callable[[str], str]) -> None:
    client.post("/sign-in", data={"key": token("admin")}, follow_redirects=False)
    assert client.get("/").status_code == 200


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(
    client: TestClient, token: Callable[[str], str]
) -> None:
    key = token("planner")
    answer = client.post("/sign-in", data={"key": key}, follow_redirects=False)
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Path=/" in cookie
    assert key.split("_")[2] not in cookie


def test_a_sign_in_ends_after_its_hours(planner: TestClient, clock: FakeClock) -> None:
    clock.pass_(hours=CONSOLE_HOURS - 0.1)
    assert planner.get("/").status_code == 200
    clock.pass_(hours=0.2)
    assert planner.get("/", follow_redirects=False).status_code == 303


def test_signing_out_ends_the_session_for_good(planner: TestClient) -> None:
    stolen = dict(planner.cookies)
    left = planner.post("/sign-out", data={"csrf": form_token(planner)}, follow_redirects=False)
    assert left.headers["location"] == "/sign-in"
    planner.cookies.update(stolen)
    assert planner.get("/", follow_redirects=False).status_code == 303


@pytest.mark.parametrize("wanted", ["//elsewhere.example", "https://elsewhere.example", "/\\evil"])
def test_the_way_back_never_leaves_the_console(
    client: TestClient, token: Callable[[str], str], wanted: str
) -> None:
    form = {"key": token("planner"), "next": wanted}
    answer = client.post("/sign-in", data=form, follow_redirects=False)
    assert answer.headers["location"] == "/"


def test_a_form_without_its_token_changes_nothing(planner: TestClient) -> None:
    for form in ({}, {"csrf": "0" * 64}, {"csrf": "ä"}):
        assert planner.post("/sign-out", data=form).status_code == 403
    assert planner.get("/").status_code == 200


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://elsewhere.example"}, {"Sec-Fetch-Site": "cross-site"}]
)
def test_a_form_that_another_site_sends_is_refused(
    planner: TestClient, headers: dict[str, str]
) -> None:
    form = {"csrf": form_token(planner)}
    assert planner.post("/sign-out", data=form, headers=headers).status_code == 403
    assert planner.get("/").status_code == 200


def test_an_origin_that_is_no_address_is_refused(
    client: TestClient, token: Callable[[str], str]
) -> None:
    """An `Origin` that no parser reads made signing in fail with 500."""
    form = {"key": token("planner")}
    answer = client.post("/sign-in", data=form, headers={"Origin": "http://["})
    assert answer.status_code == 403


def test_a_stream_or_part_tells_a_stranger_401(client: TestClient) -> None:
    for page in ("/console/events", "/console/network.json", "/console/parts/tiles"):
        assert client.get(page, follow_redirects=False).status_code == 401
    part = client.get("/console/parts/tiles", headers={"HX-Request": "true"})
    assert part.headers["HX-Redirect"] == "/sign-in"
