"""Response: from incidents to alerts with actions and drafted purchase order lines."""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from core.money import Money
from inventory.suppliers.offers import Offer
from inventory.suppliers.scorecard import scores
from routing.disruptions.impact import Impact, ItemImpact, days_json, impact
from routing.disruptions.resourcing import Purchase, Resourcing, resource
from routing.disruptions.signal import Signal
from routing.disruptions.situation import Situation


@dataclass(frozen=True, slots=True)
class Draft:
    """One purchase order line that would cure a part of the damage; nothing is ordered yet.

    `unit_cost` is in the currency of the offer, `loss_avoided` in settlement currency.
    """

    supplier: str
    item: str
    site: str
    quantity: int
    unit_cost: Money
    order_by: date
    arrives: date
    loss_avoided: Money
    reason: str

    def as_json(self) -> dict[str, Any]:
        """Returns the form that crosses every edge."""
        return {
            "supplier": self.supplier,
            "item": self.item,
            "site": self.site,
            "quantity": self.quantity,
            "unit_cost": self.unit_cost.as_json(),
            "order_by": self.order_by.isoformat(),
            "arrives": self.arrives.isoformat(),
            "loss_avoided": self.loss_avoided.as_json(),
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True)
class Incident:
    """One event as it concerns the brand: its signal, what it means, and what would cure it.

    `uncovered` holds (item, units, reason) for what no order can save.
    """

    scope: str
    impact: Impact
    drafts: tuple[Draft, ...]
    uncovered: tuple[tuple[str, int, str], ...]

    @property
    def signal(self) -> Signal:
        """The most precise word about the event."""
        return self.impact.signal

    @property
    def key(self) -> str:
        """Name of the incident: the same event and scope always have the same one."""
        named = "\n".join((self.signal.source, self.signal.source_id, self.scope))
        return hashlib.sha256(named.encode()).hexdigest()[:24]

    @property
    def actions(self) -> list[dict[str, Any]]:
        """What to do now, most useful first."""
        return _actions(self)

    def as_json(self) -> dict[str, Any]:
        """Returns the incident without its alert."""
        signal = self.signal
        return {
            "key": self.key,
            "source": signal.source,
            "source_id": signal.source_id,
            "scope": self.scope,
            "version": signal.version,
            "kind": signal.kind,
            "title": signal.title,
            "status": signal.status,
            "precision": signal.precision,
            "sites": list(self.impact.exposure.sites),
            "suppliers": list(self.impact.exposure.suppliers),
            "regions": list(self.impact.exposure.regions),
        }

    def alert_json(self) -> dict[str, Any]:
        """Returns the alert of the incident."""
        met, currency = self.impact, self.impact.revenue_at_risk.currency
        return {
            "incident": self.key,
            "severity": met.severity,
            "kind": self.signal.kind,
            "title": self.signal.title,
            "precision": self.signal.precision,
            "sites": list(met.exposure.sites),
            "suppliers": list(met.exposure.suppliers),
            "items": [one.item for one in met.items],
            "regions": list(met.regions),
            "time_to_survive_days": days_json(met.time_to_survive_days),
            "time_to_recover_days": round(met.time_to_recover_days, 2),
            "probability": round(met.probability, 4),
            "revenue_at_risk": met.revenue_at_risk.as_json(),
            "exposures": [one.as_json(currency) for one in met.items],
            "uncovered": [
                {"item": item, "units": units, "reason": reason}
                for item, units, reason in self.uncovered
            ],
            "actions": self.actions,
        }


def respond(signals: Sequence[Signal], situation: Situation) -> tuple[Incident, ...]:
    """Returns one incident for each event and scope that concerns the brand.

    The most precise words about an event count: where one of its signals has a shape, its
    centroids and zones say nothing more. Blocks of one message that reach the same sites,
    suppliers and regions (the same warning in two languages) are one scope, named by the first of
    them. Signals that are withdrawn, tests, or that reach nothing give no incident.
    """
    refused = _dropped(situation)
    made = []
    for event in _events(signals):
        scopes: dict[object, Impact] = {}
        for signal in _sharpest(event):
            met = impact(signal, situation)
            if not met.exposure.nothing:
                scopes.setdefault(met.exposure, met)
        made += [incident(met, situation, refused, str(met.signal.part)) for met in scopes.values()]
    return tuple(made)


def incident(
    met: Impact, situation: Situation, refused: Collection[str] = (), scope: str = "0"
) -> Incident:
    """Returns the incident of an impact with the orders that would cure it.

    Orders are drafted only for a precise signal. `refused` suppliers get none while others can.
    """
    drafts: list[Draft] = []
    uncovered: list[tuple[str, int, str]] = []
    for one in met.items if met.orders_allowed else ():
        offers = _alternatives(one, met, situation, refused)
        site = _destination(one.item, met, situation)
        answer = resource(one.cover, one.recovery, one.price, offers if site else ())
        drafts += [_draft(purchase, one, site, situation, refused) for purchase in answer.purchases]
        if answer.uncovered >= 1:
            uncovered.append((one.item, round(answer.uncovered), _why_not(answer, offers, site)))
    return Incident(scope, met, tuple(drafts), tuple(uncovered))


