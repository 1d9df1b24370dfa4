"""Engines: wherever partitions are worked, the same numbers come out, and nothing stays behind."""

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import date

import numpy as np
import pytest

from core.packing import pack
from inventory.demand.book import Book, Guide
from inventory.demand.calibration import neutral
from inventory.demand.engine import Engine, Here, Pool
from inventory.demand.packing import unpack
from inventory.demand.partition import Partition, partitions
from inventory.demand.promotions import Effects
from inventory.demand.season import Season
from inventory.demand.sparse import Sparse, Terms
from inventory.demand.steps import BASE, CELLS, LEVELS, TALLY

ITEMS, REGIONS, WEEKS, AHEAD, PARTS = 40, 5, 60, 4, 8


def shops() -> tuple[Partition, ...]:
    """Partitions of a small brand with promotions."""
    rng = np.random.default_rng(3)
    dense = rng.poisson(rng.gamma(0.5, 2.0, (ITEMS * REGIONS, 1)), (ITEMS * REGIONS, WEEKS))
    series, week = np.nonzero(dense)
    history = Sparse(
        items=tuple(f"I{at}" for at in range(ITEMS)),
        regions=tuple(f"R{at}" for at in range(REGIONS)),
        weeks=WEEKS,
        series=series.astype(np.int32),
        week=week.astype(np.int32),
        quantity=dense[series, week].astype(np.float64),
        hidden=np.arange(0, ITEMS * REGIONS * WEEKS, 997, dtype=np.int64),
        promotions=Terms(
            series.astype(np.int32), week.astype(np.int32), rng.random(len(week)),
            np.full(len(week), 9.0),
        ),
    )  # fmt: skip
    book = Book(
        items=history.items,
        regions=history.regions,
        categories=("a", "b"),
        category=np.arange(ITEMS, dtype=np.int64) % 2,
        first=date(2025, 7, 7),
        weeks=WEEKS,
        gap=1,
        horizon=AHEAD,
    )
    size = ITEMS // PARTS
    return tuple(partitions(history, book, [(at, at + size) for at in range(0, ITEMS, size)]))


GUIDE = Guide(Season.none(2, WEEKS, AHEAD + 1), neutral())
RATIOS = np.ones((2, REGIONS, AHEAD))


def worked(engine: Engine, parts: tuple[Partition, ...]) -> Iterator[bytes]:
    """Yields what every step makes of every partition, as bytes."""
    effects = Effects(np.full(ITEMS // PARTS, 0.3), np.zeros(ITEMS // PARTS))
    own = [(effects,)] * len(parts)
    yield from map(pack, engine.each(TALLY, parts, (), [()] * len(parts)))
    yield from map(pack, engine.each(BASE, parts, (), own))
    found = list(engine.each(LEVELS, parts, (GUIDE,), own))
    yield from map(pack, found)
    cells = engine.each(CELLS, parts, (GUIDE, RATIOS), [(one, effects) for one in found])
    yield from map(pack, cells)


def children() -> set[int]:
    """Returns the processes that this one has started and that have not ended."""
    with open(f"/proc/self/task/{os.getpid()}/children") as told:
        return set(map(int, told.read().split()))


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_any_number_of_processes_makes_the_same_bytes(workers: int) -> None:
    parts = shops()
    with Pool(workers) as pool:
        assert list(worked(pool, parts)) == list(worked(Here(), parts))


def test_a_partition_survives_packing_byte_by_byte() -> None:
    part = shops()[3]
    assert pack(unpack(pack(part))) == pack(part)


def test_a_package_makes_no_kind_that_nobody_named() -> None:
    class Stranger:
        pass

    with pytest.raises(TypeError, match="Stranger"):
        pack(Stranger())
    with pytest.raises(TypeError, match="ndarray"):
        pack(np.array([Stranger()]))


@pytest.mark.parametrize(
    "value",
    [
        (),
        (1, 2.5, "Äpfel", None, True, date(2026, 9, 7)),
        (np.zeros((0, 3)), np.arange(6, dtype=np.int8).reshape(2, 3), np.array([], dtype=np.int64)),
    ],
    ids=["nothing", "plain", "arrays"],
)
def test_values_come_back_as_they_were_packed(value: tuple[object, ...]) -> None:
    back = unpack(pack(value))
    assert pack(back) == pack(value)
    for one, other in zip(value, back, strict=True):
        assert type(one) is type(other)
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other), strict=True)


def test_a_package_of_another_kind_is_refused() -> None:
    content = pack(Effects(np.zeros(1), np.zeros(1))).replace(b'"Effects"', b'"EffectX"')
    with pytest.raises(KeyError, match="EffectX"):
        unpack(content)


def give_up(before: set[int]) -> None:
    """Stops in the middle of a step, as Ctrl-C would."""
    parts = shops()
    with Pool(2) as pool:
        next(pool.each(BASE, parts, (), [(None,)] * len(parts)))
        assert len(children() - before) == 2
        raise KeyboardInterrupt


def test_work_that_is_given_up_leaves_no_process() -> None:
    before = children()
    with pytest.raises(KeyboardInterrupt):
        give_up(before)
    assert children() == before


def test_an_error_of_a_step_is_met_by_whoever_asked() -> None:
    parts = shops()
    with Pool(2) as pool, pytest.raises(KeyError, match="no such step"):
        list(pool.each("no such step", parts, (), [()] * len(parts)))


def test_what_a_killed_process_lost_is_worked_here() -> None:
    before, parts = children(), shops()
    expected = list(worked(Here(), parts))
    with Pool(2) as pool:
        os.kill((children() - before).pop(), 9)
        assert list(worked(pool, parts)) == expected


def test_a_process_of_the_pool_loads_neither_pandas_nor_prophet() -> None:
    asked = "import inventory.demand.worker, sys; print(*{'pandas', 'prophet'} & {*sys.modules})"
    told = subprocess.run([sys.executable, "-c", asked], capture_output=True, check=True)
    assert told.stdout.strip() == b""
