"""Every cost part of an option, as the decision record tells them."""

from collections.abc import Mapping

from core.money import Money
from routing.fulfillment.cost import Bill, Costing
from routing.fulfillment.plan import money_of
from routing.fulfillment.search import Priced

PRICES = ("stock_price", "outbound_price", "kilo_price")
"""Shadow prices of what an option uses up: units of stock, outbound slots, carrier kilograms."""


def terms_of(costing: Costing, option: Priced | None) -> Mapping[str, float]:
    """Returns the cost parts of an option in settlement currency, by name; all 0 for none.

    They are those of its bill, with the shadow prices told apart; their sum is its full cost.
    """
    bill = Bill() if option is None else option.bill
    told = {name: term for name, term in bill.terms().items() if name != "scarcity"}
    slots = kilos = 0.0
    for way, load in option.loads if option else ():
        site = costing.ways[way].lane.site.site
        prices = costing.context.prices
        slot = prices.of_outbound(site) if prices else 0.0
        slots += slot * sum(units for _, units in load)
        kilos += costing.ways[way].kilo_price * costing.weight_kg(load)
    return {**told, **dict(zip(PRICES, (bill.scarcity - slots - kilos, slots, kilos), strict=True))}


def money_terms(costing: Costing, option: Priced | None) -> Mapping[str, Money]:
    """Returns the cost parts of an option by name, in minor units."""
    currency = costing.context.currency
    return {name: money_of(term, currency) for name, term in terms_of(costing, option).items()}
