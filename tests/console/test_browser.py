"""A planner at the console, in headless Chromium, against the real service and a real worker."""

import os
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi import FastAPI
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright
from sqlalchemy import Engine

from api.app import create_app
from api.console.assets import missing_assets
from api.database import engine_for, session_factory
from api.jobs.runner import Runner
from api.migrations import schema
from api.services.brands import load_brand
from api.services.keys import create_key
from api.settings import Settings
from core.clock import SystemClock
from tests.console.brands import six_hubs
from tests.console.test_pages import PAGES
from tests.serving import serving

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
LOOPBACK = {"127.0.0.1", "localhost"}
WAIT_MS = 60_000
"""How long a step may take on a machine that does much else."""

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
]


@dataclass
class House:
    """A service at an address, keys of a planner and of a shop, and what its pages did wrong."""

    address: str
    key: str
    orders: str
    app: FastAPI
    outside: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    missing = missing_assets()
    assert not missing, f"run `npm ci` and `python -m api.console.assets`: {missing} missing"
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=sandbox)
        yield opened
        opened.close()


def _engine(folder: Path) -> Engine:
    engine = engine_for(f"sqlite:///{folder / 'entrepot.sqlite'}")
    schema.upgrade(engine)
    return engine


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """The service with six hubs loaded, served on a free port."""
    engine = _engine(tmp_path)
    clock = SystemClock()
    with session_factory(engine).begin() as session:
        load_brand(session, six_hubs(), clock, os.urandom)
        key = create_key(session, "Pia Planner", "planner", clock.now(), os.urandom)
        shop = create_key(session, "Shop", "order-service", clock.now(), os.urandom)
    app = create_app(Settings(home=tmp_path), engine)
    with serving(app) as address:
        yield House(address, key.token, shop.token, app)
    engine.dispose()


@pytest.fixture
def page(browser: Browser, house: House) -> Iterator[Page]:
    """A page whose requests off this machine are stopped and noted, as are its errors."""
    context = browser.new_context(viewport={"width": 1380, "height": 900})
    opened = context.new_page()
    opened.set_default_timeout(WAIT_MS)

    def guard(route: Route) -> None:
        if urlsplit(route.request.url).hostname in LOOPBACK:
            route.continue_()
        else:
            house.outside.append(route.request.url)
            route.abort()

    context.route("**/*", guard)
    opened.on("console", lambda message: _note(house, message.type, message.text))
    opened.on("pageerror", lambda error: house.errors.append(str(error)))
    yield opened
    context.close()
    assert house.outside == []
    assert house.errors == []


def _note(house: House, kind: str, text: str) -> None:
    """Keeps errors; that an answer was a refusal is what some tests ask for."""
    refused = "status of 403" in text or "status of 422" in text
    if kind in {"error", "warning"} and not refused:
        house.errors.append(text)


@pytest.fixture
def worker(house: House) -> Iterator[threading.Event]:
    """A worker that works on due jobs once the event is set."""
    go = threading.Event()
    runner = Runner(house.app.state.sessions, SystemClock(), "test worker")

    def work() -> None:
        go.wait()
        while not runner.stopping.wait(0.05):
            runner.run_due()

    thread = threading.Thread(target=work)
    thread.start()
    yield go
    go.set()
    runner.stopping.set()
    thread.join(timeout=60)


def sign_in(page: Page, house: House) -> None:
    page.goto(house.address)
    page.get_by_label("API key").fill(house.key)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("navigation", name="Main")).to_be_visible(timeout=WAIT_MS)


def test_a_wrong_key_is_refused(page: Page, house: House) -> None:
    page.goto(house.address)
    page.get_by_label("API key").fill("ent_0000_1111")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("unknown or revoked")
    assert urlsplit(page.url).path == "/sign-in"


def test_the_map_shows_six_hubs_and_their_lanes(page: Page, house: House) -> None:
    sign_in(page, house)
    expect(page.locator("[data-map][data-state=ready]")).to_be_visible(timeout=WAIT_MS)
    expect(page.locator("[data-hub=true]")).to_have_count(6)
    expect(page.locator("path.lane")).to_have_count(7)
    hamburg = page.locator("a.site[data-site='DE-HAM']")
    expect(hamburg).to_have_attribute("data-tier", "central")
    hamburg.focus()
    lit = page.locator("g.route.lit")
    expect(lit).to_have_count(4)
    hamburg.press("Enter")
    expect(page.get_by_role("heading", name="Stock", exact=True)).to_be_visible()


