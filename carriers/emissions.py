"""Emissions of transport: kilograms of CO2 equivalent by mode, weight and distance."""

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.errors import NotFound

AIR_DETOUR_KM = 95.0
"""Added to the great circle of every flight. Source: EN 16258."""

_AIR_MODES = frozenset({"air", "express"})


@dataclass(frozen=True, slots=True)
class EmissionFactor:
    """Emissions of one mode from a distance on, where the number comes from and how old it is.

    Well-to-wake unless `basis` says otherwise.
    """

    mode: str
    from_km: float
    grams_per_tonne_km: float
    unit: str
    basis: str
    source: str
    as_of: str


@cache
def emission_factors() -> dict[str, tuple[EmissionFactor, ...]]:
    """Returns the factors of every mode by rising distance, as `emissions.csv` here lists them."""
    text = files("carriers").joinpath("emissions.csv").read_text(encoding="utf-8")
    grouped: dict[str, list[EmissionFactor]] = {}
    for row in csv.DictReader(text.splitlines()):
        grouped.setdefault(row["mode"], []).append(_factor(row))
    return {
        mode: tuple(sorted(factors, key=lambda factor: factor.from_km))
        for mode, factors in grouped.items()
    }


def _factor(row: dict[str, str]) -> EmissionFactor:
    return EmissionFactor(
        mode=row["mode"],
        from_km=float(row["from_km"]),
        grams_per_tonne_km=float(row["grams_per_tonne_km"]),
        unit=row["unit"],
        basis=row["basis"],
        source=row["source"],
        as_of=row["as_of"],
    )


def grams_per_tonne_km(mode: str, distance_km: ArrayLike = np.inf) -> NDArray[np.float64]:
    """Returns grams of CO2 equivalent for a tonne moved one kilometer on a lane that long.

    Without a distance the factor is that of the longest lanes. Raises `NotFound` for a mode that
    the reference file does not list.
    """
    if mode not in emission_factors():
        raise NotFound("transport mode", mode)
    factors = emission_factors()[mode]
    starts = np.array([factor.from_km for factor in factors])
    grams = np.array([factor.grams_per_tonne_km for factor in factors])
    at = np.searchsorted(starts, np.asarray(distance_km, dtype=float), side="right") - 1
    chosen: NDArray[np.float64] = grams[np.maximum(at, 0)]
    return chosen


def kg_co2e(weight_kg: ArrayLike, distance_km: ArrayLike, mode: str) -> NDArray[np.float64]:
    """Returns kilograms of CO2 equivalent; weight and great-circle distance are broadcast.

    Formula of ISO 14083: tonnes x kilometers x factor. Flights are 95 km longer than the circle.

    >>> float(kg_co2e(1000.0, 1000.0, "sea_fcl"))
    8.15
    """
    distance = np.asarray(distance_km, dtype=float)
    kilometers = distance + (AIR_DETOUR_KM if mode in _AIR_MODES else 0.0)
    tonnes = np.asarray(weight_kg, dtype=float) / 1e3
    emitted: NDArray[np.float64] = tonnes * kilometers * grams_per_tonne_km(mode, distance) / 1e3
    return emitted
