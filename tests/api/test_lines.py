"""Packets and lines: packages arrive whole or not at all, and Redis never holds much of them."""

import random
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from api.jobs import lines, packets
from api.jobs.lines import HAND, OWNER, WINDOW, Line
from api.jobs.packets import Incoming, Outgoing, Unsealed
from api.jobs.valkey import EmbeddedValkey, client
from api.settings import Settings

KEY = b"k" * 32
Ends = tuple[Line, Line]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[redis.Redis]:
    valkey = EmbeddedValkey(Settings(home=tmp_path / "home").folder)
    url = valkey.url()
    assert url is not None
    with client(url, 5.0) as opened:
        yield opened
    valkey.close()


@pytest.fixture
def ends(server: redis.Redis) -> Ends:
    """An owner and a hand that have met."""
    owner, hand = (Line(server, "session", KEY, end) for end in (OWNER, HAND))
    owner.open()
    assert not owner.meet()
    assert hand.join()
    assert owner.meet()
    return owner, hand


def heard(package: memoryview | None) -> bytes | None:
    return None if package is None else bytes(package)


def left(server: redis.Redis) -> list[bytes]:
    return list(server.scan_iter("entrepot:line:*"))


@given(st.lists(st.binary(max_size=40), max_size=8))
def test_a_package_arrives_as_it_was_in_whatever_pieces(pieces: list[bytes]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packets, "SIZE", 16)
        sent = list(Outgoing(KEY, OWNER).packets(pieces))
    incoming = Incoming(KEY, OWNER)
    *before, last = [incoming.add(packet) for packet in sent]
    assert before == [None] * len(before)
    assert heard(last) == b"".join(pieces)
    assert len(sent) == max(1, -(-len(b"".join(pieces)) // 16))


def _forged(sent: list[bytes]) -> list[bytes]:
    return [sent[0][:-1] + bytes([sent[0][-1] ^ 1]), *sent[1:]]


@pytest.mark.parametrize(
    "changed",
    [
        _forged,
        lambda sent: sent[1:],
        lambda sent: [sent[0], *sent],
        lambda sent: [sent[1], sent[0], *sent[2:]],
        lambda sent: [b"", *sent],
        lambda sent: list(Outgoing(b"other", OWNER).packets([b"a package"])),
        lambda sent: list(Outgoing(KEY, HAND).packets([b"a package"])),
    ],
    ids=["forged", "dropped", "repeated", "reordered", "empty", "other key", "own echo"],
)
def test_what_the_other_end_did_not_send_next_is_refused(
    changed: Callable[[list[bytes]], list[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packets, "SIZE", 4)
    incoming = Incoming(KEY, OWNER)
    sent = changed(list(Outgoing(KEY, OWNER).packets([b"a package"])))
    with pytest.raises(Unsealed):
        list(map(incoming.add, sent))


def test_both_ends_talk_and_a_closed_line_leaves_nothing(server: redis.Redis, ends: Ends) -> None:
    owner, hand = ends
    owner.send([b"one", b"two"])
    owner.send([b"three"])
    assert [heard(hand.receive(wait)) for wait in (1.0, 1.0, 0.0)] == [b"onetwo", b"three", None]
    hand.send([b"four"])
    assert heard(owner.receive(1.0)) == b"four"
    hand.send([b"nobody reads it"])
    owner.close()
    assert left(server) == []
    with pytest.raises(ConnectionError):
        hand.receive(5.0)


def test_everything_that_is_written_expires(server: redis.Redis, ends: Ends) -> None:
    owner, hand = ends
    owner.send([b"asked"])
    hand.send([b"answered"])
    assert len(left(server)) == 4
    assert all(server.ttl(key) > 0 for key in left(server))


def test_a_large_package_never_fills_redis(
    server: redis.Redis, ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sender waits for the reader: no more than a window of packets lies about."""
    monkeypatch.setattr(packets, "SIZE", 1000)
    owner, hand = ends
    package = random.Random(1).randbytes(100_000)
    sending = threading.Thread(target=owner.send, args=([package],))
    sending.start()
    most, received = 0, None
    while received is None:
        most = max([most, *(server.llen(key) for key in left(server) if key.endswith(b"sends"))])
        received = hand.receive(0.0)
    sending.join()
    assert received == package
    assert 1 < most <= WINDOW


@pytest.mark.parametrize("end", [0, 1])
def test_a_flushed_redis_ends_a_line_at_both_ends(
    server: redis.Redis, ends: Ends, end: int
) -> None:
    ends[0].send([b"lost"])
    server.flushall()
    with pytest.raises(ConnectionError):
        ends[end].receive(5.0)
    assert left(server) == []


@pytest.mark.parametrize("end", [0, 1])
def test_whoever_shows_no_sign_of_life_is_not_waited_for(
    server: redis.Redis, monkeypatch: pytest.MonkeyPatch, end: int
) -> None:
    monkeypatch.setitem(lines.LAPSE_SECONDS, (HAND, OWNER)[end], 1)
    owner, hand = (Line(server, "session", KEY, name) for name in (OWNER, HAND))
    owner.open()
    assert hand.join()
    assert owner.meet()
    with pytest.raises(ConnectionError):
        (owner, hand)[end].receive(10.0)


def test_a_line_takes_one_hand_only_and_none_after_its_end(server: redis.Redis, ends: Ends) -> None:
    late = Line(server, "session", KEY, HAND)
    assert not late.join()
    ends[0].close()
    assert not late.join()


def test_a_redis_without_room_ends_the_line_of_who_writes(server: redis.Redis, ends: Ends) -> None:
    server.config_set("maxmemory", 1)
    with pytest.raises(ConnectionError, match="OutOfMemory"):
        ends[0].send([b"asked"])
    server.config_set("maxmemory", 0)


def test_a_redis_that_is_away_is_told_as_a_lost_connection(tmp_path: Path) -> None:
    with client(f"unix://{tmp_path}/nobody.sock", 1.0) as nobody:
        line = Line(nobody, "session", KEY, OWNER)
        for ask in (line.open, line.meet, line.renew, lambda: line.send([b"x"])):
            with pytest.raises(ConnectionError):
                ask()
        line.close()
