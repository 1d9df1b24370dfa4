"""Floors: what a way of serving an order costs at least, whatever else travels with it."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from core.units import CM3_PER_M3
from routing.fulfillment.bound import price_floor
from routing.fulfillment.context import Lane, PlanningContext
from routing.fulfillment.options import Way
from routing.fulfillment.wants import Want
from routing.landed_cost.cost import on_freight, tariff_category
from routing.landed_cost.regime import DutyKind, Regime


@dataclass(frozen=True, slots=True)
class Floor:
    """What a way costs at least while the goods of its consignment are worth at most `cap`.

    `unit` is by want: a cost that one unit never falls below. `fixed` is a cost that using the way
    never falls below. Relief and flat duties hold only up to a value, so a way has one floor for
    each duty that its consignment may bear; one of them holds whatever travels.
    """

    cap: float
    fixed: float
    unit: tuple[float, ...]


def floors_of(way: Way, wants: Sequence[Want], context: PlanningContext) -> Iterator[Floor]:
    """Yields the floors of a way."""
    lane, regime, linear = way.lane, way.regime, _linear(way, wants)
    shipped, kilos = _shipping_floor(lane, wants)
    taxed = _sure_tax(regime)
    fees = _sure_fees(wants, regime)
    for kind, cap in _kinds(regime, goods_value(wants)):
        duties = _duties(wants, regime, context, kind)
        carried = (1 + taxed) * (1 + _on_freight(wants, regime, context, kind))
        units = (
            known + carried * kilo + (1 + taxed) * (duty + fee) + taxed * float(want.unit_value)
            for known, kilo, duty, fee, want in zip(linear, kilos, duties, fees, wants, strict=True)
        )
        yield Floor(cap, carried * shipped, tuple(units))


def _linear(way: Way, wants: Sequence[Want]) -> list[float]:
    """Costs of one unit of each want that are known beforehand."""
    per_kg = way.kilo_price + way.carbon_kg_per_kg * way.carbon_price
    known = way.lane.site.handling_cost + way.lateness
    return [
        known + price + per_kg * want.item.weight_kg
        for price, want in zip(way.unit_price, wants, strict=True)
    ]


def goods_value(wants: Sequence[Want]) -> float:
    """Returns the value of all goods of an order in settlement currency."""
    return float(sum((want.goods_value for want in wants), Decimal(0)))


def _shipping_floor(lane: Lane, wants: Sequence[Want]) -> tuple[float, list[float]]:
    """Floors of shipping: one for the lane, one for a unit of each want."""
    card = lane.card
    billed = [card.billed_kg(want.item.weight_kg, want.item.volume_m3) for want in wants]
    most = sum(want.units * each for want, each in zip(wants, billed, strict=True))
    floor = price_floor(card, min(billed), most, most / 2)
    kilos = _counted_kg(card.divisor, wants)
    return floor.fixed, [floor.per_kg * kg + floor.per_unit for kg in kilos]


def _counted_kg(divisor: float, wants: Sequence[Want]) -> list[float]:
    """Actual or volumetric weight of one unit of each want, whichever sums up to more.

    Billed weight of several items together is at least either sum, but less than the sum of each
    item's larger one.
    """
    actual = [want.item.weight_kg for want in wants]
    volumetric = [want.item.volume_m3 * CM3_PER_M3 / divisor for want in wants]
    heavy = sum(want.units * kg for want, kg in zip(wants, actual, strict=True))
    large = sum(want.units * kg for want, kg in zip(wants, volumetric, strict=True))
    return actual if heavy >= large else volumetric


def _sure_tax(regime: Regime) -> float:
    """The tax rate that the brand bears whatever the consignment is worth."""
    sure = regime.route != "domestic" and not regime.recoverable and regime.tax_relief <= 0
    return regime.tax.rate if sure else 0.0


def _kinds(regime: Regime, goods: float) -> Iterator[tuple[DutyKind, float]]:
    """Duties that a consignment with some of the goods may bear, and up to which value."""
    if regime.route == "domestic":
        yield "none", math.inf
        return
    if regime.duty_relief > 0 or goods <= 0:
        yield "relief", _cap(regime.duty_relief, goods)
    if goods > regime.duty_relief and regime.flat_duty_limit > regime.duty_relief:
        yield "flat", _cap(regime.flat_duty_limit, goods)
    if goods > max(regime.duty_relief, regime.flat_duty_limit):
        yield "tariff", math.inf


def _cap(limit: float, goods: float) -> float:
    return math.inf if goods <= limit else limit


def _on_freight(
    wants: Sequence[Want], regime: Regime, context: PlanningContext, kind: DutyKind
) -> float:
    """The share of freight that is due as duty whatever travels together."""
    if kind != "tariff":
        return 0.0
    rows = [context.duty_row(regime.country, want.item) for want in wants]
    return min(row.rate if row and on_freight(row, regime) else 0.0 for row in rows)


def _duties(
    wants: Sequence[Want], regime: Regime, context: PlanningContext, kind: DutyKind
) -> list[float]:
    """Duty on the goods in one unit of each want."""
    if kind == "flat":
        return [regime.flat_duty * share for share in _category_shares(wants)]
    if kind != "tariff":
        return [0.0 for _ in wants]
    rows = [context.duty_row(regime.country, want.item) for want in wants]
    return [
        row.rate * float(want.unit_value) if row else 0.0
        for row, want in zip(rows, wants, strict=True)
    ]


def _sure_fees(wants: Sequence[Want], regime: Regime) -> list[float]:
    """Fees by category on one unit of each want, where every consignment bears them."""
    _, fee = regime.fees(goods_value(wants), 1)
    return [fee * share for share in _category_shares(wants)]


def _category_shares(wants: Sequence[Want]) -> list[float]:
    """The share of one unit in its tariff category, if the category travels together."""
    categories = [tariff_category(want.item) for want in wants]
    return [
        1 / (categories.count(name) * want.units)
        for name, want in zip(categories, wants, strict=True)
    ]
