"""Clients that order, confirm, cancel, restock and look, at random and without pause.

A client that gets no answer asks again with the same key until it knows what became of its request,
as a careful order service does. Plans are shared: any client may confirm or cancel any of them, two
at once included.
"""

import random
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.siege.history import Attempt, Document, Headers, History, Line

ITEMS = ("MUG", "LAMP")
SITES = ("DE-HAM", "US-LAX", "TH-BKK")
"""Sites that hold stock; all clients want the same few units."""

REGIONS = ("DE", "FR", "US-W", "TH", "AE")

SHARED_PLANS, AGAIN = 40, 0.15
_PAUSE_SECONDS = 0.1


@dataclass(slots=True)
class Known:
    """Plans that some client made lately."""

    plans: deque[str] = field(default_factory=lambda: deque(maxlen=SHARED_PLANS))
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, plan: str) -> None:
        with self.lock:
            self.plans.append(plan)

    def any(self, dice: random.Random) -> str | None:
        with self.lock:
            return dice.choice(self.plans) if self.plans else None


@dataclass
class Client:
    """One client: a connection, a dice, and the keys of an order service and a planner."""

    name: str
    line: Line
    dice: random.Random
    known: Known
    keys: Mapping[str, Headers]
    ended: threading.Event
    number: int = 0

    def work(self, most: int, history: History) -> None:
        """Works until the siege ends or the history holds so many operations."""
        actions = (self.order, self.confirm, self.cancel, self.look, self.restock, self.audit,
                   self.batch)  # fmt: skip
        while not self.ended.is_set() and history.operations < most:
            self.number += 1
            self.dice.choices(actions, (38, 17, 17, 12, 8, 5, 3))[0]()
        self.line.close()

    def order(self) -> None:
        """Plans an order of a few hot units; most hold them, as shortly as may be."""
        name = self._name()
        answer = self._once("plan", name, "/v1/fulfillment-plans", self._order(name), plan_told)
        if answer is not None and answer.done:
            self.known.add(answer.told["plan"])

    def batch(self) -> None:
        """Plans three orders in one request."""
        orders = [self._order(f"{self._name()}-{at}") for at in range(3)]
        path = "/v1/fulfillment-plans/batch"
        self._once("batch", self._name(), path, {"orders": orders}, batch_told)

    def confirm(self) -> None:
        """Confirms any plan."""
        self._end("confirm")

    def cancel(self) -> None:
        """Cancels any plan."""
        self._end("cancel")

    def look(self) -> None:
        """Reads any plan."""
        plan = self.known.any(self.dice)
        if plan is not None:
            headers = self.keys["order-service"]
            self.line.ask(
                "look", plan, "GET", f"/v1/fulfillment-plans/{plan}", headers, excerpt=status_told
            )

    def restock(self) -> None:
        """Receives or returns a few units, or corrects a count downwards."""
        kind, units = self.dice.choice((("receipt", 4), ("return", 1), ("adjustment", -1)))
        name = self._name()
        body = {
            "site": self.dice.choice(SITES), "item": self.dice.choice(ITEMS), "kind": kind,
            "quantity": units, "reference": name,
        }  # fmt: skip
        self._once("move", name, "/v1/stock/movements", body, movement_told, "planner")

    def audit(self) -> None:
        """Reads all stock."""
        headers = self.keys["planner"]
        self.line.ask("audit", "stock", "GET", "/v1/stock", headers, excerpt=stock_told)

    def _end(self, action: str) -> None:
        plan = self.known.any(self.dice)
        if plan is not None:
            path = f"/v1/fulfillment-plans/{plan}/{action}"
            self._once(action, plan, path, {}, status_told)

    def _name(self) -> str:
        return f"{self.name}-{self.number}"

    def _order(self, name: str) -> Document:
        items = self.dice.sample(ITEMS, self.dice.randint(1, len(ITEMS)))
        lines = [
            {"line": at, "item": item, "quantity": self.dice.randint(1, 3)}
            for at, item in enumerate(items)
        ]
        options = {"reserve": self.dice.random() < 0.9, "hold_minutes": self.dice.randint(1, 2)}
        region = self.dice.choice(REGIONS)
        return {
            "order": name, "region": region, "currency": "EUR", "lines": lines, "options": options
        }  # fmt: skip

    def _once(
        self,
        action: str,
        subject: str,
        path: str,
        body: Document,
        excerpt: Any,
        role: str = "order-service",
    ) -> Attempt | None:
        """Asks until the answer settles it; now and then asks once more all the same."""
        key = f"{action}-{self._name()}"
        headers = {**self.keys[role], "Idempotency-Key": key}
        while not self.ended.is_set():
            attempt = self.line.ask(action, subject, "POST", path, headers, body, excerpt)
            if attempt.settled:
                if attempt.done and self.dice.random() < AGAIN:
                    self.line.ask(action, subject, "POST", path, headers, body, excerpt)
                return attempt
            time.sleep(_PAUSE_SECONDS)
        return None


# What the checker needs of an answer


def plan_told(document: Any) -> Document:
    """Returns plan, order, hold and units by `site item customs`."""
    units: dict[str, int] = {}
    for leg in document["legs"]:
        for line in leg["lines"]:
            key = f"{leg['site']} {line['item']} {leg['customs']}"
            units[key] = units.get(key, 0) + line["quantity"]
    held = document["reservation"] or {}
    return {
        "plan": document["id"], "order": document["order"], "reservation": held.get("id"),
        "expires_at": held.get("expires_at"), "units": units,
    }  # fmt: skip


def batch_told(document: Any) -> Document:
    """Returns what is told of each plan of a batch."""
    return {"plans": [plan_told(one["plan"]) for one in document["data"] if "plan" in one]}


def status_told(document: Any) -> Document:
    """Returns the state of a plan."""
    return {"status": document["status"], "shipments": len(document["shipments"])}


def movement_told(document: Any) -> Document:
    """Returns the line of the ledger."""
    key = f"{document['site']} {document['item']} {document['customs']}"
    return {"movement": document["id"], "key": key, "quantity": document["quantity"]}


def stock_told(document: Any) -> Document:
    """Returns on hand, reserved and available by `site item customs`."""
    return {
        f"{row['site']} {row['item']} {row['customs']}": (
            row["on_hand"], row["reserved"], row["available"],
        )
        for row in document["data"]
    }  # fmt: skip
