import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from core.brand import Brand
from core.errors import BadInput
from core.places import countries
from inventory.demand.calendar import Calendar, Shutdown, Span, named_days
from inventory.demand.events import generate
from inventory.demand.events.anchors import nth_weekday
from inventory.demand.events.names import SUBSTITUTE, clean_name, named
from inventory.demand.events.public import public_holidays
from inventory.demand.events.table import events_of, shutdowns_of
from tests.builders import brand_of

DAY = timedelta(days=1)


def days_of(country: str, name: str, year: int) -> list[date]:
    listed = named_days(country, date(year, 1, 1), date(year, 12, 31))
    return [day for day, found in listed if found == name]


def world(*rows: Mapping[str, object]) -> Brand:
    """A brand that sells in Dubai and Singapore, buys in Shenzhen, stores in Hamburg."""
    made = brand_of(
        sites=[
            {"site": "CN-SZX", "tier": "supplier", "country": "CN", "latitude": 22,
             "longitude": 114},
            {"site": "DE-HAM", "tier": "central", "country": "DE", "latitude": 53, "longitude": 10},
        ],
        regions=[
            {"region": "AE-DU", "country": "AE", "latitude": 25, "longitude": 55},
            {"region": "SG", "country": "SG", "latitude": 1, "longitude": 104},
        ],
        items=[{"item": "MUG", "weight_kg": 1, "value": 1}],
        **({"events": rows} if rows else {}),
    )  # fmt: skip
    return replace(made, today=date(2026, 9, 7))


def named_spans(calendar: Calendar, region: str, name: str, year: int) -> list[Span]:
    found = calendar.spans(region, date(year, 1, 1), date(year, 12, 31))
    return [span for span in found if span.name == name]


EID_AL_FITR = """2009-09-20 2010-09-10 2011-08-30 2012-08-19 2013-08-08 2014-07-28 2015-07-17
    2016-07-06 2017-06-25 2018-06-15 2019-06-04 2020-05-24 2021-05-13 2022-05-02 2023-04-21
    2024-04-10 2025-03-30 2026-03-20 2027-03-09 2028-02-26 2029-02-14 2030-02-04"""
EID_AL_ADHA = """2010-11-16 2012-10-26 2014-10-04 2015-09-24 2016-09-12
    2017-09-01 2018-08-21 2019-08-11 2020-07-31 2021-07-20 2022-07-09 2023-06-28
    2024-06-16 2025-06-06 2026-05-27"""
LUNAR_NEW_YEAR = """2000-02-05 2001-01-24 2002-02-12 2003-02-01 2004-01-22 2005-02-09 2006-01-29
    2007-02-18 2008-02-07 2009-01-26 2010-02-14 2011-02-03 2012-01-23 2013-02-10 2014-01-31
    2015-02-19 2016-02-08 2017-01-28 2018-02-16 2019-02-05 2020-01-25 2021-02-12 2022-02-01
    2023-01-22 2024-02-10 2025-01-29 2026-02-17 2027-02-06 2028-01-26 2029-02-13 2030-02-03"""
DIWALI = """2006-10-21 2009-10-17 2015-11-11 2016-10-30 2017-10-19 2018-11-07 2019-10-27 2020-11-14
    2021-11-04 2022-10-24 2023-11-12 2024-10-31 2025-10-20 2026-11-08"""
EASTER = """2000-04-23 2005-03-27 2008-03-23 2011-04-24 2016-03-27 2019-04-21 2020-04-12 2021-04-04
    2022-04-17 2023-04-09 2024-03-31 2025-04-20 2026-04-05 2038-04-25"""
THANKSGIVING = """2010-11-25 2015-11-26 2018-11-22 2019-11-28 2020-11-26 2021-11-25 2022-11-24
    2023-11-23 2024-11-28 2025-11-27"""


