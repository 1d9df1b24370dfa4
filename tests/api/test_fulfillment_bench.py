"""Benchmarks in small: the answers are right; times are not judged."""

from api.benchmarks import api, promise, reserve
from api.benchmarks.promise_value import BARS, KINDS
from api.benchmarks.promise_value import measure as value


def quiet(_share: float, _doing: str) -> None:
    """Shows no progress."""


def test_the_promise_benchmark_agrees_with_its_peers() -> None:
    """It raises where plans made together, alone or by enumeration differ."""
    figures = promise.measure(3, quiet, together=30, alone=8, enumerated=1).lines
    assert [line.peer_name for line in figures][:3] == [
        "one at a time", "plain enumeration", "plain enumeration",
    ]  # fmt: skip
    assert all(line.ratio > 0 for line in figures)


def test_the_reserve_benchmark_finds_its_books_right() -> None:
    measured = reserve.measure(1, quiet, seconds=0.1)
    assert len(measured.lines) == len(reserve.CLIENTS) * 2
    assert all(line.ours > 0 and line.peer > 0 for line in measured.lines)


def test_the_api_benchmark_finds_every_answer_in_the_ledger() -> None:
    measured = api.measure(1, quiet, posts=32, turns=1, batches=1)
    assert [line.figure for line in measured.lines] == ["rate", "p99", "orders"]
    assert all(line.ours > 0 and line.peer > 0 for line in measured.lines)


def test_prices_close_some_of_the_gap_to_the_bound() -> None:
    """`measure` itself refuses a policy that costs less than the certified bound."""
    kinds = {"generated orders": KINDS["generated orders"]}
    measured = value(5, quiet, seeds=1, kinds=kinds)
    assert [line.figure for line in measured.lines] == list(BARS)
    assert all(0 < line.ours <= 100 for line in measured.lines)
