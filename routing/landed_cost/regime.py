"""Customs routes and the regime that a country applies to a consignment on a date."""

from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial
from typing import Literal

from core.places import customs_territory
from routing.landed_cost.rules import RULES, Rule, rule_on
from routing.landed_cost.tariffs import Tariffs, TaxRule

CustomsRoute = Literal["domestic", "bonded_release", "cross_border"]
_HAIR = 1e-6
DutyKind = Literal["none", "relief", "flat", "tariff"]
TaxPoint = Literal["none", "checkout", "border"]
"""Where tax is collected: nowhere, by the seller when the order is paid, or on import."""


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
class Terms:
    """What a quote knows beyond an order plan: the channel, and whether tax is paid at checkout.

    `collects` says that the seller is registered where the country collects tax at checkout (IOSS
    in the EU, and the like), and does so.
    """

    channel: str
    collects: bool = True


@dataclass(frozen=True, slots=True)
class Regime:
    """What one country takes on one customs route on one date; amounts in settlement currency.

    Limits are values of goods in one consignment; a limit of 0 means that the rule does not exist,
    except `fee_limit`, which is infinite where fees have no limit. Fields from `collects` on stay
    neutral without `Terms`: then the regime is one that order plans can ask by goods alone.
    `with_freight` names the rules whose limits are compared with goods and freight.
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
    collects: bool = False
    checkout_by_unit: bool = False
    border_relief: float = 0.0
    tax_share: float = 1.0
    tax_share_limit: float = 0.0
    with_freight: frozenset[str] = frozenset()
    rules: tuple[Rule, ...] = ()

    def duty_kind(self, goods: float, freight: float = 0.0) -> DutyKind:
        """Returns which duty a consignment with goods of that value bears."""
        if self.route == "domestic":
            return "none"
        if self._compared("duty_relief", goods, freight) <= self.duty_relief:
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

    def tax_point(self, goods: float, freight: float = 0.0, unit: float = 0.0) -> TaxPoint:
        """Returns where tax on goods of a consignment is collected; `unit` is one unit's value."""
        if self.route == "domestic" or self.tax.rate == 0:
            return "none"
        if self._compared("tax_relief", goods, freight) <= self.tax_relief:
            return "none"
        sold = (
            unit if self.checkout_by_unit else self._compared("checkout_tax_limit", goods, freight)
        )
        if self.collects and sold <= self.checkout_tax_limit:
            return "checkout"
        exempt = self._compared("border_tax_relief", goods, freight) <= self.border_relief
        return "none" if exempt else "border"

    def share_of_tax(self, goods: float, freight: float = 0.0) -> float:
        """Returns the share of the tax that a scheme asks for; 1 outside of any scheme."""
        within = self._compared("tax_share_limit", goods, freight) <= self.tax_share_limit
        return self.tax_share if within else 1.0

    def _compared(self, rule: str, goods: float, freight: float) -> float:
        return goods + freight if rule in self.with_freight else goods

    @property
    def recoverable(self) -> bool:
        """Whether the customer pays the tax or the brand recovers it."""
        return self.tax.recoverable


def regime_of(
    tariffs: Tariffs, country: str, route: CustomsRoute, on: date, terms: Terms | None = None
) -> Regime:
    """Returns the regime of a country for a customs route on a date.

    Relief, flat duty and fees for small consignments belong to goods sent across a border to one
    customer; goods released from bond bear the ordinary tariff, unless a scheme of their channel
    says otherwise. Without terms, limits look at goods alone and no channel has rules of its own.
    """
    if route == "domestic":
        return Regime(country, route, on)
    channel = terms.channel if terms else ""
    tax = tariffs.tax_rule(country, on, channel)
    if route == "bonded_release" and channel != "cbec":
        return Regime(country, route, on, tax=tax, sources=tax.sources)
    limit = partial(tariffs.limit, country=country, on=on, channel=channel)
    capped = rule_on("fee_limit", country, on) is not None
    small = Regime(
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
    return small if terms is None else _on_terms(small, terms, tariffs)


def _on_terms(small: Regime, terms: Terms, tariffs: Tariffs) -> Regime:
    """The regime of small consignments with what only a quote looks at."""
    country, on = small.country, small.on
    found = {
        name: rule
        for name in RULES
        if (rule := rule_on(name, country, on, channel=terms.channel)) is not None
    }
    checkout, share = found.get("checkout_tax_limit"), found.get("tax_share")
    limit = partial(tariffs.limit, country=country, on=on, channel=terms.channel)
    return replace(
        small,
        collects=terms.collects and checkout is not None,
        checkout_by_unit=checkout is not None and checkout.basis == "unit",
        border_relief=_inclusive(limit("border_tax_relief")),
        tax_share=1.0 if share is None else float(share.value),
        tax_share_limit=_inclusive(limit("tax_share_limit")),
        with_freight=frozenset(
            name for name, rule in found.items() if rule.basis == "goods and freight"
        ),
        rules=tuple(found.values()),
    )


def _inclusive(limit: float) -> float:
    """Returns a limit such that goods worth exactly that much lie within it.

    Values are converted and summed as floats; a millionth is less than any minor unit.
    """
    return limit + _HAIR if limit > 0 else 0.0


def _law(country: str, on: date) -> tuple[str, ...]:
    names = ("duty_relief", "tax_relief", "flat_duty_limit", "checkout_tax_limit", "fee_limit")
    found = (rule_on(name, country, on) for name in names)
    return tuple(dict.fromkeys(rule.source for rule in found if rule))
