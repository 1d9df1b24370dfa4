"""Parcels: goods packed within a service's limits and priced on billed weight."""

import math
import sys
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from carriers.rates import RateBook
from carriers.services import Service
from core.units import CM3_PER_M3

ROUNDING_KG = 1e-9  # kg: sums of weights may exceed a limit by rounding


@dataclass(frozen=True, slots=True)
class Goods:
    """Some units of one item, to be packed."""

    item: str
    units: int
    weight_kg: float
    volume_m3: float


@dataclass(frozen=True, slots=True)
class Parcel:
    """Goods that travel together; weights in kg, `contents` lists units by item."""

    weight_kg: float
    billed_kg: float
    units: int
    contents: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class LaneCard:
    """The price bands of one service from one site to one region, in settlement currency.

    Bands rise; a band holds from its start up to, not including, its end; weights are billed
    kilograms. A parcel lighter than the first band, or between two bands, is billed at the start
    of the next.
    """

    starts: tuple[float, ...]
    ends: tuple[float, ...]
    base: tuple[float, ...]
    per_kg: tuple[float, ...]
    per_unit: tuple[float, ...]
    divisor: float
    max_weight_kg: float

    @property
    def end_kg(self) -> float:
        """The billed weight that no parcel may reach."""
        return self.ends[-1]

    def billed_kg(self, weight_kg: float, volume_m3: float) -> float:
        """Returns the larger of actual and volumetric weight, raised to the next band in a gap."""
        billed = max(weight_kg, volume_m3 * CM3_PER_M3 / self.divisor, self.starts[0])
        band = bisect_right(self.starts, billed) - 1
        in_gap = billed >= self.ends[band] and band + 1 < len(self.starts)
        return self.starts[band + 1] if in_gap else billed

    def price(self, billed_kg: float, units: int) -> float:
        """Returns the price of one parcel of a billed weight; infinite beyond the last band."""
        band = bisect_right(self.starts, billed_kg) - 1
        if band < 0 or billed_kg >= self.ends[band]:
            return math.inf
        return self.base[band] + self.per_kg[band] * billed_kg + self.per_unit[band] * units

    def takes(self, weight_kg: float, volume_m3: float) -> bool:
        """Whether a parcel of that weight and volume is within the limits."""
        return (
            weight_kg <= self.max_weight_kg + ROUNDING_KG
            and self.billed_kg(weight_kg, volume_m3) < self.end_kg
        )


def lane_card(book: RateBook, lane: tuple[int, int, int], service: Service) -> LaneCard | None:
    """Returns the bands of a lane (positions of service, site, region); None without a rate."""
    bands = np.flatnonzero(np.isfinite(book.starts[lane]))
    if len(bands) == 0:
        return None
    starts, ends, base, per_kg, per_unit = (
        tuple(float(cell) for cell in array[lane][bands])
        for array in (book.starts, book.ends, book.base, book.per_kg, book.per_unit)
    )
    return LaneCard(
        starts, ends, base, per_kg, per_unit, service.volumetric_divisor, service.max_weight_kg
    )


def packed(goods: Sequence[Goods], card: LaneCard) -> tuple[Parcel, ...]:
    """Returns the goods in parcels within the limits of a card.

    One parcel if everything fits; else units go, heaviest item first, into the open parcel until
    it is full. A unit too heavy for any parcel travels alone.
    """
    weight = sum(part.units * part.weight_kg for part in goods)
    volume = sum(part.units * part.volume_m3 for part in goods)
    if card.takes(weight, volume):
        return (_parcel(card, [(part, part.units) for part in goods]),)
    ordered = sorted(goods, key=lambda part: (-card.billed_kg(*_one(part)), part.item))
    return tuple(_parcel(card, contents) for contents in _next_fit(ordered, card))


def shipping_price(goods: Sequence[Goods], card: LaneCard) -> tuple[float, int]:
    """Returns the price of goods by a card and their number of parcels."""
    parcels = packed(goods, card)
    return sum(card.price(parcel.billed_kg, parcel.units) for parcel in parcels), len(parcels)


def _one(part: Goods) -> tuple[float, float]:
    return part.weight_kg, part.volume_m3


Contents = list[tuple[Goods, int]]


def _next_fit(goods: Sequence[Goods], card: LaneCard) -> list[Contents]:
    filled: list[Contents] = []
    opened: Contents = []
    for part in goods:
        left = part.units
        while left:
            fits = _fitting(opened, part, left, card)
            if fits == 0 and opened:
                filled.append(opened)
                opened = []
                continue
            opened.append((part, max(fits, 1)))
            left -= max(fits, 1)
    return [*filled, opened] if opened else filled


def _fitting(opened: Contents, part: Goods, most: int, card: LaneCard) -> int:
    """How many units of a part the open parcel still takes.

    The quotient of what is left and one unit is off by rounding at most, so it is corrected.
    """
    weight, volume = _measures(opened)
    units = min(
        most,
        _quotient(card.max_weight_kg - weight, part.weight_kg),
        _quotient(card.end_kg - weight, part.weight_kg),
        _quotient(card.end_kg * card.divisor / CM3_PER_M3 - volume, part.volume_m3),
    )
    while units > 0 and not card.takes(
        weight + units * part.weight_kg, volume + units * part.volume_m3
    ):
        units -= 1
    return units


def _quotient(room: float, one: float) -> int:
    return int(min(max(room, 0.0) / one + 1, sys.maxsize)) if one > 0 else sys.maxsize


def _measures(contents: Contents) -> tuple[float, float]:
    weight = sum(units * part.weight_kg for part, units in contents)
    volume = sum(units * part.volume_m3 for part, units in contents)
    return weight, volume


def _parcel(card: LaneCard, contents: Contents) -> Parcel:
    weight, volume = _measures(contents)
    listed: dict[str, int] = {}
    for part, units in contents:
        listed[part.item] = listed.get(part.item, 0) + units
    return Parcel(
        weight, card.billed_kg(weight, volume), sum(listed.values()), tuple(listed.items())
    )
