"""Use cases of the stock ledger: movements that people write, and the sweep."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session

from api import store as doors
from api.database import SessionFactory
from api.services.backorders import send_complete
from api.services.brands import current_brand
from api.services.incoming import close_received, expected_lots
from core.brand import Brand
from core.clock import Clock
from core.errors import BadInput, NotFound, Problem
from core.ids import Entropy
from inventory import store
from inventory.stock import INCOMING, Entry, Lot, Movement, MovementKind, StockKey

ANSWERS_KEPT = timedelta(days=7)
"""How long the answer to an Idempotency-Key is replayed."""

SWEEPER = "sweep"
"""The actor of what the system does by itself."""

_BATCH = 500

_JOURNEYS = frozenset({MovementKind.TRANSFER_OUT, MovementKind.TRANSFER_IN})


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep ended: holds, stored answers and console sign-ins whose time had passed."""

    holds: int
    answers: int
    sign_ins: int


@dataclass(frozen=True, slots=True)
class Goods:
    """Units of an item in a customs state, wherever they are."""

    item: str
    customs: str
    quantity: int


def move(
    session: Session,
    brand: Brand,
    kind: MovementKind,
    key: StockKey,
    quantity: int,
    entry: Entry,
    clock: Clock,
    expected: int | None = None,
) -> Movement:
    """Returns the movement that a person wrote into the ledger.

    Receipts and returns add units; an adjustment corrects the count by a signed quantity, and with
    `expected` only if that many are on hand. What is received goes to those who were promised it,
    the first promised first, and back-orders that are complete leave. Units of a transfer leave one
    site, and arrive at another, at once or in parts, under the same reference. A release from bond
    makes bonded units free; the movement that takes them out of bond is returned. Raises `BadInput`
    for a site or item that the brand does not have, `OutOfStock` for more than nobody holds,
    `Conflict` when held units would be lost or more would arrive than is on the way.
    """
    _check(brand, kind, key, quantity, expected, entry.reference)
    if kind is MovementKind.ADJUSTMENT:
        return store.adjust(session, key, quantity, entry, expected)
    lots = [Lot(key.site, key.item, quantity, key.customs)]
    if kind is MovementKind.RECEIPT:
        arrived = store.arrive(session, lots[0], entry, expected_lots(session, brand, key))
        close_received(session, {came.reference for came in arrived.lots})
        send_complete(session, {one.reservation for one in arrived.served}, entry, clock)
        return arrived.movement
    if kind in INCOMING:
        return store.receive(session, lots, entry, kind)[0]
    if kind is MovementKind.TRANSFER_OUT:
        return store.transfer_out(session, lots, entry, entry.reference)[0]
    if kind is MovementKind.TRANSFER_IN:
        return store.transfer_in(session, lots, entry, entry.reference)[0]
    return store.release_bond(session, lots, entry)[0]


def bond_days(session: Session) -> Mapping[str, float]:
    """Returns how many days goods may lie in bond, by site; nothing before a brand is loaded."""
    try:
        sites = current_brand(session).table("sites")
    except NotFound:
        return {}
    limited = sites[sites["bond_days"].notna()]
    return dict(zip(limited["site"], limited["bond_days"].astype(float), strict=True))


def travelling(session: Session, transfer: str) -> list[Goods]:
    """Returns the units of a transfer that have left and not arrived; raises `NotFound`."""
    if not store.movements(session, reference=transfer, limit=1):
        raise NotFound("transfer", transfer)
    return [
        Goods(item, customs, units)
        for (item, customs), units in sorted(store.in_transit(session, transfer).items())
    ]


def keep_safety(session: Session, brand: Brand, key: StockKey, units: int) -> None:
    """Ensures that reservations leave so many units of a stock row untouched.

    Raises `BadInput` for a site or item that the brand does not have.
    """
    problems = _misplaced(brand, key)
    if problems:
        raise BadInput(problems)
    store.set_safety(session, key, units)


def sweep(sessions: SessionFactory, clock: Clock, entropy: Entropy) -> Swept:
    """Returns what was ended; works in short transactions, so that nobody waits for long."""
    now, holds = clock.now(), 0
    while ended := _expired_batch(sessions, now, entropy):
        holds += ended
    with sessions.begin() as session:
        answers = doors.forget_answers(session, now - ANSWERS_KEPT)
        return Swept(holds, answers, doors.forget_sign_ins(session, now))


def _expired_batch(sessions: SessionFactory, now: datetime, entropy: Entropy) -> int:
    with sessions.begin() as session:
        return store.expire(session, Entry(now, SWEEPER, entropy), limit=_BATCH)


def _check(
    brand: Brand,
    kind: MovementKind,
    key: StockKey,
    quantity: int,
    expected: int | None,
    reference: str,
) -> None:
    problems = _misplaced(brand, key)
    if kind is not MovementKind.ADJUSTMENT and quantity < 1:
        problems.append(Problem("", 0, 0, f"A {kind} needs a quantity >= 1.", "/quantity"))
    if kind is not MovementKind.ADJUSTMENT and expected is not None:
        problems.append(Problem("", 0, 0, "Only an adjustment compares.", "/expected_on_hand"))
    if kind in _JOURNEYS and not reference:
        told = f"A {kind} needs the name of its transfer as reference."
        problems.append(Problem("", 0, 0, told, "/reference"))
    if kind is MovementKind.BOND_RELEASE and key.customs != "bonded":
        problems.append(Problem("", 0, 0, "Only bonded stock is released.", "/customs"))
    if kind is MovementKind.ADJUSTMENT and quantity == 0:
        problems.append(Problem("", 0, 0, "A movement moves something.", "/quantity"))
    if problems:
        raise BadInput(problems)


def _misplaced(brand: Brand, key: StockKey) -> list[Problem]:
    """Returns what is wrong with a stock row that a person names."""
    known = {
        "/site": (brand.table("sites")["site"], key.site),
        "/item": (brand.table("items")["item"], key.item),
    }
    problems = [
        Problem("", 0, 0, f"No {pointer[1:]} is named {name!r}.", pointer)
        for pointer, (names, name) in known.items()
        if not (names == name).any()
    ]
    if key.customs == "bonded" and not _bonded(brand, key.site):
        told = "Bonded stock needs a site whose customs is bonded."
        problems.append(Problem("", 0, 0, told, "/customs"))
    return problems


def _bonded(brand: Brand, site: str) -> bool:
    sites = brand.table("sites")
    return bool((sites["customs"][sites["site"] == site] == "bonded").any())
