"""Decomposition: prices for what items share, a plan for each item, and a proof for the whole.

The loop asks every item what it would do at given prices, mixes the answers so that the limits
hold, and takes the prices of that mixture, drawn toward the best ones so far (smoothing after
Wentges, Weighted Dantzig-Wolfe decomposition, 1997; by how much they are drawn follows the slope of
the bound, after Pessoa, Sadykov, Uchoa and Vanderbeck, Automation and combination of linear
programming based stabilization techniques in column generation, 2018). Any prices give a bound that
no plan undercuts (Lagrange); the mixture gives a plan. They meet, and the loop ends when they are
near enough. It begins at the prices of a sample of items, or at earlier prices.
"""

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from types import TracebackType

import numpy as np
from scipy.sparse import csr_array

from routing.allocation.problem import Floats, Ints, Problem, only, summed, with_limits
from routing.allocation.solver.answers import Answering, Reply, Terms, Worth
from routing.allocation.solver.crew import Members, answering, hands
from routing.allocation.solver.exact import relaxed
from routing.allocation.solver.master import Answers, Mixture, mixture

SAMPLE_COLUMNS = 12_000
"""Columns of the linear program whose prices the loop begins with."""

SAMPLE_ITEMS, SAMPLED, SAMPLE_GAP = 1_000, 1 / 30, 1e-3
"""Where items are more than twice as many, a sample of so many, or of such a share if that is more,
is decomposed first, to this gap."""

GROUPS, GROUPS_OF_LARGE, ITEMS_OF_GROUP = 7.0, 3.5, 5
"""So many groups times the root of the number of items, of at least so many items each: more make
rounds dear, fewer make many. Large problems begin at better prices, and so need fewer."""

DRAWN_FIRST, DRAWN_NEAR = 0.5, 0.9
"""How far prices are drawn toward the best ones at first, and where the first ones are near."""

LESS, MORE = 0.1, 0.3
"""They are drawn so much less where the bound still rises toward the mixture's prices, and by such
a share of the rest more where it falls."""

STUCK = 0.5
"""They are drawn by this share of before where a round did not help."""

ANSWERS, ANSWERS_OF_LIMIT = 4, 2
"""Answers of each group that the master keeps, those in use aside: others have long been dear. Of
few groups it keeps more: so many for each limit."""

MOST_ROUNDS = 300

LEAST_COST = 1e-9
"""A plan that costs less has a gap all the same."""

Report = Callable[[float, str], None]


@dataclass(frozen=True, eq=False)
class Decomposed:
    """Where the loop stands: all answers, their mixture, the best prices [row] and their bound.

    `group` is that of each item, [item]; `worth` is that of units at the best prices.
    """

    items: Answering
    group: Ints
    answers: Answers
    mixture: Mixture
    price: Floats
    worth: Worth
    bound: float
    rounds: int

    @property
    def gap(self) -> float:
        """How far the mixture may be from the best plan, as a share of its cost."""
        return (self.mixture.cost - self.bound) / max(abs(self.mixture.cost), LEAST_COST)


