"""How pages write numbers, money and moments, and how data stands inside a page."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from api.console.rendering import DASH, data_block, day, moment, money, number, share
from core.money import Money


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (number(1234567), "1,234,567"),
        (number(None), DASH),
        (share(0.98765), "98.8 %"),
        (money(Money(123456, "GBP")), "£1,234.56"),
        (money({"amount": 1500, "currency": "JPY"}), "¥1,500"),
        (money(1234567.8, "EUR"), "€1,234,568"),
        (money(12.5, "EUR"), "€12.50"),
        (money(None), DASH),
        (day(date(2026, 9, 7)), "7 Sep 2026"),
        (day("2026-09-07"), "7 Sep 2026"),
        (moment(datetime(2026, 9, 7, 8, 5, tzinfo=UTC)), "7 Sep 08:05"),
        (moment(datetime(2026, 9, 7, 8, 5, tzinfo=timezone(timedelta(hours=2)))), "7 Sep 06:05"),
    ],
)
def test_values_are_written_as_people_read_them(written: str, shown: str) -> None:
    assert written == shown


def test_data_inside_a_page_cannot_end_its_element() -> None:
    assert "</script" not in str(data_block({"name": "</script><script>alert(1)"}))
    assert "<!--" not in str(data_block("<!--"))
