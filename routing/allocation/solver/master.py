"""The master: which answers of the groups together keep the shared limits at the least cost.

Each group of items has answered earlier prices with a cost and a use of what all share. The master
mixes these answers; its prices say what more of each limit would be worth among them
(Dantzig and Wolfe, Decomposition principle for linear programs, 1960).
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array, csr_array, hstack, vstack

from routing.allocation.problem import Bools, Floats, Ints
from routing.allocation.solver.glop import LinearProgram, minimize

PARAMETERS = "use_preprocessing: false"
"""The master is small: presolve costs more than it saves."""

ROOM = 1e-9
"""A limit that a mixture exceeds by less than this share is kept."""


@dataclass(frozen=True, eq=False)
class Answers:
    """Answers of groups to prices: `cost`, `group`, `round` and the `use` of each; by answer.

    `use` is [answer, row], of the limits that are finite.
    """

    cost: Floats
    group: Ints
    round: Ints
    use: csr_array

    @classmethod
    def none(cls, rows: int) -> "Answers":
        """Returns no answers."""
        ints = np.zeros(0, np.int32)
        return cls(np.zeros(0), ints, ints, csr_array((0, rows)))

    def __add__(self, other: "Answers") -> "Answers":
        return Answers(
            np.concatenate([self.cost, other.cost]),
            np.concatenate([self.group, other.group]),
            np.concatenate([self.round, other.round]),
            csr_array(vstack([self.use, other.use], format="csr")),
        )

    def only(self, rows: Ints) -> "Answers":
        """Returns some of the answers."""
        return Answers(
            self.cost[rows], self.group[rows], self.round[rows], csr_array(self.use[rows])
        )


@dataclass(frozen=True, eq=False)
class Mixture:
    """Weights of the answers, [answer], prices of the limits, [row], and the cost of it all.

    `dearer` is by how much each answer costs more at these prices than the best of its group.
    """

    weight: Floats
    price: Floats
    cost: float
    dearer: Floats

    def promising(self, answers: Answers, most: int) -> Ints:
        """Returns the answers worth keeping: those in use, and the `most` best of each group."""
        order = np.lexsort((self.dearer, answers.group))
        group = answers.group[order]
        rank = np.arange(len(order)) - np.searchsorted(group, group)
        kept = order[(rank < most) | (self.weight[order] > 0)]
        return np.sort(kept)


def mixture(answers: Answers, groups: int, limit: Floats, soft: Floats, watched: Bools) -> Mixture:
    """Returns the least costly mixture of answers that keeps the limits, [row].

    Every group has a weight of 1. `soft` is what one more of a limit costs where it gives way,
    infinite where it is hard. Only `watched` limits get a row and a price; those that the mixture
    exceeds are added to them in place, until none is left.
    """
    while True:
        rows = np.flatnonzero(watched)
        made = _mixture(answers, groups, limit, soft, rows)
        used = answers.use.T @ made.weight
        over = ~watched & (used > limit + ROOM * np.maximum(limit, 1.0))
        if not over.any():
            return made
        watched |= over


def _mixture(answers: Answers, groups: int, limit: Floats, soft: Floats, rows: Ints) -> Mixture:
    scale = np.maximum(limit[rows], 1.0)
    count, giving = len(answers.cost), np.flatnonzero(np.isfinite(soft[rows]))
    use = csr_array(answers.use[:, rows].T.multiply(1.0 / scale[:, None]))
    give = coo_array(
        (-np.ones(len(giving)), (giving, np.arange(len(giving)))), (len(rows), len(giving))
    )
    whole = csr_array((np.ones(count), (answers.group, np.arange(count))), (groups, count))
    none = csr_array((groups, len(giving)))
    unit = max(float(np.abs(answers.cost).mean()), 1e-9)
    program = LinearProgram(
        objective=np.concatenate([answers.cost, (soft[rows] * scale)[giving]]) / unit,
        matrix=csr_array(vstack([hstack([use, give]), hstack([whole, none])], format="csr")),
        lower=np.concatenate([np.full(len(rows), -np.inf), np.ones(groups)]),
        upper=np.concatenate([limit[rows] / scale, np.ones(groups)]),
        most=np.full(count + len(giving), np.inf),
    )
    basis = minimize(program, parameters=PARAMETERS)
    if not basis.proven:
        raise ArithmeticError("The master found no mixture of answers.")
    price = np.zeros(len(limit))
    price[rows] = np.maximum(-basis.duals[: len(rows)], 0.0) * unit / scale
    paid = answers.cost + answers.use @ price
    dearer = paid - basis.duals[len(rows) :][answers.group] * unit
    cost = float(program.objective @ basis.values) * unit
    return Mixture(basis.values[:count], price, cost, dearer)
