"""What the database holds after a siege, read once and without the code under siege."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, text

Row = Mapping[str, Any]

_TABLES = {
    "stock": "SELECT site, item, customs, on_hand, reserved FROM stock",
    "movements": "SELECT id, site, item, customs, kind, quantity, reserved, reference"
    " FROM movement ORDER BY id",
    "reservations": "SELECT id, state, reference FROM reservation",
    "lines": "SELECT reservation, site, item, customs, quantity, shipped FROM reservation_line",
    "plans": 'SELECT id, "order", status, reservation FROM fulfillment_plan',
    "fulfillment_orders": "SELECT id, plan FROM fulfillment_order",
    "shipments": "SELECT id, plan, leg FROM shipment",
    "answers": "SELECT credential, key, status FROM idempotency",
}


@dataclass(frozen=True, slots=True)
class Truth:
    """The rows of the tables that a siege changes."""

    stock: Sequence[Row]
    movements: Sequence[Row]
    reservations: Sequence[Row]
    lines: Sequence[Row]
    plans: Sequence[Row]
    fulfillment_orders: Sequence[Row]
    shipments: Sequence[Row]
    answers: Sequence[Row]


def truth_of(engine: Engine) -> Truth:
    """Returns what a database holds."""
    with engine.connect() as connection:
        rows = {
            name: [dict(row) for row in connection.execute(text(query)).mappings()]
            for name, query in _TABLES.items()
        }
    return Truth(**rows)


def stock_key(row: Row) -> str:
    """Returns `site item customs` of a row."""
    return f"{row['site']} {row['item']} {row['customs']}"
