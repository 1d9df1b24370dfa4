"""The allocation benchmark: its instances, its answer, its document. Times are never asserted."""

from dataclasses import replace

import numpy as np
import pytest

from api.benchmarks import allocation
from api.benchmarks.allocation import Asked, Ran, in_process, measure, run_here
from api.benchmarks.instances import Size, instance
from api.benchmarks.measured import Line, Measured, WrongAnswer
from api.commands.bench import BENCHES
from routing.allocation.problem import Problem
from routing.allocation.solver.solve import Solution, solve

SMALL = Size(items=60, sites=3, regions=6, services=2, asking=3.0, holding=2.0, units=12.0)


def silent(share: float, doing: str) -> None:
    pass


def test_the_peer_agrees_within_the_certificate_and_all_is_timed() -> None:
    ran = run_here(Asked(SMALL, 1e-2, seed=1, peer=True, warm=True))
    assert min(ran.seconds, ran.peer_seconds, ran.warm_seconds, ran.megabytes) > 0
    assert 0 <= ran.gap <= 1.0


def test_a_size_runs_in_a_process_of_its_own() -> None:
    asked = Asked(SMALL, 1e-2, seed=1)
    alone, here = in_process(asked), run_here(asked)
    assert (alone.cost, alone.bound) == (here.cost, here.bound)


def test_every_figure_has_a_peer_or_a_most() -> None:
    def ran(asked: Asked) -> Ran:
        return Ran(2.0, 100.0, 99.9, 200.0, warm_seconds=1.0, peer_seconds=40.0)

    document = measure(1, silent, ran).document()
    assert {line["figure"] for line in document["lines"]} == {"total", "gap", "memory"}
    assert document["lines"][0]["ratio"] == 20.0


def test_a_seed_names_one_instance_whose_limits_bind() -> None:
    one, same, other = instance(SMALL, 5), instance(SMALL, 5), instance(SMALL, 6)
    assert np.array_equal(one.demand_units, same.demand_units)
    assert not np.array_equal(one.pools.units, other.pools.units)
    price = solve(one, gap=1e-3, method="decomposition").price
    assert price[: one.limits.carrier_begin].max() > 0
    assert price[one.limits.carrier_begin :].max() > 0


def test_an_answer_outside_of_the_certificate_is_no_benchmark(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def cheaper(problem: Problem, gap: float, seed: int, method: str, workers: int) -> Solution:
        found = solve(problem, gap, seed, method=method)
        return replace(found, flow_cost=found.flow_cost * 0.9, bound=found.bound * 0.9)

    monkeypatch.setattr(allocation, "solve", cheaper)
    with pytest.raises(WrongAnswer):
        run_here(Asked(SMALL, 1e-2, seed=1, peer=True))


def test_a_ratio_above_one_is_better_for_times_and_for_rates() -> None:
    slow = Line("case", "total", "s", 1.0, "peer", 4.0)
    fast = Line("case", "rate", "1/s", 8.0, "peer", 2.0, higher_is_better=True)
    document = Measured("any", 0, (slow, fast)).document()
    assert [line["ratio"] for line in document["lines"]] == [4.0, 4.0]


def test_the_registry_knows_the_allocation_benchmark() -> None:
    assert BENCHES["allocation"] == "api.benchmarks.allocation"
