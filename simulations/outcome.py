"""Outcomes: what a brand would do and pay under one scenario."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from core.errors import BadInput
from routing.allocation.prices import Prices
from simulations.scenarios import Scenario, scenario_of


@dataclass(frozen=True, slots=True)
class Flow:
    """Units that a site ships to a region by a service, and what that costs."""

    site: str
    region: str
    service: str
    quantity: float
    cost: float


@dataclass(frozen=True, eq=False)
class Outcome:
    """The result of one scenario on one frozen brand, in settlement currency and units.

    `costs` are the parts of `objective`; `unmet` counts unserved units by reason. The same brand,
    scenario and seed give the same outcome. `prices` are None where an outcome was read from JSON.
    """

    scenario: Scenario
    brand: str
    currency: str
    seed: int
    status: str
    objective: float
    bound: float
    units: Mapping[str, float]
    costs: Mapping[str, float]
    kpis: Mapping[str, float]
    unmet: Mapping[str, float]
    flows: tuple[Flow, ...]
    prices: Prices | None = field(default=None, repr=False)

    def document(self) -> dict[str, Any]:
        """Returns everything but the prices as JSON; `outcome_of` reads it back."""
        return {
            "scenario": self.scenario.document(),
            "brand": self.brand,
            "currency": self.currency,
            "seed": self.seed,
            "status": self.status,
            "objective": self.objective,
            "bound": self.bound,
            "units": dict(self.units),
            "costs": dict(self.costs),
            "kpis": dict(self.kpis),
            "unmet": dict(self.unmet),
            "flows": [
                [flow.site, flow.region, flow.service, flow.quantity, flow.cost]
                for flow in self.flows
            ],
        }


def outcome_of(document: Any) -> Outcome:
    """Returns the outcome of a JSON document; raises `BadInput` for any other document."""
    try:
        return Outcome(
            scenario=scenario_of(document["scenario"]),
            brand=str(document["brand"]),
            currency=str(document["currency"]),
            seed=int(document["seed"]),
            status=str(document["status"]),
            objective=float(document["objective"]),
            bound=float(document["bound"]),
            units=_numbers(document["units"]),
            costs=_numbers(document["costs"]),
            kpis=_numbers(document["kpis"]),
            unmet=_numbers(document["unmet"]),
            flows=tuple(_flow(*row) for row in document["flows"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadInput(
            "Expected an outcome, as `entrepot scenario run --out` writes it."
        ) from error


def _numbers(document: Mapping[str, Any]) -> dict[str, float]:
    return {str(name): float(value) for name, value in document.items()}


def _flow(site: str, region: str, service: str, quantity: float, cost: float) -> Flow:
    return Flow(str(site), str(region), str(service), float(quantity), float(cost))
