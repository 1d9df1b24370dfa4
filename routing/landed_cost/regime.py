"""Customs routes and the regime that a country applies to a consignment on a date."""

from dataclasses import dataclass, field
from datetime import date
from functools import partial
from typing import Literal

from core.places import customs_territory
from routing.landed_cost.rules import rule_on
from routing.landed_cost.tariffs import Tariffs, TaxRule

CustomsRoute = Literal["domestic", "bonded_release", "cross_border"]
_HAIR = 1e-6
DutyKind = Literal["none", "relief", "flat", "tariff"]


def customs_route(from_country: str, to_country: str, customs: str) -> CustomsRoute:
    """Returns how goods reach a customer: the lawful route for stock in a customs state.

    Free stock of the same customs territory moves without customs; bonded stock there is released
    with duty and tax due; everything else crosses a border. Bonded stock that leaves the territory
    is re-exported, so the territory where it lies takes nothing.

    >>> customs_route("DE", "FR", "free"), customs_route("CN", "DE", "bonded")
    ('domestic', 'cross_border')
    """
    if customs_territory(from_country) != customs_territory(to_country):
        return "cross_border"
    return "bonded_release" if customs == "bonded" else "domestic"


@dataclass(frozen=True, slots=True)
class Regime:
    """What one country takes on one customs route on one date; amounts in settlement currency.

    Limits are values of goods in one consignment; a limit of 0 means that the rule does not exist,
    except `fee_limit`, which is infinite where fees have no limit.
    """

    country: str
    route: CustomsRoute
    on: date
    tax: TaxRule = field(default_factory=TaxRule)
    duty_relief: float = 0.0
    tax_relief: float = 0.0
    flat_duty_limit: float = 0.0
    flat_duty: float = 0.0
    checkout_tax_limit: float = 0.0
    fee_per_consignment: float = 0.0
    fee_per_category: float = 0.0
    fee_limit: float = 0.0
    sources: tuple[str, ...] = ()

    def duty_kind(self, goods: float) -> DutyKind:
        """Returns which duty a consignment with goods of that value bears."""
        if self.route == "domestic":
            return "none"
        if goods <= self.duty_relief:
            return "relief"
        return "flat" if goods <= self.flat_duty_limit else "tariff"

    def fees(self, goods: float, categories: int) -> tuple[float, float]:
        """Returns the fee of the consignment and the fees of its categories together."""
        if goods > self.fee_limit:
            return 0.0, 0.0
        return self.fee_per_consignment, self.fee_per_category * categories

    def tax_rate(self, goods: float) -> float:
        """Returns the tax rate on a consignment with goods of that value."""
        exempt = self.route == "domestic" or goods <= self.tax_relief
        return 0.0 if exempt else self.tax.rate

    @property
    def recoverable(self) -> bool:
        """Whether the customer pays the tax or the brand recovers it."""
        return self.tax.recoverable


def regime_of(tariffs: Tariffs, country: str, route: CustomsRoute, on: date) -> Regime:
    """Returns the regime of a country for a customs route on a date.

    Relief, flat duty and fees for small consignments belong to goods sent across a border to one
    customer; goods released from bond bear the ordinary tariff.
    """
    if route == "domestic":
        return Regime(country, route, on)
    tax = tariffs.tax_rule(country, on)
    if route == "bonded_release":
        return Regime(country, route, on, tax=tax, sources=tax.sources)
    limit = partial(_limit, tariffs, country, on)
    capped = rule_on("fee_limit", country, on) is not None
    return Regime(
        country,
        route,
        on,
        tax=tax,
        duty_relief=_inclusive(tax.de_minimis_duty),
        tax_relief=_inclusive(tax.de_minimis_tax),
        flat_duty_limit=_inclusive(limit("flat_duty_limit")),
        flat_duty=limit("flat_duty_per_category"),
        checkout_tax_limit=_inclusive(limit("checkout_tax_limit")),
        fee_per_consignment=limit("fee_per_consignment"),
        fee_per_category=limit("fee_per_category"),
        fee_limit=_inclusive(limit("fee_limit")) if capped else float("inf"),
        sources=(*tax.sources, *_law(country, on)),
    )


def _inclusive(limit: float) -> float:
    """Returns a limit such that goods worth exactly that much lie within it.

    Values are converted and summed as floats; a millionth is less than any minor unit.
    """
    return limit + _HAIR if limit > 0 else 0.0


def _limit(tariffs: Tariffs, country: str, on: date, rule: str) -> float:
    return tariffs.limit(rule, country, on)


def _law(country: str, on: date) -> tuple[str, ...]:
    names = ("duty_relief", "tax_relief", "flat_duty_limit", "checkout_tax_limit", "fee_limit")
    found = (rule_on(name, country, on) for name in names)
    return tuple(dict.fromkeys(rule.source for rule in found if rule))
