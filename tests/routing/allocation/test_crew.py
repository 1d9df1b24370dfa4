"""A crew: the same plan with any number of processes, also when they die."""

import logging

import numpy as np
import pytest

from routing.allocation import crew, networks
from routing.allocation.problem import Problem
from routing.allocation.solve import Solution, solve
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


def test_blocks_hold_whole_items_and_all_of_them(problem: Problem) -> None:
    blocks = list(networks.blocks_of(problem))
    assert len(blocks) > 3
    assert [block.begin for block in blocks[1:]] == [block.end for block in blocks[:-1]]
    assert (blocks[0].begin, blocks[-1].end) == (0, problem.items)
    for block in blocks:
        assert block.supply.sum() == 0
