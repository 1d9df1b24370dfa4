import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from carriers.connectors.signed_webhook import BadSignature, SignedWebhook, signature, verify
from carriers.tracking import Status
from core.errors import BadInput

NOW = datetime(2026, 9, 7, 8, 0, tzinfo=UTC)
SECRET = "a long secret of the carrier"


def signed(body: bytes, at: datetime = NOW, secret: str = SECRET) -> dict[str, str]:
    timestamp = str(int(at.timestamp()))
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": timestamp,
        "webhook-signature": signature("msg_1", timestamp, body, secret),
    }


def report(**changes: object) -> bytes:
    entry = {
        "tracking_code": "shp_1",
        "code": "IT",
        "occurred_at": "2026-09-07T07:00:00+07:00",
        **changes,
    }
    return json.dumps({"events": [entry]}).encode()


def test_the_published_example_of_the_standard_verifies() -> None:
    """The vector printed in the documentation of Standard Webhooks."""
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    sent = datetime.fromtimestamp(1614265330, UTC)
    verify(headers, b'{"test": 2432232314}', "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", sent)


@pytest.mark.parametrize("seconds", [-299, 0, 299])
def test_a_fresh_report_passes(seconds: int) -> None:
    body = report()
    verify(signed(body, NOW + timedelta(seconds=seconds)), body, SECRET, NOW)


@pytest.mark.parametrize("seconds", [-301, 301, 10**9])
def test_a_report_of_another_time_is_a_replay(seconds: int) -> None:
    body = report()
    with pytest.raises(BadSignature, match="five minutes"):
        verify(signed(body, NOW + timedelta(seconds=seconds)), body, SECRET, NOW)


def test_one_changed_byte_breaks_the_signature() -> None:
    body = report()
    with pytest.raises(BadSignature, match="match"):
        verify(signed(body), body.replace(b"IT", b"DL"), SECRET, NOW)


def test_another_secret_signs_nothing_here() -> None:
    body = report()
    with pytest.raises(BadSignature):
        verify(signed(body, secret="of another carrier"), body, SECRET, NOW)


def test_while_a_secret_changes_either_signature_passes() -> None:
    body, headers = report(), signed(report())
    both = {**headers, "webhook-signature": f"v1,AAAA {headers['webhook-signature']}"}
    verify(both, body, SECRET, NOW)


@pytest.mark.parametrize(
    "broken",
    [
        {"webhook-id": ""},
        {"webhook-timestamp": "soon"},
        {"webhook-timestamp": "٣"},
        {"webhook-timestamp": "9" * 5000},
        {"webhook-signature": ""},
        {"webhook-signature": "v1"},
        {"webhook-signature": "v1,é"},
    ],
)
def test_broken_headers_are_refused(broken: Mapping[str, str]) -> None:
    body = report()
    with pytest.raises(BadSignature):
        verify({**signed(body), **broken}, body, SECRET, NOW)


def test_a_report_becomes_events_in_our_words() -> None:
    [event] = SignedWebhook().events("Post", report(place="Bangkok", text="On its way"))
    assert event.status is Status.IN_TRANSIT
    assert event.raw_code == "IT"
    assert event.occurred_at == datetime(2026, 9, 7, 0, 0, tzinfo=UTC)
    assert (event.place, event.text) == ("Bangkok", "On its way")


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"tracking_code": ""}, "/events/0/tracking_code"),
        ({"tracking_code": 7}, "/events/0/tracking_code"),
        ({"code": "x" * 101}, "/events/0/code"),
        ({"code": "a\x00b"}, "/events/0/code"),
        ({"place": "\ud800"}, "/events/0/place"),
        ({"occurred_at": "yesterday"}, "/events/0/occurred_at"),
        ({"occurred_at": "2026-09-07T07:00:00"}, "/events/0/occurred_at"),
        ({"occurred_at": "0001-01-01T00:00:00+14:00"}, "/events/0/occurred_at"),
        ({"occurred_at": 7}, "/events/0/occurred_at"),
        ({"status": "delivered"}, "/events/0/status"),
    ],
)
def test_a_bad_event_is_refused_at_its_place(changes: dict[str, object], pointer: str) -> None:
    with pytest.raises(BadInput) as refused:
        SignedWebhook().events("Post", report(**changes))
    assert [problem.pointer for problem in refused.value.problems] == [pointer]


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b'{"events": {}}', b'{"events": []}', b'{"events": [1], "more": 1}',
        b"\xff", b"[" * 100_000, json.dumps({"events": [{}] * 501}).encode(),
    ],
)  # fmt: skip
def test_a_body_of_another_shape_is_refused(body: bytes) -> None:
    with pytest.raises(BadInput):
        SignedWebhook().events("Post", body)