@pytest.mark.parametrize(
    ("country", "name", "published"),
    [
        ("SA", "Eid al-Fitr", EID_AL_FITR),
        ("AE", "Eid al-Fitr", EID_AL_FITR),
        ("SA", "Eid al-Adha", EID_AL_ADHA),
        ("SG", "Lunar New Year", LUNAR_NEW_YEAR),
        ("CN", "Lunar New Year", LUNAR_NEW_YEAR),
        ("TH", "Lunar New Year", LUNAR_NEW_YEAR),
        ("IN", "Diwali", DIWALI),
        ("PL", "Easter Sunday", EASTER),
        ("US", "Thanksgiving Day", THANKSGIVING),
    ],
)
def test_feasts_stand_on_their_published_days(country: str, name: str, published: str) -> None:
    for told in published.split():
        day = date.fromisoformat(told)
        assert day in days_of(country, name, day.year), f"{name} of {country} on {told}"


@pytest.mark.parametrize(
    ("country", "name", "day"),
    [
        ("SA", "Ramadan", "2026-02-18"),
        ("SA", "Ramadan", "2025-03-01"),
        ("AE", "Ramadan", "2024-03-11"),
        ("US", "Mother's Day", "2026-05-10"),
        ("GB", "Mother's Day", "2026-03-15"),
        ("FR", "Mother's Day", "2026-05-31"),
        ("FR", "Mother's Day", "2023-06-04"),
        ("SE", "Mother's Day", "2026-05-31"),
        ("ES", "Mother's Day", "2026-05-03"),
        ("MX", "Mother's Day", "2026-05-10"),
        ("AE", "Mother's Day", "2026-03-21"),
        ("US", "Black Friday", "2025-11-28"),
        ("AE", "White Friday", "2025-11-28"),
        ("US", "Cyber Monday", "2025-12-01"),
        ("US", "Prime Day season", "2024-07-16"),
        ("TH", "Singles' Day", "2026-11-11"),
        ("CN", "6.18 Festival", "2026-06-18"),
        ("ID", "12.12 Sale", "2026-12-12"),
        ("MY", "9.9 Sale", "2026-09-09"),
        ("TH", "Songkran Festival", "2026-04-14"),
        ("DE", "Christmas run-up", "2026-12-23"),
        ("DE", "After Christmas", "2026-12-29"),
        ("JP", "Valentine's Day", "2026-02-14"),
    ],
)
def test_trading_days_are_where_shops_keep_them(country: str, name: str, day: str) -> None:
    assert date.fromisoformat(day) in days_of(country, name, int(day[:4]))


def test_trading_days_are_nowhere_else() -> None:
    assert days_of("DE", "6.18 Festival", 2026) == []
    assert days_of("AE", "Black Friday", 2026) == []
    assert days_of("DE", "Ramadan", 2026) == []
    assert days_of("JP", "Before Lunar New Year", 2026) == []


def test_a_sale_is_not_older_than_its_first_year() -> None:
    """A sale that nobody held would teach the history of 2010 an effect that was never there."""
    assert days_of("GB", "Singles' Day", 2010) == []
    assert days_of("US", "Prime Day season", 2014) == []
    assert days_of("US", "Cyber Monday", 2005) == [date(2005, 11, 28)]


def test_the_committed_feasts_are_what_the_generator_writes() -> None:
    """Otherwise a new version of the holidays package would change forecasts unseen."""
    committed = Path(generate.__file__).parent / "feasts.csv"
    assert committed.read_text(encoding="utf-8") == generate.table()


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ("Eid al-Fitr (estimated)", "Eid al-Fitr"),
        ("Eid al-Fitr (observed, estimated)", "Eid al-Fitr"),
        ("Eid al-Fitr Holiday (observed)", "Eid al-Fitr"),
        ("Eid al-Fitr Second Day (estimated)", "Eid al-Fitr"),
        ("Eid al-Fitr (Second Day) (observed, estimated)", "Eid al-Fitr"),
        ("Eid-ul-Adha", "Eid al-Adha"),
        ("Boxing Day (observed)", "Boxing Day"),
        ("Visakha Bucha (in lieu)", "Visakha Bucha"),
        ("Chinese New Year (Spring Festival)", "Lunar New Year"),
        ("The second day of Korean New Year", "Lunar New Year"),
        ("29 of Lunar New Year", "Lunar New Year"),
        ("Islamic New Year (estimated)", "Islamic New Year"),
        ("Second Day of Christmas", "Christmas Day"),
        ("Coptic Christmas Day", "Coptic Christmas Day"),
        ("Day off (substituted from 01/04/2026)", SUBSTITUTE),
        ("Alternative holiday for Children's Day", SUBSTITUTE),
    ],
)
def test_names_lose_what_changes_from_year_to_year(told: str, kept: str) -> None:
    assert clean_name(told) == kept


