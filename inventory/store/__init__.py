"""Loads and saves stock: guarded statements that keep the books right on any database.

Every function works inside the caller's transaction and never commits. Rows are locked in one
order everywhere, reservations before goods on their way before stock and each by key, so that two
writers never deadlock.
"""

from inventory.store.arrivals import Arrived, Served, arrive
from inventory.store.books import reconcile, repair
from inventory.store.claims import (
    claims_of,
    forget_receipts,
    misclaimed,
    promised,
    received,
    reclaim,
    taken,
)
from inventory.store.holds import (
    confirm,
    expire,
    extend,
    get,
    release,
    reserve,
    reserve_each,
    ship,
)
from inventory.store.levels import levels, movements
from inventory.store.moves import (
    adjust,
    in_transit,
    receive,
    release_bond,
    set_safety,
    take_back,
    transfer_in,
    transfer_out,
)

__all__ = [
    "Arrived", "Served", "adjust", "arrive", "claims_of", "confirm", "expire", "extend",
    "forget_receipts", "get", "in_transit", "levels", "misclaimed", "movements", "promised",
    "receive", "received", "reclaim", "reconcile", "release", "release_bond", "repair", "reserve",
    "reserve_each", "set_safety", "ship", "take_back", "taken", "transfer_in", "transfer_out",
]  # fmt: skip
