from api.benchmarks.promise import LINES, measure


def test_the_promise_benchmark_agrees_with_its_peer() -> None:
    measured = measure(1, lambda _share, _doing: None, orders=2)
    assert len(measured.lines) == len(LINES)
    assert all(line.ours > 0 and line.peer > 0 for line in measured.lines)
