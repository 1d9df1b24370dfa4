"""Feeds: recorded documents become signals, attacks and broken parts are refused with a reason."""

import json
from pathlib import Path

import pytest

from core.errors import BadInput
from core.places import Point
from routing.disruptions.feeds.documents import MAX_BYTES
from routing.disruptions.feeds.reading import FEEDS, read_feed
from routing.disruptions.feeds.usgs import damage_km
from routing.disruptions.signal import Reading, Signal
from tests.routing.disruptions.scenes import EXAMPLES
from tests.routing.disruptions.scenes import FEEDS as RECORDED

CAP = """<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2">
<identifier>{identifier}</identifier><sender>authority</sender>
<sent>2011-10-17T08:00:00+07:00</sent><status>{status}</status><msgType>{message}</msgType>
<scope>Public</scope>{references}{info}</alert>"""

INFO = """<info><category>Met</category><event>Flood</event><urgency>Immediate</urgency>
<severity>Severe</severity><certainty>Observed</certainty>{response}
<area><areaDesc>Plain</areaDesc>{area}</area></info>"""

SQUARE = "<polygon>14,100 15,100 15,101 14,101 14,100</polygon>"


def cap(area: str = SQUARE, **changed: str) -> Reading:
    info = changed.pop("info", INFO.format(area=area, response=changed.pop("response", "")))
    said = {"identifier": "one", "status": "Actual", "message": "Alert", "references": ""}
    return read_feed("cap", CAP.format(**{**said, **changed}, info=info).encode())


def recorded(feed: str, name: str) -> Reading:
    return read_feed(feed, (RECORDED / feed / name).read_bytes(), name)


def test_each_info_block_becomes_a_signal() -> None:
    reading = recorded("cap", "canada.cap")
    assert [signal.part for signal in reading.signals] == [0, 1]
    assert {signal.kind for signal in reading.signals} == {"storm"}
    assert {signal.source_id for signal in reading.signals} == {
        "cap@ec.gc.ca,2.49.0.1.124.a3f342a4.2012"  # the first message of the event, by reference
    }
    first = reading.signals[0]
    assert (first.status, first.precision, first.countries) == ("ended", "polygon", ("CA",))
    assert first.geometry is not None
    assert len(first.geometry.polygons) == 2
    assert reading.refused == ()


def test_the_polygon_of_cap_is_latitude_first() -> None:
    """Windsor, Ontario lies in the first polygon of the recorded warning."""
    geometry = recorded("cap", "canada.cap").signals[0].geometry
    assert geometry is not None
    assert geometry.holds([Point(42.25, -82.95), Point(-82.95, 42.25)]).tolist() == [True, False]


def test_an_alert_without_its_required_scope_is_refused() -> None:
    reading = recorded("cap", "invalid.cap")
    assert reading.signals == ()
    assert "scope" in reading.refused[0].reason


def test_an_entity_attack_is_refused_whole() -> None:
    with pytest.raises(BadInput, match="document type or entities"):
        recorded("cap", "xee.cap")


@pytest.mark.parametrize(
    "attack",
    [
        b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
        b'<!DOCTYPE a [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]><a>&b;</a>',
        b'<!DOCTYPE a SYSTEM "http://127.0.0.1:9/x.dtd"><a/>',
        b"<a>" * 250_000,
        b"<alert",
        b"",
        b"\xff\xfe<\x00a\x00",
        b'<?xml version="1.0" encoding="no-such"?><a/>',
        b"<a/>" + b" " * MAX_BYTES,
    ],
)
@pytest.mark.parametrize("feed", ["cap", "gdacs"])
def test_broken_and_hostile_xml_is_a_clear_problem(feed: str, attack: bytes) -> None:
    with pytest.raises(BadInput):
        read_feed(feed, attack, "feed.xml")


@pytest.mark.parametrize(
    "attack",
    [b"", b"[]", b"{", b"null", b'{"type": NaN}', b"[" * 100_000, b"{}",
     b'{"type": "FeatureCollection", "features": {}}', b" " * (MAX_BYTES + 1)],
)  # fmt: skip
@pytest.mark.parametrize("feed", ["usgs", "nws"])
def test_broken_and_hostile_json_is_a_clear_problem(feed: str, attack: bytes) -> None:
    with pytest.raises(BadInput):
        read_feed(feed, attack)


def test_broken_xml_says_where() -> None:
    with pytest.raises(BadInput) as caught:
        read_feed("cap", b"<alert>\n<info></alert>", "broken.cap")
    found = caught.value.problems[0]
    assert (found.file, found.line) == ("broken.cap", 2)


