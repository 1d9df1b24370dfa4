from api.benchmarks.promise import measure


def test_the_promise_benchmark_agrees_with_its_peers() -> None:
    """It raises where plans made together, alone or by enumeration differ."""
    figures = measure(3, lambda *_: None, together=30, alone=8, enumerated=1).lines
    assert [line.peer_name for line in figures][:3] == [
        "one at a time", "plain enumeration", "plain enumeration",
    ]  # fmt: skip
    assert all(line.ratio > 0 for line in figures)
