"""Comparison: what changed between outcomes, and which part of the cost pays for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.errors import BadInput
from core.money import Money
from simulations.outcome import Flow, Outcome

_SMALLEST_UNITS = 1e-6
"""Flows that differ by less are the same: the solver's tolerance."""

_BY_UNIT = ("shipping", "handling", "duty", "tax", "lateness", "carbon")
"""Cost parts that grow with the units served; `unmet` grows with those not served."""

Lane = tuple[str, str, str]
"""Site, region and service."""


@dataclass(frozen=True, slots=True)
class CostDifference:
    """By how much one part of the cost differs, and how it comes about.

    `volume` is what serving more or fewer units would cost at the base's cost per unit; `rate` is
    the rest: other sites, services or prices. They sum to `difference` exactly.
    """

    part: str
    base: Money
    here: Money
    volume: Money
    rate: Money

    @property
    def difference(self) -> Money:
        """What the part costs more here than in the base."""
        return self.volume + self.rate

    def as_json(self) -> dict[str, Any]:
        """Returns the part as JSON, money in minor units."""
        shown = {name: getattr(self, name).as_json() for name in ("base", "here", "difference")}
        return {
            "part": self.part,
            **shown,
            "volume": self.volume.as_json(),
            "rate": self.rate.as_json(),
        }


@dataclass(frozen=True, slots=True)
class FlowDifference:
    """Units of one site, region and service, in the base and here."""

    site: str
    region: str
    service: str
    base: float
    here: float

    @property
    def difference(self) -> float:
        """Units shipped more here than in the base."""
        return self.here - self.base

    def as_json(self) -> dict[str, Any]:
        """Returns the flow as JSON."""
        names = ("site", "region", "service", "base", "here", "difference")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, slots=True)
class Difference:
    """One outcome against the base.

    `added` and `dropped` are overrides as written; `kpis` maps a name to its value in the base
    and here; `costs` sum to `total` exactly, in minor units.
    """

    name: str
    added: tuple[Mapping[str, Any], ...]
    dropped: tuple[Mapping[str, Any], ...]
    kpis: Mapping[str, tuple[float, float]]
    unmet: Mapping[str, tuple[float, float]]
    costs: tuple[CostDifference, ...]
    flows: tuple[FlowDifference, ...]

    @property
    def total(self) -> Money:
        """What the scenario costs more than the base: the sum of the parts."""
        currency = self.costs[0].base.currency
        return sum((part.difference for part in self.costs), start=Money(0, currency))

    def as_json(self) -> dict[str, Any]:
        """Returns the difference as JSON."""
        return {
            "name": self.name,
            "inputs": {"added": list(self.added), "dropped": list(self.dropped)},
            "kpis": _pairs(self.kpis),
            "unmet": _pairs(self.unmet),
            "cost_difference": self.total.as_json(),
            "costs": [part.as_json() for part in self.costs],
            "flows": [flow.as_json() for flow in self.flows],
        }


@dataclass(frozen=True, slots=True)
class Comparison:
    """Outcomes of one brand against the first of them."""

    base: Outcome
    differences: tuple[Difference, ...]

    def document(self) -> dict[str, Any]:
        """Returns the comparison as JSON."""
        return {
            "brand": self.base.brand,
            "currency": self.base.currency,
            "base": self.base.scenario.name,
            "objective": Money.of(self.base.objective, self.base.currency).as_json(),
            "differences": [difference.as_json() for difference in self.differences],
        }


def compare(outcomes: Sequence[Outcome]) -> Comparison:
    """Returns how every outcome differs from the first.

    Raises `BadInput` for fewer than two, or where they are not of one brand, currency and seed.
    """
    if len(outcomes) < 2:
        raise BadInput("Expected at least two outcomes to compare.")
    base, *others = outcomes
    for other in others:
        _check_alike(base, other)
    return Comparison(base, tuple(_difference(base, other) for other in others))


def _check_alike(base: Outcome, other: Outcome) -> None:
    for name in ("brand", "currency", "seed"):
        ours, theirs = getattr(base, name), getattr(other, name)
        if ours != theirs:
            raise BadInput(f"Expected outcomes of one {name}, got {ours!r} and {theirs!r}.")


def _difference(base: Outcome, here: Outcome) -> Difference:
    before, after = base.scenario.document()["overrides"], here.scenario.document()["overrides"]
    return Difference(
        name=here.scenario.name,
        added=tuple(override for override in after if override not in before),
        dropped=tuple(override for override in before if override not in after),
        kpis=_side_by_side(base.kpis, here.kpis),
        unmet=_side_by_side(base.unmet, here.unmet),
        costs=tuple(_cost(part, base, here) for part in {**base.costs, **here.costs}),
        flows=_flows(base.flows, here.flows),
    )


def _side_by_side(
    base: Mapping[str, float], here: Mapping[str, float]
) -> dict[str, tuple[float, float]]:
    return {name: (base.get(name, 0.0), here.get(name, 0.0)) for name in {**base, **here}}


def _cost(part: str, base: Outcome, here: Outcome) -> CostDifference:
    before = Money.of(base.costs.get(part, 0.0), base.currency)
    after = Money.of(here.costs.get(part, 0.0), base.currency)
    volume = Money(round(before.minor * _growth(part, base, here)), base.currency)
    rate = Money(after.minor - before.minor - volume.minor, base.currency)
    return CostDifference(part, before, after, volume, rate)


def _growth(part: str, base: Outcome, here: Outcome) -> float:
    """Returns by which share the units that drive a part have grown; 0 where none drive it."""
    units = "unmet" if part == "unmet" else "served" if part in _BY_UNIT else ""
    counted, now = base.units.get(units, 0.0), here.units.get(units, 0.0)
    return now / counted - 1 if counted > _SMALLEST_UNITS else 0.0


def _flows(base: Sequence[Flow], here: Sequence[Flow]) -> tuple[FlowDifference, ...]:
    """Returns the flows that differ, the largest difference first."""
    before, after = _units(base), _units(here)
    found = (
        FlowDifference(*lane, before.get(lane, 0.0), after.get(lane, 0.0))
        for lane in sorted({**before, **after})
    )
    differing = [each for each in found if abs(each.difference) > _SMALLEST_UNITS]
    return tuple(sorted(differing, key=lambda each: -abs(each.difference)))


def _units(flows: Sequence[Flow]) -> dict[Lane, float]:
    return {(flow.site, flow.region, flow.service): flow.quantity for flow in flows}


def _pairs(pairs: Mapping[str, tuple[float, float]]) -> dict[str, dict[str, float]]:
    return {
        name: {"base": base, "here": here, "difference": here - base}
        for name, (base, here) in pairs.items()
    }