def _events(signals: Sequence[Signal]) -> list[list[Signal]]:
    """Signals that stand, grouped by event in the order of their first word, newest version."""
    grouped: dict[tuple[str, str], list[Signal]] = {}
    for signal in signals:
        grouped.setdefault((signal.source, signal.source_id), []).append(signal)
    newest = []
    for event in grouped.values():
        last = max(event, key=lambda signal: signal.age).age
        newest.append([signal for signal in event if signal.age == last and signal.stands])
    return newest


def _sharpest(event: Sequence[Signal]) -> list[Signal]:
    precise = [signal for signal in event if signal.precise]
    return precise or list(event)


def _dropped(situation: Situation) -> frozenset[str]:
    return frozenset(
        score.supplier for score in scores(situation.brand) if score.state == "dropped"
    )


def _alternatives(
    one: ItemImpact, met: Impact, situation: Situation, refused: Collection[str]
) -> list[Offer]:
    """Qualified offers of suppliers that the hazard does not reach.

    Dropped suppliers are left out, unless only dropped ones are left: goods from a poor supplier
    are better than none, and the planner sees its score before applying.
    """
    offers = [
        offer
        for offer in situation.market.by_item.get(one.item, ())
        if offer.qualified and offer.supplier not in met.exposure.suppliers
    ]
    return [offer for offer in offers if offer.supplier not in refused] or offers


def _destination(item: str, met: Impact, situation: Situation) -> str:
    """The unharmed serving site that holds most of the item; "" when there is none."""
    held = situation.stock.get(item, {})
    open_sites = [
        site.site for site in situation.network.serving if site.site not in met.exposure.sites
    ]
    return max(open_sites, key=lambda site: held.get(site, 0.0), default="")


def _draft(
    purchase: Purchase,
    one: ItemImpact,
    site: str,
    situation: Situation,
    refused: Collection[str],
) -> Draft:
    today, offer = situation.brand.today, purchase.offer
    avoided = Money.of(round(purchase.used * one.price, 6), situation.brand.currency)
    return Draft(
        supplier=offer.supplier,
        item=one.item,
        site=site,
        quantity=purchase.quantity,
        unit_cost=Money.of(offer.price, offer.currency),
        order_by=today + timedelta(purchase.order_day),
        arrives=today + timedelta(purchase.arrival_day),
        loss_avoided=avoided,
        reason=_reason(purchase, one, refused),
    )


def _reason(purchase: Purchase, one: ItemImpact, refused: Collection[str]) -> str:
    hit = " and ".join(one.suppliers) or "the site that holds it"
    poor = purchase.offer.supplier in refused
    warning = " The supplier is dropped; nobody else is qualified." if poor else ""
    return (
        f"{one.item} lasts {one.cover.days:.0f} days; {hit} may take {one.recovery.low:.0f} to "
        f"{one.recovery.high:.0f} to recover. Of these {purchase.quantity} units, "
        f"{purchase.used:.0f} are expected to prevent lost sales; the others are sold later."
        f"{warning}"
    )


def _why_not(answer: Resourcing, offers: Sequence[Offer], site: str) -> str:
    if not site:
        return "Every site that could receive the goods is inside the hazard."
    if not offers:
        return "No other supplier is qualified; qualify one."
    if not answer.purchases:
        return "No other supplier delivers in time, or each costs more than the sales are worth."
    return "Other suppliers cannot deliver more in time at a price below the sales they save."


def _actions(one: Incident) -> list[dict[str, Any]]:
    met = one.impact
    if not met.orders_allowed:
        return [_watch(one.signal.precision)]
    return [
        *([_order(one.drafts)] if one.drafts else []),
        *(
            _action("confirm", f"Ask {supplier} when it delivers again.")
            for supplier in met.exposure.suppliers
        ),
        *(
            _action("reroute", f"Serve orders without {site} until it confirms that it is open.")
            for site in met.exposure.sites
        ),
        *(
            _action("accept", f"{units} units of {item} stay uncovered. {reason}")
            for item, units, reason in one.uncovered
        ),
    ]


def _watch(precision: str) -> dict[str, Any]:
    return _action(
        "watch",
        f"A {precision} does not say where the hazard is: wait for its shape, or for word from the "
        "site, before ordering.",
    )


def _order(drafts: Sequence[Draft]) -> dict[str, Any]:
    suppliers = ", ".join(sorted({draft.supplier for draft in drafts}))
    units = sum(draft.quantity for draft in drafts)
    first = min(draft.order_by for draft in drafts).isoformat()
    return _action(
        "order",
        f"Apply {len(drafts)} drafted order lines: {units:,} units from {suppliers}, the "
        f"first to be placed by {first}.",
    )


def _action(kind: str, text: str) -> dict[str, Any]:
    return {"action": kind, "text": text}
