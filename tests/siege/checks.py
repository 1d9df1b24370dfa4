"""The checker: compares a history with the database and names every contradiction.

Each check returns sentences, one for each anomaly; none means that all is well. The checks share no
code with what they judge: they see answers, times and rows.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from tests.siege.history import Attempt, Document
from tests.siege.truth import Truth, stock_key

Check = Callable[[Sequence[Attempt], Truth], Iterator[str]]

_SECOND = timedelta(seconds=1)
"""Answers tell times in whole seconds, rounded down."""

_NEVER = datetime.max.replace(tzinfo=UTC)


def anomalies(history: Sequence[Attempt], truth: Truth) -> dict[str, list[str]]:
    """Returns what every check found, by its name."""
    return {name: list(check(history, truth)) for name, check in CHECKS.items()}


def lost_answers(history: Sequence[Attempt], truth: Truth) -> Iterator[str]:
    """Whatever was answered with 2xx is in the ledger, unit by unit."""
    plans = {row["id"]: row for row in truth.plans}
    held, movements = _held(truth), {row["id"]: row for row in truth.movements}
    for attempt in history:
        for plan in plans_told(attempt):
            row = plans.get(plan["plan"])
            if row is None:
                yield f"{plan['plan']} was answered and is not there"
            elif row["order"] != plan["order"] or row["reservation"] != plan["reservation"]:
                yield f"{plan['plan']} is there with another order or hold"
            elif plan["reservation"] and held.get(plan["reservation"]) != plan["units"]:
                yield f"{plan['reservation']} holds other units than {plan['plan']} told"
        if attempt.action == "move" and attempt.done:
            line = movements.get(attempt.told["movement"])
            if line is None or line["quantity"] != attempt.told["quantity"]:
                yield f"the movement {attempt.subject} was answered and is not there"


def lost_ends(history: Sequence[Attempt], truth: Truth) -> Iterator[str]:
    """A confirmed plan has shipped in full, a cancelled one holds nothing."""
    plans = {row["id"]: row for row in truth.plans}
    states = {row["id"]: row["state"] for row in truth.reservations}
    left, shipped = _open_units(truth), Counter(row["plan"] for row in truth.shipments)
    became = Counter(row["plan"] for row in truth.fulfillment_orders)
    wanted = {"confirm": "confirmed", "cancel": "cancelled"}
    for attempt in history:
        if attempt.action not in wanted or not attempt.done:
            continue
        plan = plans.get(attempt.subject)
        if plan is None or plan["status"] != wanted[attempt.action]:
            yield f"{attempt.action} of {attempt.subject} was answered and did not stay"
        elif left.get(plan["reservation"], 0):
            yield f"{attempt.subject} still holds units after {attempt.action}"
        elif attempt.action == "confirm" and (
            states[plan["reservation"]] != "confirmed" or became[plan["id"]] != 1
            or shipped[plan["id"]] != attempt.told["shipments"]
        ):  # fmt: skip
            yield f"{attempt.subject} was confirmed by half"


def double_effects(history: Sequence[Attempt], truth: Truth) -> Iterator[str]:
    """No request acts twice, however often it was sent."""
    moved = {attempt.subject for attempt in history if attempt.action == "move"}
    counted = {
        "plans of order": Counter(row["order"] for row in truth.plans),
        "movements of": Counter(
            row["reference"] for row in truth.movements if row["reference"] in moved
        ),
        "fulfillment orders of": Counter(row["plan"] for row in truth.fulfillment_orders),
        "holds of": Counter(row["reference"] for row in truth.reservations),
    }  # fmt: skip
    for what, counts in counted.items():
        for name, count in counts.items():
            if count > 1:
                yield f"{count} {what} {name}"


def effects_of_refusals(history: Sequence[Attempt], truth: Truth) -> Iterator[str]:
    """A refused order left no plan, a refused movement no line."""
    orders = {row["order"] for row in truth.plans}
    references = {row["reference"] for row in truth.movements}
    final = {attempt.key: attempt for attempt in history if attempt.key}
    for attempt in final.values():
        if not attempt.settled or attempt.done:
            continue
        if attempt.action == "plan" and attempt.subject in orders:
            yield f"order {attempt.subject} was refused and has a plan"
        if attempt.action == "move" and attempt.subject in references:
            yield f"movement {attempt.subject} was refused and is in the ledger"


def changed_answers(history: Sequence[Attempt], _: Truth) -> Iterator[str]:
    """All answers of 2xx to one key are the same bytes, and only one of them is not a replay."""
    answers: dict[str, list[Attempt]] = defaultdict(list)
    for attempt in history:
        if attempt.key and attempt.done:
            answers[attempt.key].append(attempt)
    for key, given in answers.items():
        if len({(one.status, one.digest) for one in given}) > 1:
            yield f"{key} was answered in different words"
        if sum(not one.replayed for one in given) > 1:
            yield f"{key} was worked on twice"


def contrary_ends(history: Sequence[Attempt], _: Truth) -> Iterator[str]:
    """No plan is both confirmed and cancelled."""
    ends: dict[str, set[str]] = defaultdict(set)
    for attempt in history:
        if attempt.action in ("confirm", "cancel") and attempt.done:
            ends[attempt.subject].add(attempt.action)
    for plan, actions in ends.items():
        if len(actions) > 1:
            yield f"{plan} was confirmed and cancelled"


def late_confirmations(history: Sequence[Attempt], _: Truth) -> Iterator[str]:
    """Nothing that was sent after a hold ran out confirms it, unless it was confirmed before."""
    expiry = _expiries(history)
    first_sent: dict[str, datetime] = {}
    for attempt in history:
        if attempt.action == "confirm":
            sent = first_sent.get(attempt.subject, attempt.began)
            first_sent[attempt.subject] = min(sent, attempt.began)
    for attempt in history:
        if attempt.action != "confirm" or not attempt.done or attempt.subject not in expiry:
            continue
        if first_sent[attempt.subject] >= expiry[attempt.subject] + _SECOND:
            yield f"{attempt.subject} was confirmed after its hold had run out"


def statuses_going_back(history: Sequence[Attempt], _: Truth) -> Iterator[str]:
    """Once an answer showed a plan as ended, no later request sees it otherwise; none vanishes."""
    ended: dict[str, tuple[datetime, str]] = {}
    for attempt in sorted(history, key=lambda one: one.ended):
        if attempt.action in ("confirm", "cancel", "look") and attempt.done:
            status = attempt.told["status"]
            if status in ("confirmed", "cancelled") and attempt.subject not in ended:
                ended[attempt.subject] = (attempt.ended, status)
    for attempt in history:
        if attempt.action != "look":
            continue
        if attempt.status == 404:
            yield f"{attempt.subject} vanished"
        since, status = ended.get(attempt.subject, (_NEVER, ""))
        if attempt.done and attempt.began > since and attempt.told["status"] != status:
            yield f"{attempt.subject} was {status} and is {attempt.told['status']} again"


def held_more_than_stock(history: Sequence[Attempt], truth: Truth) -> Iterator[str]:
    """At no moment did holds and departures that answers prove exceed what had come in.

    A hold surely stands from the answer that told of it until it runs out or its cancellation is
    first sent; once confirmed it stands for good. Units have surely not come in before they were
    sent.
    """
    for key, changes in _changes(history, truth).items():
        balance = 0
        for moment, change in sorted(changes):
            balance += change
            if balance < 0:
                yield f"{key} was promised {-balance} units too often at {moment}"
                break


def oversold_rows(history: Sequence[Attempt], truth: Truth) -> Iterator[str]:
    """No reader ever saw more reserved than on hand, or a number below zero."""
    for row in truth.stock:
        if not 0 <= row["reserved"] <= row["on_hand"]:
            yield f"{stock_key(row)} ends with {row['reserved']} of {row['on_hand']} reserved"
    for attempt in history:
        if attempt.action == "audit":
            for key, (on_hand, reserved, available) in attempt.told.items():
                if not 0 <= reserved <= on_hand or available < 0:
                    yield f"{key} had {reserved} of {on_hand} reserved, {available} available"


def drift(_: Sequence[Attempt], truth: Truth) -> Iterator[str]:
    """The stock rows are the sums of the ledger, and what is reserved is what holds hold."""
    on_hand, reserved, held = Counter[str](), Counter[str](), Counter[str]()
    for line in truth.movements:
        on_hand[stock_key(line)] += line["quantity"]
        reserved[stock_key(line)] += line["reserved"]
    states = {row["id"]: row["state"] for row in truth.reservations}
    for line in truth.lines:
        if states[line["reservation"]] in ("active", "confirmed"):
            held[stock_key(line)] += line["quantity"] - line["shipped"]
    rows = {stock_key(row): row for row in truth.stock}
    for key in sorted({*on_hand, *held, *rows}):
        told = (rows[key]["on_hand"], rows[key]["reserved"]) if key in rows else (0, 0)
        if told != (on_hand[key], reserved[key]) or reserved[key] != held[key]:
            yield f"{key} says {told}, its ledger {on_hand[key], reserved[key]}, holds {held[key]}"


def server_errors(history: Sequence[Attempt], _: Truth) -> Iterator[str]:
    """A failure is a refusal or a request to come again, never a surprise."""
    for attempt in history:
        if attempt.status >= 500 and attempt.status != 503:
            yield f"{attempt.action} of {attempt.subject} was answered {attempt.status}"


CHECKS: Mapping[str, Check] = {
    check.__name__: check
    for check in (
        lost_answers, lost_ends, double_effects, effects_of_refusals, changed_answers,
        contrary_ends, late_confirmations, statuses_going_back, held_more_than_stock,
        oversold_rows, drift, server_errors,
    )
}  # fmt: skip
"""Every check by its name."""


def plans_told(attempt: Attempt) -> Sequence[Document]:
    """Returns what an answer tells of the plans that it made."""
    if not attempt.done:
        return ()
    if attempt.action == "batch":
        plans: Sequence[Document] = attempt.told["plans"]
        return plans
    return (attempt.told,) if attempt.action == "plan" else ()


def _held(truth: Truth) -> dict[str, dict[str, int]]:
    held: dict[str, dict[str, int]] = defaultdict(dict)
    for line in truth.lines:
        held[line["reservation"]][stock_key(line)] = line["quantity"]
    return held


def _open_units(truth: Truth) -> Counter[str]:
    """Units that the ledger still shows as reserved, by what it notes as their reference."""
    left: Counter[str] = Counter()
    for line in truth.movements:
        left[line["reference"]] += line["reserved"]
    return left


def _expiries(history: Sequence[Attempt]) -> dict[str, datetime]:
    return {
        plan["plan"]: datetime.fromisoformat(plan["expires_at"])
        for attempt in history
        for plan in plans_told(attempt)
        if plan["expires_at"]
    }


def _changes(history: Sequence[Attempt], truth: Truth) -> Mapping[str, list[tuple[datetime, int]]]:
    """What surely came and was surely taken, by stock row; what comes counts first."""
    confirmed = {one.subject for one in history if one.action == "confirm" and one.done}
    cancelled: dict[str, datetime] = {}
    for attempt in history:
        if attempt.action == "cancel":
            sent = cancelled.get(attempt.subject, attempt.began)
            cancelled[attempt.subject] = min(sent, attempt.began)
    changes = _opening(history, truth)
    for plan, since in _first_told(history):
        if plan["reservation"] is None:
            continue
        until = datetime.fromisoformat(plan["expires_at"])
        until = min(until, cancelled.get(plan["plan"], until))
        for key, units in plan["units"].items():
            if plan["plan"] in confirmed:
                changes[key].append((since, -units))
            elif since < until:
                changes[key] += [(since, -units), (until, units)]
    return changes


def _first_told(history: Sequence[Attempt]) -> Iterator[tuple[Document, datetime]]:
    told: set[str] = set()
    for attempt in sorted(history, key=lambda one: one.ended):
        for plan in plans_told(attempt):
            if plan["plan"] not in told:
                told.add(plan["plan"])
                yield plan, attempt.ended


def _opening(
    history: Sequence[Attempt], truth: Truth
) -> defaultdict[str, list[tuple[datetime, int]]]:
    """What lay there at the beginning, and what people moved."""
    changes: defaultdict[str, list[tuple[datetime, int]]] = defaultdict(list)
    start = min(one.began for one in history)
    sent: dict[str, datetime] = {}
    for one in history:
        if one.action == "move":
            sent[one.subject] = min(sent.get(one.subject, one.began), one.began)
    moved = {one.subject: one.ended for one in reversed(history)
             if one.action == "move" and one.done}  # fmt: skip
    for line in truth.movements:
        if line["kind"] in ("receipt", "return", "adjustment"):
            came = line["quantity"] > 0
            at = sent.get(line["reference"], start) if came else moved.get(line["reference"])
            if at is not None:
                changes[stock_key(line)].append((at, line["quantity"]))
    return changes
