"""`bench allocation`: certified plans of rising size against whole linear programs.

Every size runs in a process of its own, so that its peak memory is its own. Peers get the same
problem as one sparse program; they may part units, so their optimum lies within our certificate.
"""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from api.benchmarks.instances import Size, instance
from api.benchmarks.measured import Line, Measured, Report, WrongAnswer
from api.benchmarks.peers import has_pulp, pulp_cbc
from routing.allocation.problem import Problem
from routing.allocation.solver.carried import Earlier
from routing.allocation.solver.exact import relaxed
from routing.allocation.solver.solve import Solution, solve

SMALL = Size(1_000, asking=12.0, holding=4.25, units=60.0)
WIDE = Size(1_000, 12, 40, 4, asking=20.0, holding=7.0, units=80.0)
LARGE = Size(10_000)
LARGE_WIDE = Size(10_000, 30, 100, 5, asking=12.0, holding=7.4, units=50.0)
HUGE = Size(100_000, asking=6.0, holding=3.8, units=20.0)

FINE, COARSE = 5e-4, 1e-3
"""Gaps that are asked for, as shares of the cost."""

MORE, MOST = 8.0, 9.0
"""Ten times the items should take no more than so many times the time."""

GLOP, PULP = "one GLOP solve", "PuLP with CBC"
"""Peers; that of a case is the faster one of those that are tried."""

PATIENCE = 60.0
"""The peer of the wide case is stopped after so many times what we took."""

LESS = 0.95
"""What a site packs after the override of the warm case, as a share of before."""

SLACK = 1e-6
PERCENT = 100.0


@dataclass(frozen=True, slots=True)
class Ran:
    """One size solved: seconds from arrays to the plan, cost, bound, and peak memory in MB."""

    seconds: float
    cost: float
    bound: float
    megabytes: float
    warm_seconds: float = 0.0
    peer: str = GLOP
    peer_seconds: float = 0.0
    peer_finished: bool = True

    @property
    def gap(self) -> float:
        """How far the plan may be from the best, in percent."""
        return PERCENT * (self.cost - self.bound) / abs(self.cost)


@dataclass(frozen=True, slots=True)
class Asked:
    """A size, the gap that is asked for, and what else is to be timed."""

    size: Size
    gap: float
    seed: int
    peer: bool = False
    warm: bool = False
    patience: float = 0.0
    workers: int = 1


Run = Callable[[Asked], Ran]


def measure(seed: int, report: Report, run: Run | None = None) -> Measured:
    """Returns seconds, gaps and memory by size, each beside a peer or what it must not exceed.

    Raises `WrongAnswer` where a peer's optimum lies outside of a certificate.
    """
    go = run or in_process
    plans = (
        ("small", Asked(SMALL, FINE, seed, peer=True)),
        ("wide", Asked(WIDE, FINE, seed, peer=True, patience=PATIENCE)),
        ("large", Asked(LARGE, FINE, seed, warm=True)),
        ("together", Asked(LARGE, FINE, seed, workers=2)),
        ("large_wide", Asked(LARGE_WIDE, COARSE, seed)),
        ("huge", Asked(HUGE, COARSE, seed)),
    )
    made: dict[str, Ran] = {}
    for at, (name, asked) in enumerate(plans):
        report(at / len(plans), f"Allocating {asked.size}")
        made[name] = go(asked)
    return Measured("allocation", seed, tuple(_lines(dict(plans), made)))


def _lines(plans: dict[str, Asked], made: dict[str, Ran]) -> list[Line]:
    lines = []
    for name in ("small", "wide"):
        peer = made[name].peer + ("" if made[name].peer_finished else ", stopped unfinished")
        case = str(plans[name].size)
        lines.append(Line(case, "total", "s", made[name].seconds, peer, made[name].peer_seconds))
    small, large, huge = made["small"], made["large"], made["huge"]
    lines += [
        Line(str(LARGE), "total", "s", large.seconds, f"{MORE:g} x {SMALL.items:,} items",
             MORE * small.seconds),
        Line(str(HUGE), "total", "s", huge.seconds, f"{MOST:g} x {LARGE.items:,} items",
             MOST * large.seconds),
        Line(f"{LARGE}, one site packs 5 % less", "total", "s", large.warm_seconds,
             "without the earlier plan", large.seconds),
        Line(f"{LARGE}, two processes", "total", "s", made["together"].seconds, "one process",
             large.seconds),
    ]  # fmt: skip
    if made["together"].cost != large.cost:
        raise WrongAnswer("Two processes plan otherwise than one.")
    for name, asked in plans.items():
        lines.append(
            Line(str(asked.size), "gap", "%", made[name].gap, "asked for", PERCENT * asked.gap)
        )
    for name, most in (("large", 300.0), ("large_wide", 700.0), ("huge", 450.0)):
        case = str(plans[name].size)
        lines.append(Line(case, "memory", "MB", made[name].megabytes, "at most", most))
    return lines