def test_notes_say_what_is_moved_and_what_may_still_move() -> None:
    assert named("Eid al-Adha (observed, estimated)").moved
    assert named("Eid al-Adha (observed, estimated)").estimated
    assert not named("Eid al-Adha").moved
    assert not named("Eid al-Adha").estimated


@pytest.mark.parametrize("country", ["AE", "SA", "KW", "QA", "EG", "TR", "ID", "MY", "SG", "PK"])
@pytest.mark.parametrize("name", ["Eid al-Fitr", "Eid al-Adha", "Ramadan"])
def test_a_feast_has_one_name_in_every_year(country: str, name: str) -> None:
    """The public calendars know "Eid al-Fitr Holiday (estimated)" and eight more."""
    for year in range(2010, 2033):
        assert days_of(country, name, year), f"{name} in {country} of {year}"
    every = {found for _, found in named_days(country, date(2000, 1, 1), date(2040, 12, 31))}
    assert not [found for found in every if "(" in found or "stimated" in found]


def test_no_country_has_a_name_that_only_one_year_has() -> None:
    """Notes in brackets, ordinals and "(substituted from ...)" would each be an effect apart."""
    told = re.compile(r"estimated|observed|in lieu|substituted|Day off", re.IGNORECASE)
    left = {
        (country, event.name)
        for country in countries()
        for event in events_of(country, 2027)
        if told.search(event.name)
    }
    assert left == set()


def test_an_orthodox_market_has_one_easter() -> None:
    """Romania keeps Easter 2024 five weeks after the table's Western one."""
    assert days_of("RO", "Easter Sunday", 2024)[0] == date(2024, 5, 5)


def test_lunar_new_year_and_its_shopping_reach_every_country_that_keeps_it() -> None:
    for country in ("SG", "MY", "HK", "TW", "VN", "KR", "CN", "ID", "PH", "TH"):
        (opening, *_) = days_of(country, "Lunar New Year", 2026)
        before = days_of(country, "Before Lunar New Year", 2026)
        earlier = days_of(country, "Two weeks before Lunar New Year", 2026)
        assert before == [opening - at * DAY for at in range(7, 0, -1)]
        assert earlier == [opening - at * DAY for at in range(14, 7, -1)]


def test_vietnam_counts_its_own_moons() -> None:
    """In 2007 the new moon fell before midnight in Hanoi and after it in Beijing."""
    assert date(2007, 2, 17) in days_of("VN", "Lunar New Year", 2007)
    assert days_of("SG", "Lunar New Year", 2007)[0] == date(2007, 2, 18)


def test_ramadan_ends_on_the_eve_of_the_countrys_own_eid() -> None:
    assert days_of("ID", "Ramadan", 2026)[-1] == days_of("ID", "Eid al-Fitr", 2026)[0] - DAY
    assert days_of("AE", "Ramadan", 2026)[-1] == days_of("AE", "Eid al-Fitr", 2026)[0] - DAY
    assert 28 <= len(days_of("AE", "Ramadan", 2026)) <= 30


def test_a_short_year_holds_two_eids() -> None:
    calendar = Calendar.of(world())
    eids = named_spans(calendar, "AE-DU", "Eid al-Fitr", 2033)
    assert [span.start for span in eids] == [date(2033, 1, 2), date(2033, 12, 23)]


def test_a_free_day_apart_from_its_feast_is_a_substitute() -> None:
    """Christmas 2021 was a Saturday: Britain rested on Tuesday, but had its dinner before."""
    assert days_of("GB", "Christmas Day", 2021) == [date(2021, 12, 25)]
    assert date(2021, 12, 28) in days_of("GB", SUBSTITUTE, 2021)
    assert days_of("US", "Independence Day", 2027) == [date(2027, 7, 4), date(2027, 7, 5)]
    new_year = date(2021, 12, 31)
    assert "New Year's Day" in [
        found.name for found in public_holidays("US", 2021) if found.date == new_year
    ]


def test_a_country_without_a_known_calendar_still_shops() -> None:
    listed = named_days("TA", date(2026, 11, 1), date(2026, 11, 30))
    assert {name for _, name in listed} == {"Singles' Day", "Black Friday", "Cyber Monday"}


