"""Impact: what a hazard means for the brand, in days, in money, and in how much it matters.

Time to survive and time to recover follow D. Simchi-Levi et al., "Identifying Risks and
Mitigating Disruptions in the Automotive Supply Chain", Interfaces 45(5), 2015. Recovery counts
until goods flow again at the brand's docks.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.money import Money
from routing.disruptions.exposure import Exposure, exposure
from routing.disruptions.recovery import Recovery, stated_or_usual
from routing.disruptions.signal import Signal
from routing.disruptions.situation import Situation
from routing.disruptions.survival import Cover

SEVERITIES = ("watch", "low", "medium", "high", "critical")
"""From the least to the most. A watch asks for eyes, never for money."""

REVENUE_DAYS = 90
CRITICAL_SHARE, HIGH_SHARE = 0.01, 0.0025
"""Revenue at risk over the revenue of 90 days from which an alert is critical or high."""

LIKELY = 0.5
"""Probability of running out before recovery from which an alert is high at least."""

STRETCHES = 200
"""Equally likely recovery times over which losses are averaged."""


@dataclass(frozen=True, slots=True)
class ItemImpact:
    """What the hazard means for one item; days from today, revenue in settlement currency."""

    item: str
    suppliers: tuple[str, ...]
    cover: Cover
    recovery: Recovery
    price: float

    @property
    def runs_out(self) -> float:
        """P(time to recover > time to survive)."""
        return self.recovery.longer_than(self.cover.days)

    @property
    def units_at_risk(self) -> float:
        """Expected units lost until recovery, when nothing is done."""
        return float(np.mean(self.cover.lost(self.recovery.quantiles(STRETCHES))))

    @property
    def revenue_at_risk(self) -> float:
        """Expected revenue lost until recovery, when nothing is done."""
        return self.price * self.units_at_risk

    def as_json(self, currency: str) -> dict[str, Any]:
        """Returns the form that crosses every edge."""
        return {
            "item": self.item,
            "suppliers": list(self.suppliers),
            "stock": self.cover.stock,
            "inbound": sum(units for _, units in self.cover.arrivals),
            "units_per_day": round(self.cover.drain, 4),
            "time_to_survive_days": days_json(self.cover.days),
            "time_to_recover_days": round(self.recovery.mean, 2),
            "probability": round(self.runs_out, 4),
            "units_at_risk": round(self.units_at_risk, 2),
            "revenue_at_risk": Money.of(round(self.revenue_at_risk, 6), currency).as_json(),
        }


@dataclass(frozen=True, slots=True)
class Impact:
    """What one signal means for the brand. `items` stand by revenue at risk, largest first.

    `regions` are those that ask for the items, and those inside the hazard.
    """

    signal: Signal
    exposure: Exposure
    items: tuple[ItemImpact, ...]
    regions: tuple[str, ...]
    severity: str
    probability: float
    revenue_at_risk: Money
    time_to_survive_days: float
    time_to_recover_days: float

    @property
    def orders_allowed(self) -> bool:
        """Whether the signal is precise enough to change what is bought."""
        return self.signal.precise


def impact(signal: Signal, situation: Situation) -> Impact:
    """Returns what a signal means for a brand.

    An item is exposed when a supplier of it is reached, or when stock of it stands at a site that
    is. It lives on stock and inbound elsewhere; it drains by the share of the suppliers reached,
    or by all of its need when its stock is cut off.
    """
    reached = exposure(signal, situation)
    items = sorted(_items(signal, reached, situation), key=lambda one: -one.revenue_at_risk)
    at_risk = sum(one.revenue_at_risk for one in items)
    probability = max((one.runs_out for one in items), default=0.0)
    first = min(items, key=lambda one: one.cover.days - one.recovery.mean, default=None)
    return Impact(
        signal=signal,
        exposure=reached,
        items=tuple(items),
        regions=_regions(reached, [one.item for one in items], situation),
        severity=_severity(signal, reached, probability, at_risk, situation),
        probability=probability,
        revenue_at_risk=Money.of(round(at_risk, 6), situation.brand.currency),
        time_to_survive_days=min((one.cover.days for one in items), default=math.inf),
        time_to_recover_days=0.0 if first is None else first.recovery.mean,
    )


def days_json(days: float) -> float | None:
    """Returns days as JSON carries them: null for never."""
    return round(days, 2) if math.isfinite(days) else None


def _items(signal: Signal, reached: Exposure, situation: Situation) -> list[ItemImpact]:
    cut_off = situation.held_at(reached.sites)
    found = []
    for item in situation.catalog.items:
        shares = situation.market.shares(item.item)
        hit = tuple(supplier for supplier in shares if supplier in reached.suppliers)
        if not hit and item.item not in cut_off:
            continue
        share = 1.0 if item.item in cut_off else sum(shares[supplier] for supplier in hit)
        found.append(
            ItemImpact(
                item=item.item,
                suppliers=hit,
                cover=Cover(
                    situation.stock_outside(item.item, reached.sites),
                    situation.arrivals(item.item, reached.sites),
                    situation.units_per_day[item.item] * share,
                ),
                recovery=_recovery(signal, hit, situation),
                price=situation.price[item.item],
            )
        )
    return found


def _recovery(signal: Signal, suppliers: Collection[str], situation: Situation) -> Recovery:
    """The slowest recovery of the suppliers; the usual one of the hazard for a site alone."""
    nothing = math.nan
    found = [
        stated_or_usual(
            supplier.recover_days_low, supplier.recover_days_likely, supplier.recover_days_high,
            signal.kind,
        )
        for supplier in (situation.market.supplier[name] for name in suppliers)
    ]  # fmt: skip
    usual = stated_or_usual(nothing, nothing, nothing, signal.kind)
    return max(found, key=lambda recovery: recovery.mean, default=usual)


def _regions(reached: Exposure, items: list[str], situation: Situation) -> tuple[str, ...]:
    asked = situation.need.loc[items].sum(axis=0) if items else situation.need.iloc[:0].sum(axis=0)
    return tuple(
        region
        for region in situation.need.columns
        if asked[region] > 0 or region in reached.regions
    )


def _severity(
    signal: Signal,
    reached: Exposure,
    probability: float,
    at_risk: float,
    situation: Situation,
) -> str:
    """Severity from what the brand may lose; the feed's own color plays no part."""
    if not signal.precise:
        return "watch"
    share = at_risk / max(situation.daily_revenue * REVENUE_DAYS, 1e-9)
    if probability >= LIKELY and share >= CRITICAL_SHARE:
        return "critical"
    if probability >= LIKELY or share >= HIGH_SHARE:
        return "high"
    return "medium" if reached.sites or reached.suppliers else "low"