def test_a_circle_of_no_size_is_only_a_centroid() -> None:
    signal = recorded("cap", "earthquake.cap").signals[0]
    assert (signal.kind, signal.precision) == ("earthquake", "centroid")


def test_codes_of_zones_without_a_shape_are_of_zone_precision() -> None:
    signal = recorded("cap", "weather.cap").signals[0]
    assert (signal.precision, signal.geometry, signal.countries) == ("zone", None, ("US",))


def test_two_rings_in_one_polygon_element_are_both_read() -> None:
    joined = "1,1 1,2 2,2 1,1, 5,5 5,6 6,6 5,5"
    geometry = cap(f"<polygon>{joined}</polygon>").signals[0].geometry
    assert geometry is not None
    assert geometry.holds([Point(1.2, 1.5), Point(5.2, 5.5), Point(3, 3)]).tolist() == [
        True, True, False,
    ]  # fmt: skip


@pytest.mark.parametrize(
    "area",
    [
        "<polygon>1,1 1,2 2,2</polygon>",
        "<polygon>1,1 1,2 2 2 1,1</polygon>",
        "<polygon>100,100 1,2 2,2 100,100</polygon>",
        "<polygon>nan,1 1,2 2,2 nan,1</polygon>",
        "<circle>1,1 -5</circle>",
        "<circle>1,1 inf</circle>",
        "<circle>1,1 wide</circle>",
    ],
)
def test_a_shape_that_cannot_be_used_is_refused_alone(area: str) -> None:
    reading = cap(SQUARE + area)
    assert [signal.precision for signal in reading.signals] == ["polygon"]
    assert len(reading.refused) == 1
    assert "Plain" in reading.refused[0].reason


def test_without_any_usable_shape_a_signal_falls_back_to_its_zone() -> None:
    reading = cap("<polygon>1,1 1,2 2,2</polygon>")
    assert [signal.precision for signal in reading.signals] == ["zone"]
    assert len(reading.refused) == 1


def test_a_circle_has_its_radius_in_km() -> None:
    signal = cap("<circle>14.35,100.57 30</circle>").signals[0]
    assert signal.precision == "circle"
    assert signal.as_json()["geometry"] == {
        "type": "Point", "coordinates": [100.57, 14.35], "radius_km": 30.0,
    }  # fmt: skip


def test_an_update_is_a_later_word_about_the_first_message() -> None:
    references = "<references>authority,one,2011-10-17T08:00:00+07:00</references>"
    update = cap(message="Update", identifier="two", references=references).signals[0]
    assert update.source_id == cap().signals[0].source_id == "authority,one"


def test_a_cancellation_needs_no_info_block() -> None:
    references = "<references>authority,one,2011-10-17T08:00:00+07:00</references>"
    reading = cap(message="Cancel", identifier="two", references=references, info="")
    signal = reading.signals[0]
    assert (signal.source_id, signal.status, signal.stands) == ("authority,one", "cancelled", False)


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"status": "Exercise"}, "test"),
        ({"status": "Test"}, "test"),
        ({"response": "<responseType>AllClear</responseType>"}, "ended"),
    ],
)
def test_what_is_not_meant_does_not_count(changed: dict[str, str], status: str) -> None:
    assert cap(**changed).signals[0].status == status


@pytest.mark.parametrize(
    "changed",
    [{"status": "Real"}, {"message": "Ack"}, {"message": "Shout"}, {"info": ""}],
)
def test_words_outside_the_standard_are_refused(changed: dict[str, str]) -> None:
    reading = cap(**changed)
    assert reading.signals == ()
    assert len(reading.refused) == 1


def test_an_item_of_gdacs_is_never_more_than_a_centroid() -> None:
    reading = recorded("gdacs", "gdacs-rss-small.xml")
    assert reading.refused == ()
    assert [signal.source_id for signal in reading.signals] == [
        "TC1000643", "EQ1199929", "DR1013682", "DR1013588",
    ]  # fmt: skip
    assert {signal.precision for signal in reading.signals} == {"centroid"}
    assert [signal.countries for signal in reading.signals][:3] == [
        ("MU",), ("ZA",), ("BG", "IQ", "IR", "TR"),
    ]  # fmt: skip
    assert reading.signals[0].severity == "minor"


