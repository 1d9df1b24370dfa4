"""The report: one page that stands alone, and says what the values say."""

import re
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from defusedxml import ElementTree

from api.reports.charts import Band, Weeks, compact, fan, nice_ticks
from api.reports.forecast import forecast_report
from core.brand import Brand
from core.folder.writer import complete
from tests.inventory.demand.made import accuracy_made, forecast_made
from tests.inventory.demand.market import brand_with, noisy

OVERRIDE = {
    "override": "FAIR", "region": "DE", "item": "MUG", "start": "2026-09-14", "end": "2026-09-20",
    "factor": 2.0, "who": "Pia <Planner>", "made": "2026-09-01", "why": "The autumn fair & more",
}  # fmt: skip


@pytest.fixture(scope="module")
def brand() -> Brand:
    """Two items in two markets, and one override."""
    made = brand_with(noisy(8), date(2026, 6, 1), date(2026, 9, 7))
    return made.with_table("overrides", complete("overrides", pd.DataFrame([OVERRIDE])))


@pytest.fixture(scope="module")
def page(brand: Brand) -> str:
    return forecast_report(brand, forecast_made(brand), accuracy_made(brand))


class Names(HTMLParser):
    """Collects the ids of a page, the links inside it, and pictures without a text."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.silent: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if given.get("id"):
            self.ids.append(str(given["id"]))
        if str(given.get("href", "")).startswith("#"):
            self.links.append(str(given["href"])[1:])
        if tag == "svg" and not given.get("aria-label") and given.get("aria-hidden") != "true":
            self.silent.append(tag)


def plain(page: str) -> str:
    """The text of a page without its marks, as one line."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def test_the_page_asks_for_nothing_and_runs_nothing(page: str) -> None:
    assert not re.search(r"<(script|link|img|iframe)\b|\bsrc=|@import|url\(|https?://", page)
    assert not re.search(r"\son[a-z]+=", page)


def test_every_link_leads_somewhere_and_every_picture_has_a_text(page: str) -> None:
    names = Names()
    names.feed(page)
    assert set(names.links) <= set(names.ids)
    assert len(names.ids) == len(set(names.ids))
    assert names.silent == []


def test_every_drawing_is_well_formed(page: str) -> None:
    drawings = re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL)
    assert len(drawings) > 5
    for drawing in drawings:
        ElementTree.fromstring(drawing)
        assert "nan" not in drawing.casefold().replace("naive", "")


def test_the_page_tells_peers_alarms_findings_and_overrides(page: str) -> None:
    text = plain(page)
    assert "naive 80.0 %" in text
    assert "A quarter too high." in text
    assert "900 units kept as 40." in text
    assert "Harvest fair 14 Sep 2026" in text
    assert "2 of 3 (67 %)" in text
    assert "-25 %" in text


def test_what_people_write_cannot_break_out_of_the_page(page: str) -> None:
    assert "Pia &lt;Planner&gt;" in page
    assert "<Planner>" not in page


def test_an_overridden_week_shows_what_statistics_said(brand: Brand, page: str) -> None:
    """Ten mugs and twenty cups a week; the mugs of one week are doubled."""
    assert "Week of 2026-09-14: statistics said 30, overridden to 40" in page
    without = forecast_report(
        brand.with_table("overrides", brand.table("overrides").iloc[:0]),
        forecast_made(brand.with_table("overrides", brand.table("overrides").iloc[:0])),
    )
    assert '<circle class="dot" cx' not in without.split("</ul></figure>")[1]


def test_without_a_backtest_the_page_says_how_to_get_one(brand: Brand) -> None:
    text = plain(forecast_report(brand, forecast_made(brand)))
    assert "--backtest 4" in text
    assert "By planning date" not in text


def test_the_same_values_give_the_same_bytes(brand: Brand, page: str) -> None:
    assert forecast_report(brand, forecast_made(brand), accuracy_made(brand)) == page


def test_nothing_found_and_nothing_judged_is_a_page_too(brand: Brand) -> None:
    made = forecast_made(brand)
    unknown = made.series_methods.assign(value_added=np.nan)
    bare = replace(made, findings=(), events=made.events.iloc[:0], series_methods=unknown)
    text = plain(forecast_report(brand, bare, accuracy_made(brand, alarms=())))
    assert "Nothing: no line was clipped" in text
    assert "too short to judge single series" in text
    assert "No alarm" in text


def test_a_forecast_without_width_is_drawn_as_a_line() -> None:
    weeks = Weeks((date(2026, 9, 7),), (date(2026, 9, 14), date(2026, 9, 21)))
    empty = np.full(2, np.nan)
    drawn = fan(weeks, [3.0], Band(np.array([2.0, 0.0]), empty, empty, empty, empty), "Total")
    assert (drawn.outer, drawn.inner) == ("", "")
    assert drawn.middle.count("L") == 1
    assert "the first week mean 2" in drawn.label


def test_a_series_of_nothing_but_zeros_is_drawn_at_the_bottom() -> None:
    weeks = Weeks((date(2026, 9, 7),), (date(2026, 9, 14),))
    zero = np.zeros(1)
    drawn = fan(weeks, [0.0], Band(zero, zero, zero, zero, zero), "Dead")
    assert drawn.history.endswith(f" {drawn.bottom:g}")


@pytest.mark.parametrize("most", [1e-9, 0.3, 1.0, 7.0, 99.0, 1234.0, 1e9])
def test_ticks_are_few_and_reach_close_to_the_largest(most: float) -> None:
    ticks = nice_ticks(most)
    assert 2 <= len(ticks) <= 6
    assert 0.6 * most <= ticks[-1] <= most * (1 + 1e-6)
    assert len({compact(tick) for tick in ticks}) == len(ticks)
