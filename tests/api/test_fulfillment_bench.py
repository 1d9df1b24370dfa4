from api.benchmarks.promise import LINES, measure
from api.benchmarks.promise_value import BARS
from api.benchmarks.promise_value import measure as value


def test_the_promise_benchmark_agrees_with_its_peer() -> None:
    measured = measure(1, lambda _share, _doing: None, orders=2)
    assert len(measured.lines) == len(LINES)
    assert all(line.ours > 0 and line.peer > 0 for line in measured.lines)


def test_prices_close_some_of_the_gap_to_the_bound() -> None:
    """`measure` itself refuses a policy that costs less than the certified bound."""
    measured = value(5, lambda _share, _doing: None, seeds=1)
    assert [line.figure for line in measured.lines] == list(BARS)
    assert all(0 < line.ours <= 100 for line in measured.lines)
