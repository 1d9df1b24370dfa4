"""The allocation benchmark: its instances, its answer, its document. Times are never asserted."""

from dataclasses import replace

import numpy as np
import pytest

from api.benchmarks import allocation
from api.benchmarks.allocation import Size, instance, measure
from api.benchmarks.measured import Line, Measured, WrongAnswer
from api.commands.bench import BENCHES
from routing.allocation.problem import Problem
from routing.allocation.solve import Solution, solve

SMALL = Size(items=12, sites=3, regions=4, services=2)


def silent(share: float, doing: str) -> None:
    pass


def test_the_peer_finds_the_same_cost_and_both_are_timed() -> None:
    measured = measure(1, silent, (SMALL,))
    (line,) = measured.lines
    assert line.case.startswith("12 x 3 x 4 x 2")
    assert min(line.ours, line.peer) > 0
    assert measured.document()["lines"][0]["ratio"] == line.peer / line.ours


def test_a_seed_names_one_instance_whose_capacities_bind() -> None:
    one, same, other = instance(SMALL, 5), instance(SMALL, 5), instance(SMALL, 6)
    assert np.array_equal(one.demand_units, same.demand_units)
    assert not np.array_equal(one.pool_units, other.pool_units)
    solution = solve(one)
    assert solution.outbound_price.max() > 0
    assert solution.carrier_price.max() > 0


def test_an_answer_that_differs_from_the_peers_is_no_benchmark(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def cheaper(problem: Problem) -> Solution:
        found = solve(problem)
        return replace(found, flow_cost=found.flow_cost * 0.99)

    monkeypatch.setattr(allocation, "solve", cheaper)
    with pytest.raises(WrongAnswer):
        measure(1, silent, (SMALL,))


def test_a_ratio_above_one_is_better_for_times_and_for_rates() -> None:
    slow = Line("case", "total", "s", 1.0, "peer", 4.0)
    fast = Line("case", "rate", "1/s", 8.0, "peer", 2.0, higher_is_better=True)
    document = Measured("any", 0, (slow, fast)).document()
    assert [line["ratio"] for line in document["lines"]] == [4.0, 4.0]


def test_the_registry_knows_the_allocation_benchmark() -> None:
    assert BENCHES["allocation"] == "api.benchmarks.allocation"
