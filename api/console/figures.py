"""The figures at the head of the overview: stock, plans, shipments, alerts, the last allocation."""

from datetime import datetime

from sqlmodel import Session

from api.console.orders import open_plans
from api.console.placement import finished_runs
from api.console.rendering import moment, money
from api.console.views import Tile, open_alerts
from carriers import store as shipments
from inventory import store as stock

MOST_COUNTED = 10_000
"""Late shipments are counted up to here."""


def overview_tiles(session: Session, now: datetime) -> list[Tile]:
    """Returns the figures of the day."""
    return [_stock(session, now), _plans(session, now), _late(session), _alerts(session),
            _allocation(session)]  # fmt: skip


def _stock(session: Session, now: datetime) -> Tile:
    levels = stock.levels(session, now)
    on_hand, free = (sum(level.on_hand for level in levels),
                     sum(level.available for level in levels))  # fmt: skip
    return Tile("Units on hand", f"{on_hand:,}", f"{free:,} free to promise", "/stock")


def _plans(session: Session, now: datetime) -> Tile:
    return Tile("Open plans", f"{open_plans(session, now):,}", "not confirmed yet", "/orders")


def _late(session: Session) -> Tile:
    late = len(shipments.shipments(session, MOST_COUNTED, late=True))
    note = "promise broken or very likely will be"
    return Tile("Late shipments", f"{late:,}", note, "/shipments", alarm=late > 0)


def _alerts(session: Session) -> Tile:
    waiting = open_alerts(session)
    return Tile("Open alerts", f"{waiting:,}", "sites and suppliers", "/risk", alarm=waiting > 0)


def _allocation(session: Session) -> Tile:
    runs = finished_runs(session)
    if not runs:
        return Tile("Last allocation", "none yet", "start one", "/allocation")
    cost = money(runs[0].objective, runs[0].currency)
    note = f"{moment(runs[0].at)}, {runs[0].unmet:,.0f} units unmet"
    return Tile("Last allocation", cost, note, "/allocation")