def test_events_across_new_year_belong_to_both_years() -> None:
    listed = named_days("GB", date(2026, 12, 26), date(2027, 1, 1))
    assert listed[-1] == (date(2027, 1, 1), "New Year's Day")
    assert [name for _, name in listed].count("After Christmas") == 6


def test_weekdays_are_counted_from_both_ends() -> None:
    assert nth_weekday(2026, 5, 7, 2) == date(2026, 5, 10)
    assert nth_weekday(2026, 5, 7, -1) == date(2026, 5, 31)
    assert nth_weekday(2026, 6, 1, 1) == date(2026, 6, 1)


def test_every_rule_can_be_read_for_every_year() -> None:
    """A verb that no code knows, or a date of a leap day, would show here."""
    for year in (1999, 2000, 2024, 2040, 2041):
        for country in ("AE", "CN", "FR", "US", "TH", "ZZ"):
            for event in (*events_of(country, year), *shutdowns_of(country, year)):
                assert event.first <= event.day <= event.last
                assert event.source


def test_days_of_one_name_in_a_row_are_one_event() -> None:
    calendar = Calendar.of(world())
    (eid,) = named_spans(calendar, "AE-DU", "Eid al-Fitr", 2026)
    assert (eid.start, eid.end, eid.estimated) == (date(2026, 3, 19), date(2026, 3, 22), False)
    (coming,) = named_spans(calendar, "AE-DU", "Eid al-Fitr", 2027)
    assert coming.estimated


def test_a_span_is_whole_even_where_only_its_end_is_asked_for() -> None:
    calendar = Calendar.of(world())
    found = calendar.spans("AE-DU", date(2026, 3, 5), date(2026, 3, 6))
    assert ("Ramadan", date(2026, 2, 18)) in [(span.name, span.start) for span in found]


def test_a_row_of_the_brand_is_one_effect_in_its_regions() -> None:
    calendar = Calendar.of(
        world(
            {"event": "Founders' sale", "start": "2025-10-06", "end": "2025-10-08",
             "region": "AE-*"},
            {"event": "Founders' sale", "start": "2026-10-05", "region": "AE-*"},
        )
    )  # fmt: skip
    listed = calendar.days("AE-DU", date(2025, 1, 1), date(2026, 12, 31))
    days = [day for day, name in listed if name == "Founders' sale"]
    assert days == [date(2025, 10, 6), date(2025, 10, 7), date(2025, 10, 8), date(2026, 10, 5)]
    (span,) = named_spans(calendar, "AE-DU", "Founders' sale", 2026)
    assert span.source == "events.csv"
    assert named_spans(calendar, "SG", "Founders' sale", 2026) == []


def test_none_takes_a_built_in_event_away_for_its_dates_and_regions() -> None:
    calendar = Calendar.of(
        world(
            {"event": "singles' day", "start": "2026-11-01", "end": "2026-11-30", "kind": "none",
             "region": "SG"},
        )
    )  # fmt: skip
    assert named_spans(calendar, "SG", "Singles' Day", 2026) == []
    assert len(named_spans(calendar, "SG", "Singles' Day", 2025)) == 1
    assert len(named_spans(calendar, "AE-DU", "Singles' Day", 2026)) == 1


def test_an_own_row_stands_where_the_built_in_one_was_taken_away() -> None:
    calendar = Calendar.of(
        world(
            {"event": "Singles' Day", "start": "2026-11-10", "end": "2026-11-11", "kind": "none"},
            {"event": "Singles' Day", "start": "2026-11-12", "end": "2026-11-14"},
        )
    )
    (span,) = named_spans(calendar, "SG", "Singles' Day", 2026)
    assert (span.start, span.end) == (date(2026, 11, 12), date(2026, 11, 14))


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"event": "Sale", "start": "2026-10-05", "end": "2026-10-01"}, "end on or after"),
        ({"event": "Sale", "start": "2026-10-05", "region": "US-*"}, "expected a region"),
        (
            {"event": "Stop", "start": "2026-10-05", "kind": "shutdown", "site": "VN-*"},
            "expected a site",
        ),
        (
            {"event": "Single Day", "start": "2026-11-11", "kind": "none"},
            'such as "Singles\' Day"',
        ),
    ],
)
def test_a_row_that_does_nothing_is_a_problem(row: Mapping[str, object], problem: str) -> None:
    """The second row of the file is refused at its line; the first is good."""
    good = {"event": "Anniversary", "start": "2026-10-05"}
    with pytest.raises(BadInput) as refused:
        Calendar.of(world(good, row))
    (found,) = refused.value.problems
    assert (found.file, found.line) == ("events.csv", 3)
    assert problem in found.problem


