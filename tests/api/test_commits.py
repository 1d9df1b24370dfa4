"""Groups of requests: answered each by itself, and never held up by one of them."""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import wait
from datetime import timedelta

import pytest

from api.commits import LARGEST_GROUP, Committer, PutOff
from core.errors import Conflict


class Groups:
    """Does nothing but remember who came together; it fails and waits where it is told to."""

    def __init__(self) -> None:
        self.seen: list[tuple[list[int], bool]] = []
        self.gate, self.slow, self.entered = threading.Event(), threading.Event(), threading.Event()
        self.slow.set()

    def act(self, asks: Sequence[int], alone: bool) -> Sequence[int | Exception]:
        self.seen.append((list(asks), alone))
        self.entered.set()
        if asks[0] == 0:
            self.gate.wait(30)
        if 13 in asks:
            raise ArithmeticError("13 spoils the transaction")
        if 99 in asks:
            self.slow.wait(30)
        if 77 in asks and not alone:
            return [PutOff() if ask == 77 else ask for ask in asks]
        return [Conflict("odd") if ask % 2 else ask for ask in asks]


@pytest.fixture
def groups() -> Groups:
    return Groups()


@pytest.fixture
def committer(groups: Groups) -> Iterator[Committer[int, int]]:
    made = Committer[int, int](groups.act, lambda ask: ask == 99)
    yield made
    groups.gate.set()
    groups.slow.set()
    made.close()


def test_those_who_come_meanwhile_make_the_next_group(
    groups: Groups, committer: Committer[int, int]
) -> None:
    answers = [committer.submit(0)]
    assert groups.entered.wait(30)
    answers += [committer.submit(ask) for ask in range(2, 2 * (LARGEST_GROUP + 3), 2)]
    groups.gate.set()
    assert [answer.result(30) for answer in answers] == list(range(0, 2 * (LARGEST_GROUP + 3), 2))
    assert [len(asks) for asks, _ in groups.seen] == [1, LARGEST_GROUP, 2]


def test_a_refusal_reaches_only_whom_it_concerns(
    groups: Groups, committer: Committer[int, int]
) -> None:
    answers = [committer.submit(ask) for ask in (0, 2, 3, 4)]
    groups.gate.set()
    assert [answers[at].result(30) for at in (0, 1, 3)] == [0, 2, 4]
    with pytest.raises(Conflict):
        answers[2].result(30)


def test_who_is_put_off_runs_alone_and_the_group_without_him(
    groups: Groups, committer: Committer[int, int]
) -> None:
    first = committer.submit(0)
    assert groups.entered.wait(30)
    answers = [committer.submit(ask) for ask in (2, 77, 4)]
    groups.gate.set()
    assert [first.result(30), answers[0].result(30), answers[2].result(30)] == [0, 2, 4]
    with pytest.raises(Conflict):  # what the answer is when it runs alone
        answers[1].result(30)
    assert [seen for seen in groups.seen if 77 in seen[0]] == [([2, 77, 4], False), ([77], True)]


def test_an_error_of_one_is_not_an_error_of_the_group(
    groups: Groups, committer: Committer[int, int]
) -> None:
    first = committer.submit(0)
    assert groups.entered.wait(30)
    answers = [committer.submit(ask) for ask in (2, 13, 4)]
    groups.gate.set()
    assert [first.result(30), answers[0].result(30), answers[2].result(30)] == [0, 2, 4]
    with pytest.raises(ArithmeticError):
        answers[1].result(30)
    assert ([2, 13, 4], False) in groups.seen
    assert all(([ask], True) in groups.seen for ask in (2, 13, 4))


def test_a_heavy_request_holds_up_nobody(groups: Groups, committer: Committer[int, int]) -> None:
    groups.slow.clear()
    heavy = committer.submit(99)
    others = [committer.submit(ask) for ask in (2, 4, 6)]
    assert [other.result(30) for other in others] == [2, 4, 6]
    assert not heavy.done()
    groups.slow.set()
    wait([heavy], timedelta(seconds=30).total_seconds())
    assert ([99], True) in groups.seen


def test_closing_answers_everybody_and_refuses_the_next(groups: Groups) -> None:
    made = Committer[int, int](groups.act, lambda _: False)
    answers = [made.submit(ask) for ask in (2, 4, 6)]
    made.close()
    assert [answer.result(0) for answer in answers] == [2, 4, 6]
    with pytest.raises(RuntimeError):
        made.submit(8)