class Decomposition:
    """The loop over one problem; it can be asked to go on. A context manager."""

    def __init__(
        self,
        problem: Problem,
        seed: int = 0,
        start: Floats | None = None,
        groups: int = 0,
        workers: int = 1,
        members: Members = hands,
    ) -> None:
        limits = problem.limits
        self._rows = np.flatnonzero(np.isfinite(limits.flat)).astype(np.int32)
        self._limit, self._soft = limits.flat[self._rows], limits.soft[self._rows]
        most = int((GROUPS_OF_LARGE if _is_large(problem) else GROUPS) * np.sqrt(problem.items))
        self._groups = groups or max(1, min(most, -(-problem.items // ITEMS_OF_GROUP)))
        self._most = max(ANSWERS, -(-ANSWERS_OF_LIMIT * len(self._rows) // self._groups))
        self._terms = Terms.of(problem, self._groups, self._rows)
        known = start is not None
        with ExitStack() as opening:
            roll = opening.enter_context(members(min(workers, len(self._terms.begins))))
            begin = start if start is not None else sample_prices(problem, seed)
            self._items: Answering = answering(problem, self._terms, roll())
            self._price = np.minimum(begin, limits.soft)
            self._answers = _answers(self._reply(self._price, idle=True), 0)
            self._open = opening.pop_all()
        self._watched = self._price[self._rows] > 0
        self._best, self._best_price, self._round = -np.inf, self._price, 0
        self._drawn = DRAWN_NEAR if known or _is_large(problem) else DRAWN_FIRST
        self._way, self._helped, self._cost = np.zeros(len(self._rows)), True, np.inf
        self._last: Reply | None = None

    def __enter__(self) -> "Decomposition":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._open.close()

    def run(
        self,
        gap: float,
        report: Report | None = None,
        deadline: float | None = None,
        enough: float = np.inf,
    ) -> Decomposed:
        """Returns where the loop stands at this gap, at the deadline, or after the last round.

        A bound of `enough` ends it too.
        """
        tell = report or _silent
        while True:
            mixed = self._step()
            open_gap = (mixed.cost - self._best) / max(abs(mixed.cost), LEAST_COST)
            tell(open_gap, f"round {self._round}: proven within {open_gap:.2%}")
            late = deadline is not None and time.perf_counter() > deadline
            known = open_gap <= gap or self._best >= enough
            if known or late or self._round >= MOST_ROUNDS:
                break
            self._draw(mixed)
        worth = self._items.worth(self._best_price)
        self._draw(mixed)
        return Decomposed(
            self._items,
            self._terms.group,
            self._answers,
            mixed,
            self._best_price,
            worth,
            worth.bound - self._paid(self._best_price),
            self._round,
        )

    def _reply(self, price: Floats, idle: bool = False) -> Reply:
        parts = self._items.parts(price, idle)
        return Reply.of(parts, self._groups, len(self._rows))

    def _step(self) -> Mixture:
        """Asks everybody once and returns the mixture of all that was answered so far."""
        self._round += 1
        reply = self._reply(self._price)
        bound = reply.priced - self._paid(self._price)
        rises = bound > self._best
        if rises:
            self._best, self._best_price = bound, self._price
        # What was said before may have been dropped since: where rounds do not help, all counts.
        self._answers += _fresh(reply, self._last if self._helped else None, self._round)
        self._last = reply
        self._watched |= np.asarray(reply.use.sum(axis=0)).ravel() > self._limit
        made = mixture(self._answers, self._groups, self._limit, self._soft, self._watched)
        self._helped = rises or made.cost < self._cost
        self._cost = made.cost
        kept = made.promising(self._answers, self._most)
        self._answers = self._answers.only(kept)
        return replace(made, weight=made.weight[kept], dearer=made.dearer[kept])

    def _draw(self, mixed: Mixture) -> None:
        """Takes prices between the best ones and those of the mixture.

        The slope of the bound on the way to the last mixture's says which end they were too near.
        Where a round helped neither the bound nor the mixture, they go toward the mixture's, which
        always help in the end.
        """
        if self._last is not None and self._way.any():
            slope = np.asarray(self._last.use.sum(axis=0)).ravel() - self._limit
            if not self._helped:
                self._drawn *= STUCK
            elif float((slope * self._way).sum()) > 0:
                self._drawn = max(self._drawn - LESS, 0.0)
            else:
                self._drawn += MORE * (1.0 - self._drawn)
        self._way = mixed.price - self._best_price[self._rows]
        self._price = self._best_price.copy()
        self._price[self._rows] += (1.0 - self._drawn) * self._way

    def _paid(self, price: Floats) -> float:
        return float(price[self._rows] @ self._limit)


def _answers(reply: Reply, at: int) -> Answers:
    count = len(reply.cost)
    return Answers(
        reply.cost, np.arange(count, dtype=np.int32), np.full(count, at, np.int32), reply.use
    )


def _fresh(reply: Reply, last: Reply | None, at: int) -> Answers:
    """Returns the answers of the groups that did not say the same the last time."""
    made = _answers(reply, at)
    if last is None:
        return made
    differs = reply.cost != last.cost
    differs |= np.asarray(np.abs(reply.use - last.use).sum(axis=1)).ravel() > 0
    new = np.flatnonzero(differs)
    return Answers(made.cost[new], made.group[new], made.round[new], csr_array(made.use[new]))


def sample_prices(problem: Problem, seed: int) -> Floats:
    """Returns the prices of the shared limits in a sample of items, [row]."""
    if _is_large(problem):
        sample = _sample(problem, max(SAMPLE_ITEMS, int(SAMPLED * problem.items)), seed)
        with Decomposition(sample, seed) as loop:
            return loop.run(SAMPLE_GAP).price
    size = max(1, int(problem.items * min(1.0, SAMPLE_COLUMNS / max(problem.columns, 1))))
    return relaxed(_sample(problem, size, seed)).price


def _is_large(problem: Problem) -> bool:
    return problem.items > 2 * SAMPLE_ITEMS


def _sample(problem: Problem, size: int, seed: int) -> Problem:
    """Returns so many of the items, with their share of the limits.

    That is the share of what all stock could take of a limit.
    """
    chosen = np.random.default_rng(seed).choice(problem.items, size, replace=False)
    small = only(problem, np.sort(chosen).astype(np.int32))
    whole, part = possible_use(problem), possible_use(small)
    share = np.divide(part, whole, out=np.ones_like(part), where=whole > 0)
    held = np.isfinite(problem.limits.flat)
    flat = problem.limits.flat.copy()
    flat[held] *= share[held]
    return with_limits(small, flat)


def possible_use(problem: Problem) -> Floats:
    """Returns what all stock could take of each shared limit if it all went that way, [row]."""
    rows = len(problem.limits.flat)
    pools = problem.pools
    asked = summed(problem.demands.item, problem.demand_units, problem.items)
    units = np.minimum(pools.units, asked[pools.item])
    use = summed(problem.outbound_row, units, rows)
    weight = units * problem.weight_kg[pools.item]
    for service in range(len(problem.axes.services)):
        use += summed(problem.carrier_row + problem.carrier_step * service, weight, rows)
    held = problem.transfers.row >= 0
    room = problem.throughput[problem.transfers.item[held]] * problem.transfers.use[held]
    return use + summed(problem.transfers.row[held], room, rows)


def _silent(share: float, doing: str) -> None:
    """Tells nobody."""
