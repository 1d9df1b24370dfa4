from dataclasses import replace
from datetime import UTC, date, datetime, time

import pytest

from tests.builders import two_sites_one_item
from warehouses.bond import bond_ends, leaves_in_bond
from warehouses.network import Network, Site


@pytest.fixture
def site() -> Site:
    """Bangkok: 30 days in bond, works Monday to Friday, cut-off 16:00 (09:00 UTC)."""
    known = Network.of(two_sites_one_item()).site["TH-BKK"]
    week = frozenset({1, 2, 3, 4, 5})
    return replace(known, bond_days=30.0, working_days=week, cutoff=time(16))


def test_goods_leave_in_bond_up_to_the_day_before_it_ends(site: Site) -> None:
    """In bond since Thursday 13 August: the last day is Friday 11 September, worked by hand."""
    since = date(2026, 8, 13)
    assert bond_ends(site.bond_days, since) == date(2026, 9, 12)
    in_time, too_late = (datetime(2026, 9, 11, hour, 59, tzinfo=UTC) for hour in (8, 9))
    assert leaves_in_bond(site, since, in_time)
    assert not leaves_in_bond(site, since, too_late)  # would leave on Monday 14


def test_part_of_a_day_counts_as_a_day(site: Site) -> None:
    assert bond_ends(29.5, date(2026, 8, 13)) == date(2026, 9, 12)


def test_without_a_limit_or_a_first_day_bond_never_ends(site: Site) -> None:
    late = datetime(2030, 1, 1, tzinfo=UTC)
    assert leaves_in_bond(site, None, late)
    assert leaves_in_bond(replace(site, bond_days=float("inf")), date(2020, 1, 1), late)
