"""Suppliers and purchase orders: scores, what is on order, and new orders that people place."""

from collections.abc import Sequence
from datetime import date

import pandas as pd
from sqlmodel import Session

from api.queue.events import publish
from api.services.brands import current_brand
from core.brand import Brand
from core.clock import Clock
from core.errors import BadInput, NotFound, Problem
from core.ids import Entropy, mint
from inventory import store as stock
from inventory.suppliers import store
from inventory.suppliers.offers import Market, Offer
from inventory.suppliers.orders import PurchaseOrder, day_after, terms
from inventory.suppliers.scorecard import Score, scores

BUYERS = ("auditor", "planner")
"""Roles that hear of purchase orders."""


def supplier_scores(session: Session) -> tuple[Score, ...]:
    """Returns the scores of the current brand's suppliers in the order of its folder."""
    return scores(current_brand(session))


def supplier_score(session: Session, supplier: str) -> tuple[Score, tuple[Offer, ...]]:
    """Returns the score and the offers of one supplier; raises `NotFound`."""
    brand = current_brand(session)
    for score in scores(brand):
        if score.supplier == supplier:
            offers = (offer for offer in Market.of(brand).offers if offer.supplier == supplier)
            return score, tuple(offers)
    raise NotFound("supplier", supplier)


def place_order(
    session: Session,
    supplier: str,
    site: str,
    wanted: Sequence[tuple[str, int]],
    order_by: date | None,
    actor: str,
    clock: Clock,
    entropy: Entropy,
) -> PurchaseOrder:
    """Returns the purchase order that a person placed, priced by the supplier's offers.

    Without `order_by` it is placed on the planning date. Raises `BadInput` with a pointer for a
    site, supplier or line that the brand does not allow.
    """
    brand = current_brand(session)
    _check_site(brand, site)
    offered = terms(Market.of(brand), supplier, wanted)
    day = order_by or brand.today
    if day < brand.today:
        raise BadInput([Problem("", 0, 0, f"Expected {brand.today} or later.", "/order_by")])
    order = PurchaseOrder(
        id=mint("por", clock.now(), entropy),
        supplier=supplier,
        site=site,
        order_by=day,
        arrives=day_after(day, offered.lead_days),
        reference="",
        actor=actor,
        created_at=clock.now(),
        lines=offered.lines,
    )
    add_orders(session, [order], clock)
    return order


def add_orders(session: Session, orders: Sequence[PurchaseOrder], clock: Clock) -> None:
    """Writes purchase orders and tells buyers of each."""
    store.add_purchase_orders(session, orders)
    for order in orders:
        data = {"purchase_order": order.id, "supplier": order.supplier, "site": order.site,
                "reference": order.reference}  # fmt: skip
        publish(session, "purchase_order.placed", data, BUYERS, clock)


def with_open_orders(session: Session, brand: Brand) -> Brand:
    """Returns a brand whose inbound also holds what is still to come of open purchase orders.

    So what has been ordered against one alert is counted before the next one asks for more.
    """
    lines = store.open_lines(session)
    came = stock.received(session, {line.order for line in lines})
    left = [(line, line.quantity - came.get((line.order, line.site, line.item), 0))
            for line in lines]  # fmt: skip
    rows = [
        {"site": line.site, "item": line.item, "quantity": units,
         "due": pd.Timestamp(line.arrives), "purchase_order": line.order}
        for line, units in left
        if units > 0
    ]  # fmt: skip
    if not rows:
        return brand
    inbound = brand.table("inbound")
    ordered = pd.DataFrame(rows)[list(inbound.columns)].astype(inbound.dtypes.to_dict())
    return brand.with_table("inbound", pd.concat([inbound, ordered], ignore_index=True))


def _check_site(brand: Brand, site: str) -> None:
    if site not in set(brand.table("sites")["site"]):
        raise BadInput([Problem("", 0, 0, f"No site is named {site!r}.", "/site")])
