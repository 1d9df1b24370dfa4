"""A crew: the same plan with any number of processes, also when they die."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from routing.allocation import networks
from routing.allocation.problem import Floats, Problem
from routing.allocation.solver import crew, decomposition
from routing.allocation.solver.crew import Here, Members, Roll
from routing.allocation.solver.solve import Solution, solve
from tests.routing.allocation.problems import random_problem

DIES = "keyword"
"""A module that says nothing and ends at once."""


@pytest.fixture
def problem(monkeypatch: pytest.MonkeyPatch) -> Problem:
    """Forty items in blocks of a few, so that there is something to share out."""
    monkeypatch.setattr(networks, "BLOCK_ARCS", 300)
    return random_problem(11, items=40, sites=4, regions=6, buckets=3)


def same(one: Solution, other: Solution) -> bool:
    plans = zip(one.plan.parts, other.plan.parts, strict=True)
    return (
        all(np.array_equal(mine, theirs) for mine, theirs in plans)
        and np.array_equal(one.price, other.price)
        and np.array_equal(one.stock_price, other.stock_price)
        and (one.flow_cost, one.bound) == (other.flow_cost, other.bound)
    )


@pytest.mark.parametrize("workers", [2, 3])
def test_any_number_of_processes_gives_the_same_plan(problem: Problem, workers: int) -> None:
    alone = solve(problem, gap=1e-3, method="decomposition")
    assert same(alone, solve(problem, gap=1e-3, method="decomposition", workers=workers))


def test_a_process_that_dies_changes_nothing(
    problem: Problem, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    alone = solve(problem, gap=1e-3, method="decomposition")
    monkeypatch.setattr(crew, "HAND", DIES)
    with caplog.at_level(logging.WARNING):
        again = solve(problem, gap=1e-3, method="decomposition", workers=2)
    assert same(alone, again)
    assert "done here instead" in caplog.text
    assert "gone ()" not in caplog.text


class Mortal(Here):
    """A member in this process that is gone after so many packages; notes when it is let go."""

    def __init__(self, packages: int) -> None:
        super().__init__()
        self._left, self.ended = packages, False

    def answer(self) -> memoryview:
        self._left -= 1
        if self._left < 0:
            raise TimeoutError("too slow")
        return super().answer()

    def end(self) -> None:
        self.ended = True


def these(*members: Mortal) -> Members:
    """Asks nobody else, and lets them go as everybody does."""

    @contextmanager
    def asked(count: int) -> Iterator[Roll]:
        try:
            yield lambda: members
        finally:
            for member in members:
                member.end()

    return asked


@pytest.mark.parametrize("packages", [0, 1, 2, 4])
def test_a_member_that_is_gone_in_mid_run_changes_nothing(
    problem: Problem, packages: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever it had answered before, its items answer the same here."""
    alone = solve(problem, gap=1e-3, method="decomposition")
    mortal, other = Mortal(packages), Mortal(1000)
    again = solve(
        problem, gap=1e-3, method="decomposition", workers=2, members=these(mortal, other)
    )
    assert same(alone, again)
    assert mortal.ended
    assert [record.getMessage().count("too slow") for record in caplog.records] == [1]


def test_members_that_do_not_come_are_not_missed(problem: Problem) -> None:
    alone = solve(problem, gap=1e-3, method="decomposition")
    again = solve(problem, gap=1e-3, method="decomposition", workers=3, members=these())
    assert same(alone, again)


def test_whoever_stops_the_loop_lets_all_members_go(problem: Problem) -> None:
    class Cancelled(Exception):
        pass

    def stop(gap: float, doing: str) -> None:
        raise Cancelled

    mortal = Mortal(1000)
    with pytest.raises(Cancelled):
        solve(
            problem, gap=1e-3, method="decomposition", report=stop,
            workers=2, members=these(mortal),
        )  # fmt: skip
    assert mortal.ended


def test_an_error_before_the_loop_lets_all_members_go(
    problem: Problem, monkeypatch: pytest.MonkeyPatch
) -> None:
    mortal = Mortal(1000)
    monkeypatch.setattr(decomposition, "sample_prices", _fail)
    with pytest.raises(ArithmeticError):
        solve(problem, method="decomposition", workers=2, members=these(mortal))
    assert mortal.ended


def _fail(problem: Problem, seed: int) -> Floats:
    raise ArithmeticError


def test_blocks_hold_whole_items_and_all_of_them(problem: Problem) -> None:
    blocks = list(networks.blocks_of(problem))
    assert len(blocks) > 3
    assert [block.begin for block in blocks[1:]] == [block.end for block in blocks[:-1]]
    assert (blocks[0].begin, blocks[-1].end) == (0, problem.items)
    for block in blocks:
        assert block.supply.sum() == 0