def test_a_scenario_is_started_watched_and_compared(
    page: Page, house: House, worker: threading.Event
) -> None:
    sign_in(page, house)
    page.get_by_role("link", name="Scenarios").click()
    page.get_by_label("Prepared").select_option(label="Demand up 30% everywhere")
    page.get_by_role("button", name="Run the scenario").click()
    bar = page.get_by_role("progressbar")
    expect(bar).to_have_count(1)
    # Notes each value that the bar shows, until it is gone.
    page.evaluate("""() => {
        window.shown = [];
        const look = () => {
            const bar = document.querySelector("progress");
            if (bar && bar.value !== window.shown.at(-1)) window.shown.push(bar.value);
        };
        setInterval(look, 5);
    }""")
    worker.set()
    row = page.get_by_role("row").filter(has_text="Demand up 30%")
    expect(row).to_contain_text("succeeded", timeout=WAIT_MS)
    shown = page.evaluate("window.shown")
    assert shown[0] == 0
    assert shown == sorted(shown)
    assert shown[-1] == 1
    row.get_by_role("link", name="Compare with the base").click()
    expect(page.locator("#kpis")).to_contain_text("Fill")
    expect(page.get_by_role("heading", level=1)).to_contain_text("against base")
    expect(page.locator("[data-chart=waterfall][data-state=ready]")).to_be_visible()
    assert page.locator("#kpis tbody tr").count() > 5


def test_a_text_that_means_nothing_is_shown_again_with_what_is_wrong(
    page: Page, house: House
) -> None:
    sign_in(page, house)
    page.goto(f"{house.address}/scenarios")
    text = '\nname = "Nowhere"\n[[override]]\nsite = "ATLANTIS"\nstatus = "closed"'
    page.get_by_label("Scenario in TOML").fill(text)
    page.get_by_role("button", name="Run the scenario").click()
    expect(page.get_by_role("alert")).to_contain_text("ATLANTIS")
    expect(page.get_by_label("Scenario in TOML")).to_have_value(text)


def test_an_allocation_draws_its_flows(page: Page, house: House, worker: threading.Event) -> None:
    worker.set()
    sign_in(page, house)
    page.get_by_role("link", name="Allocation").click()
    page.get_by_role("button", name="Start an allocation").click()
    flows = page.locator("path.flow")
    expect(flows.first).to_be_attached(timeout=WAIT_MS)
    expect(page.locator("[data-chart=costs][data-state=ready]")).to_be_visible()
    expect(page.locator("[data-chart=buckets][data-state=ready]")).to_be_visible()
    expect(page.locator("#proof")).to_contain_text("proven within")
    expect(page.get_by_role("heading", name="What one more would be worth")).to_be_visible()


@pytest.mark.parametrize("width", [1280, 400])
def test_a_planner_asks_what_else_could_be_done_with_a_flow(
    page: Page, house: House, worker: threading.Event, width: int
) -> None:
    worker.set()
    page.set_viewport_size({"width": width, "height": 900})
    sign_in(page, house)
    page.goto(f"{house.address}/allocation")
    page.get_by_role("button", name="Start an allocation").click()
    expect(page.locator("path.flow").first).to_be_attached(timeout=WAIT_MS)
    page.get_by_label("Bucket", exact=True).select_option(index=2)
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.locator("path.flow").first).to_be_attached()
    for opened in ("#flows", "#rows"):
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        if opened == "#flows":
            page.get_by_text("largest flows as a table").click()
        page.locator(f"{opened} a").first.click()
        page.wait_for_url("**/allocation/*", wait_until="load")
    expect(page.locator("#ways")).to_contain_text("Leave unmet")
    expect(page.locator("#ways tr.chosen").first).to_contain_text("0.00")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.get_by_role("link", name="Back to the allocation").click()
    with page.expect_download() as report:
        page.get_by_role("link", name="Report to keep").click()
    assert "proven within" in Path(report.value.path()).read_text("utf-8")