def test_an_old_item_names_its_country_in_words_and_gives_only_a_georss_point() -> None:
    """Before 2016 the feed had no iso3, no bounding box and no word on being current."""
    old = b"""<rss xmlns:gdacs="http://www.gdacs.org" xmlns:georss="http://www.georss.org/georss">
    <channel><item><title>Flood</title>
    <gdacs:fromdate>Sat, 12 Mar 2016 00:00:00 GMT</gdacs:fromdate>
    <georss:point>15.582 107.706</georss:point><gdacs:eventtype>FL</gdacs:eventtype>
    <gdacs:eventid>4103</gdacs:eventid><gdacs:episodeid>2</gdacs:episodeid><gdacs:iso3 />
    <gdacs:country>Vietnam, Lao PDR</gdacs:country></item>
    <item><guid>FL1</guid><gdacs:eventtype>FL</gdacs:eventtype><gdacs:eventid>1</gdacs:eventid></item>
    <item><guid>XX1</guid><gdacs:eventtype>XX</gdacs:eventtype></item></channel></rss>"""
    reading = read_feed("gdacs", old)
    assert [(s.source_id, s.countries, s.status) for s in reading.signals] == [
        ("FL4103", ("LA", "VN"), "active")
    ]
    assert [refused.reason[:13] for refused in reading.refused] == [
        "Item 2 (FL1):",
        "Item 3 (XX1):",
    ]


def test_the_json_of_gdacs_names_every_country_and_its_cones_are_refused() -> None:
    def feature(shape: str, geometry: object) -> dict[str, object]:
        return {
            "type": "Feature", "geometry": geometry,
            "properties": {
                "eventtype": "FL", "eventid": 1103663, "episodeid": 1, "iso3": "MYS",
                "fromdate": "2025-12-12T13:00:00", "iscurrent": "false", "Class": shape,
                "alertlevel": "Orange", "name": "Flood", "datemodified": "2025-12-13T06:45:16",
                "affectedcountries": [{"iso2": "MY"}, {"iso2": "TH"}],
            },
        }  # fmt: skip

    square = {"type": "Polygon", "coordinates": [[[100, 14], [101, 14], [101, 15], [100, 14]]]}
    document = {
        "type": "FeatureCollection",
        "features": [
            feature("Point_Centroid", {"type": "Point", "coordinates": [100.5684, 13.8284]}),
            feature("Poly_Affected", square),
            feature("Poly_Cones", square),
            {"type": "Feature"},
        ],
    }
    reading = read_feed("gdacs", json.dumps(document).encode())
    assert [(s.precision, s.part, s.countries) for s in reading.signals] == [
        ("centroid", 0, ("MY", "TH")),
        ("polygon", 1, ("MY", "TH")),
    ]
    assert len(reading.refused) == 2


def test_an_earthquake_reaches_as_far_as_its_magnitude() -> None:
    reading = recorded("usgs", "earthquakes-small.json")
    assert [signal.precision for signal in reading.signals] == ["circle", "circle", "centroid"]
    assert {signal.kind for signal in reading.signals} == {"earthquake"}
    assert damage_km(6, 0) == pytest.approx(50, abs=0.2)
    assert damage_km(7, 0) == pytest.approx(158, abs=1)
    assert damage_km(6, 100) == 0
    assert damage_km(9.5, 10) < 300


def test_a_weather_alert_without_a_shape_is_of_zone_precision() -> None:
    signal = recorded("nws", "alerts_active_zone_20191220.json").signals[0]
    assert (signal.kind, signal.precision, signal.countries) == ("flood", "zone", ("US",))
    assert (signal.severity, signal.certainty) == ("severe", "possible")


def test_the_constructed_flood_is_read_whole() -> None:
    precise = read_feed("cap", (EXAMPLES / "thailand-flood-2011.cap.xml").read_bytes())
    coarse = read_feed("gdacs", (EXAMPLES / "thailand-flood-2011.gdacs.xml").read_bytes())
    assert [s.precision for s in (*precise.signals, *coarse.signals)] == ["polygon", "centroid"]
    assert precise.refused == coarse.refused == ()
    assert precise.signals[0].countries == ("TH",)


@pytest.mark.parametrize("feed", sorted(FEEDS))
def test_every_recorded_signal_survives_its_json(feed: str) -> None:
    files = [path for path in (RECORDED / feed).iterdir() if path.name != "xee.cap"]
    for path in files:
        for signal in read_feed(feed, path.read_bytes()).signals:
            assert Signal.from_json(json.loads(json.dumps(signal.as_json()))) == signal


def test_an_unknown_feed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cap, gdacs, nws, usgs"):
        read_feed("rumor", b"")
