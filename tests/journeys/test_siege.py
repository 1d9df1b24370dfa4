"""A short siege of both databases, and proof that its checker sees what would be wrong.

The long one: `python -m tests.siege postgres --seconds 720 --operations 50000`.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.siege.attack import Plan, besiege
from tests.siege.checks import anomalies
from tests.siege.history import Attempt
from tests.siege.truth import Truth

SHORT = Plan(
    seconds=12, operations=50_000, clients=16, kills=5, database_kills=1, seed=11, speed=40
)


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_nothing_is_oversold_lost_or_done_twice_under_siege(kind: str) -> None:
    verdict = besiege(kind, SHORT)
    assert verdict.held, verdict.as_json()
    assert verdict.kills > 0
    assert verdict.database_kills == (kind == "postgres")
    done = ("plan 201", "confirm 200", "cancel 200", "move 201", "audit 200")
    assert all(verdict.answers.get(one) for one in done), verdict.answers
    assert {"confirmed", "released", "expired"} <= set(verdict.endings), "every end was reached"
    assert verdict.replayed > 0


START = datetime(2026, 9, 7, 8, 0, tzinfo=UTC)
ROW = {"site": "DE-HAM", "item": "MUG", "customs": "free"}
KEY = "DE-HAM MUG free"


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def asked(action: str, subject: str, second: float, status: int, **more: object) -> Attempt:
    """A request that took half a second."""
    began, ended = at(second), at(second + 0.5)
    made = Attempt(action, subject, f"{action} {subject}", began, ended, status, digest="d")
    return replace(made, **more)  # type: ignore[arg-type]  # tests name the fields they change


def planned(plan: str, second: float, units: int, hold: str) -> Attempt:
    told = {
        "plan": plan, "order": f"o-{plan}", "reservation": hold, "units": {KEY: units},
        "expires_at": at(second + 60).isoformat(),
    }  # fmt: skip
    return asked("plan", f"o-{plan}", second, 201, told=told)


def ended(action: str, plan: str, second: float) -> Attempt:
    told = {"status": {"confirm": "confirmed", "cancel": "cancelled"}[action], "shipments": 1}
    return asked(action, plan, second, 200, told=told)


def line(number: int, kind: str, units: int, held: int, reference: str) -> dict[str, object]:
    return {"id": f"m{number}", **ROW, "kind": kind, "quantity": units, "reserved": held,
            "reference": reference}  # fmt: skip


HISTORY = (
    asked("move", "r-1", 0, 201, told={"movement": "m0", "key": KEY, "quantity": 5}),
    planned("p1", 1, 3, "h1"),
    planned("p2", 2, 2, "h2"),
    ended("confirm", "p1", 3),
    ended("cancel", "p2", 4),
    asked("audit", "stock", 5, 200, key="", told={KEY: (2, 0, 2)}),
)

TRUTH = Truth(
    stock=[{**ROW, "on_hand": 2, "reserved": 0}],
    movements=[
        line(0, "receipt", 5, 0, "r-1"), line(1, "reserve", 0, 3, "h1"),
        line(2, "reserve", 0, 2, "h2"), line(3, "ship", -3, -3, "h1"),
        line(4, "release", 0, -2, "h2"),
    ],
    reservations=[{"id": "h1", "state": "confirmed", "reference": "p1"},
                  {"id": "h2", "state": "released", "reference": "p2"}],
    lines=[{"reservation": "h1", **ROW, "quantity": 3, "shipped": 3},
           {"reservation": "h2", **ROW, "quantity": 2, "shipped": 0}],
    plans=[{"id": "p1", "order": "o-p1", "status": "confirmed", "reservation": "h1"},
           {"id": "p2", "order": "o-p2", "status": "cancelled", "reservation": "h2"}],
    fulfillment_orders=[{"id": "f1", "plan": "p1"}],
    shipments=[{"id": "s1", "plan": "p1", "leg": 0}],
    answers=[],
)  # fmt: skip


def found(history: Sequence[Attempt], truth: Truth) -> set[str]:
    return {name for name, told in anomalies(history, truth).items() if told}


def test_a_history_without_fault_passes() -> None:
    assert found(HISTORY, TRUTH) == set()


@pytest.mark.parametrize(
    ("name", "history", "truth"),
    [
        ("lost_answers", HISTORY, replace(TRUTH, plans=TRUTH.plans[1:])),
        ("lost_ends", HISTORY, replace(TRUTH, shipments=[])),
        ("double_effects", HISTORY,
         replace(TRUTH, plans=[*TRUTH.plans, {**TRUTH.plans[0], "id": "p3"}])),
        ("effects_of_refusals", [*HISTORY, asked("plan", "o-p2", 9, 409)], TRUTH),
        ("changed_answers", [*HISTORY, replace(HISTORY[1], digest="other", replayed=True)], TRUTH),
        ("changed_answers", [*HISTORY, HISTORY[1]], TRUTH),
        ("contrary_ends", [*HISTORY, ended("cancel", "p1", 9)], TRUTH),
        ("late_confirmations", [*HISTORY[:3], ended("confirm", "p1", 90), *HISTORY[4:]], TRUTH),
        ("statuses_going_back", [*HISTORY, asked("look", "p1", 9, 404)], TRUTH),
        ("statuses_going_back",
         [*HISTORY, asked("look", "p1", 9, 200, told={"status": "reserved"})], TRUTH),
        ("held_more_than_stock", [*HISTORY, planned("p3", 3.5, 1, "h3")], TRUTH),
        ("oversold_rows", [*HISTORY, asked("audit", "stock", 9, 200, told={KEY: (1, 2, 0)})],
         TRUTH),
        ("drift", HISTORY, replace(TRUTH, stock=[{**ROW, "on_hand": 3, "reserved": 0}])),
        ("drift", HISTORY, replace(TRUTH, movements=TRUTH.movements[:-1])),
        ("server_errors", [*HISTORY, asked("look", "p1", 9, 500)], TRUTH),
    ],
)  # fmt: skip
def test_the_checker_sees(name: str, history: Sequence[Attempt], truth: Truth) -> None:
    assert name in found(history, truth)