def test_a_planner_drills_from_a_market_to_an_item_and_finds_the_way_back(
    page: Page, house: House
) -> None:
    sign_in(page, house)
    page.get_by_role("link", name="Forecast").click()
    expect(page.locator("[data-chart=fan][data-state=ready]")).to_be_visible()
    for step, heading in (
        ("Germany", "Germany"), ("kitchen", "kitchen"), ("Harbor mug", "Harbor mug MUG"),
    ):  # fmt: skip
        page.locator("#steps").get_by_role("link", name=step).click()
        expect(page.get_by_role("heading", level=2, name=heading, exact=True)).to_be_visible()
        expect(page.locator("[data-chart=fan][data-state=ready]")).to_have_count(1)
    expect(page).to_have_url(f"{house.address}/forecast?region=DE&category=kitchen&item=MUG")
    page.reload()
    expect(page.get_by_role("heading", level=2, name="Harbor mug MUG")).to_be_visible()
    page.get_by_role("navigation", name="Place").get_by_role("link", name="All markets").click()
    expect(page.locator("#steps tbody tr")).to_have_count(5)


def test_an_override_is_added_listed_and_withdrawn(page: Page, house: House) -> None:
    sign_in(page, house)
    page.goto(f"{house.address}/forecast?region=DE&category=kitchen")
    expect(page.get_by_label("Market")).to_have_value("DE")
    page.get_by_label("First day").fill("2026-09-14")
    page.get_by_label("Last day").fill("2026-09-20")
    page.get_by_label("Amount").fill("1.5")
    page.get_by_label("Why").fill("The autumn fair")
    page.get_by_role("button", name="Add the override").click()
    row = page.locator("#standing tbody tr")
    expect(row).to_contain_text("DE, kitchen")
    expect(row).to_contain_text("\N{MULTIPLICATION SIGN} 1.5")
    expect(row).to_contain_text("Pia Planner")
    expect(row).to_contain_text("The autumn fair")
    row.get_by_role("button", name="Withdraw").click()
    expect(page.get_by_text("No override", exact=True)).to_be_visible()
    page.get_by_text("1 withdrawn").click()
    expect(page.locator("#withdrawn")).to_contain_text("by Pia Planner")


@pytest.mark.parametrize("width", [1380, 400])
def test_a_planner_finds_an_order_and_reads_why_it_was_served_so(
    page: Page, house: House, width: int
) -> None:
    sold = {
        "order": "A-1001", "region": "DE", "currency": "EUR",
        "lines": [{"line": 1, "item": "MUG", "quantity": 90}],
    }  # fmt: skip
    headers = {"Authorization": f"Bearer {house.orders}", "Idempotency-Key": "A-1001"}
    httpx.post(f"{house.address}/v1/fulfillment-plans", json=sold, headers=headers, timeout=60)
    page.set_viewport_size({"width": width, "height": 900})
    sign_in(page, house)
    page.goto(f"{house.address}/orders")
    page.get_by_label("Order", exact=True).fill("A-1")
    page.get_by_role("button", name="Find").click()
    page.get_by_role("link", name="A-1001").click()
    expect(page.locator("[data-map][data-state=ready]")).to_be_visible(timeout=WAIT_MS)
    legs = page.locator("path.flow")
    assert legs.count() == 2, "ninety mugs leave from two sites"
    expect(page.locator("path.lane[data-mode=lost]").first).to_be_attached()
    expect(page.locator("#options tr.chosen")).to_contain_text("Chosen")
    assert page.locator("#options tbody tr").count() > 2
    expect(page.locator("#options thead")).to_contain_text("Lateness")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


@pytest.mark.parametrize(("scheme", "width"), [("light", 1380), ("dark", 420)])
def test_every_page_opens_without_an_error_and_fits(
    page: Page, house: House, scheme: str, width: int
) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.set_viewport_size({"width": width, "height": 900})
    sign_in(page, house)
    for path in PAGES:
        page.goto(house.address + path)
        expect(page.get_by_role("main")).to_be_visible()
        expect(page.get_by_role("heading", level=1)).to_have_count(1)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