def in_process(asked: Asked) -> Ran:
    """Returns how a size ran in a process of its own."""
    text = json.dumps(asdict(asked))
    ended = subprocess.run(  # noqa: S603  # our own interpreter and module
        [sys.executable, "-m", "api.benchmarks.allocation", text],
        capture_output=True, check=False, text=True,
    )  # fmt: skip
    if ended.returncode:
        raise WrongAnswer(ended.stderr.strip().splitlines()[-1] if ended.stderr else "No answer.")
    return Ran(**json.loads(ended.stdout))


def run_here(asked: Asked) -> Ran:
    """Returns how a size ran in this process; memory is the peak of all that it ever did."""
    problem = instance(asked.size, asked.seed)
    begun = time.perf_counter()
    found = solve(problem, asked.gap, asked.seed, method="decomposition", workers=asked.workers)
    seconds = time.perf_counter() - begun
    ran = Ran(seconds, found.flow_cost, found.bound, _peak_megabytes())
    if found.bound > found.flow_cost * (1 + SLACK):
        raise WrongAnswer(f"The bound {found.bound} exceeds the cost {found.flow_cost}.")
    if asked.warm:
        ran = replace(ran, warm_seconds=_again(problem, found, asked))
    if asked.peer:
        ran = _beside_peer(problem, asked, ran)
    return ran


def _again(problem: Problem, found: Solution, asked: Asked) -> float:
    """Returns the seconds after an override, from the plan before it: a site packs 5 % less."""
    outbound = problem.limits.outbound.copy()
    outbound[0] = np.floor(outbound[0] * LESS)
    changed = replace(problem, limits=replace(problem.limits, outbound=outbound))
    begun = time.perf_counter()
    earlier = Earlier(problem, found.plan, found.price)
    again = solve(changed, asked.gap, asked.seed, start=earlier, method="decomposition")
    seconds = time.perf_counter() - begun
    if again.gap > asked.gap:
        raise WrongAnswer(f"Only {again.gap:.4%} is proven after the override.")
    return seconds


def _beside_peer(problem: Problem, asked: Asked, ran: Ran) -> Ran:
    """Returns how a size ran with its faster peer; both are tried where there is no patience."""
    begun = time.perf_counter()
    limit = asked.patience * ran.seconds if asked.patience else None
    peer = relaxed(problem, limit)
    seconds = time.perf_counter() - begun
    if peer.proven:
        _agree(GLOP, peer.cost, ran)
    made = replace(ran, peer_seconds=seconds, peer_finished=peer.proven)
    if asked.patience or not has_pulp():
        return made
    other = pulp_cbc(problem)
    _agree(PULP, other.cost, ran)
    faster = other.seconds < made.peer_seconds
    return replace(made, peer=PULP, peer_seconds=other.seconds) if faster else made


def _agree(peer: str, cost: float, ran: Ran) -> None:
    slack = SLACK * abs(ran.cost)
    if not ran.bound - slack <= cost <= ran.cost + slack:
        raise WrongAnswer(f"{peer} finds {cost}, not from {ran.bound} to {ran.cost}.")


def _peak_megabytes() -> float:
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kilobytes / 1024.0 if sys.platform != "darwin" else kilobytes / 1024.0**2


def _asked(told: dict[str, Any]) -> Asked:
    return Asked(**{**told, "size": Size(**told["size"])})


if __name__ == "__main__":
    print(json.dumps(asdict(run_here(_asked(json.loads(sys.argv[1]))))))  # its answer