def test_factories_stand_still_around_lunar_new_year() -> None:
    stops = Calendar.of(world()).shutdowns(date(2027, 1, 1), date(2027, 6, 30))
    assert stops == [
        Shutdown("CN-SZX", "Lunar New Year shutdown", date(2027, 1, 30), date(2027, 2, 14))
    ]


def test_the_brand_adds_and_takes_away_shutdowns() -> None:
    calendar = Calendar.of(
        world(
            {"event": "Stocktaking", "start": "2027-01-02", "end": "2027-01-05",
             "kind": "shutdown", "site": "DE-*"},
            {"event": "Lunar New Year shutdown", "start": "2027-01-01", "end": "2027-02-06",
             "kind": "none", "site": "CN-SZX"},
        )
    )  # fmt: skip
    assert calendar.shutdowns(date(2027, 1, 1), date(2027, 6, 30)) == [
        Shutdown("DE-HAM", "Stocktaking", date(2027, 1, 2), date(2027, 1, 5)),
        Shutdown("CN-SZX", "Lunar New Year shutdown", date(2027, 2, 7), date(2027, 2, 14)),
    ]
    assert named_spans(calendar, "SG", "Stocktaking", 2027) == []


def test_weeks_name_the_events_they_hold() -> None:
    calendar = Calendar.of(world())
    weeks = calendar.weeks_with("AE-DU", date(2026, 3, 9), 3)
    assert weeks[0] == weeks[1] - {"Eid al-Fitr"} | {"Two weeks before Eid al-Fitr"}
    assert weeks[1] == {"Ramadan", "Before Eid al-Fitr", "Mother's Day", "Eid al-Fitr"}
    assert weeks[2] == frozenset()


def test_the_frame_is_what_prophet_takes() -> None:
    frame = Calendar.of(world()).frame("AE-DU", date(2026, 3, 21), date(2026, 3, 22))
    assert list(frame.columns) == ["ds", "holiday"]
    assert frame["ds"].dtype == "datetime64[ns]"
    assert list(frame["holiday"]) == ["Eid al-Fitr", "Mother's Day", "Eid al-Fitr"]
    empty = Calendar.of(world()).frame("AE-DU", date(2026, 4, 6), date(2026, 4, 7))
    assert empty.empty
    assert empty["ds"].dtype == "datetime64[ns]"


def test_a_later_moon_moves_what_is_estimated_and_nothing_else() -> None:
    """Eid 2027 is a guess on 7 September 2026; Eid 2026 and Lunar New Year 2027 are not."""
    calendar = Calendar.of(world())
    later = calendar.shifted(1)
    for name in ("Eid al-Fitr", "Ramadan", "Before Eid al-Fitr"):
        (was,), (now,) = (named_spans(one, "AE-DU", name, 2027) for one in (calendar, later))
        assert (now.start, now.end) == (was.start + DAY, was.end + DAY)
    past = [named_spans(one, "AE-DU", "Eid al-Fitr", 2026) for one in (calendar, later)]
    assert past[0] == past[1]
    lunar = [named_spans(one, "SG", "Lunar New Year", 2027) for one in (calendar, later)]
    assert lunar[0] == lunar[1]
    assert later.shifted(-1) == calendar


def test_the_version_tells_calendars_apart() -> None:
    plain = Calendar.of(world())
    own = Calendar.of(world({"event": "Sale", "start": "2026-10-05"}))
    assert plain.version == Calendar.of(world()).version
    assert len({plain.version, own.version, plain.shifted(1).version}) == 3
    assert "holidays-" in plain.version


def test_an_unknown_region_is_refused() -> None:
    with pytest.raises(KeyError):
        Calendar.of(world()).days("MARS", date(2026, 1, 1), date(2026, 1, 2))
