"""Lower bounds on parcel prices: a straight line that no parcel of a lane is cheaper than."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from routing.fulfillment.parcels import LaneCard

Vertex = tuple[float, float]


@dataclass(frozen=True, slots=True)
class PriceFloor:
    """`fixed + per_kg * billed + per_unit * units` is at most the price of any parcel.

    `fixed` and `per_kg` are never negative, so the floor of one parcel is also a floor of several.
    """

    fixed: float
    per_kg: float
    per_unit: float


def price_floor(card: LaneCard, least_kg: float, most_kg: float, near_kg: float) -> PriceFloor:
    """Returns the floor of a card for billed weights between two limits, tightest near a third one.

    The line supports the lower convex hull of the price as a function of billed weight; for a card
    with one band it is the price itself.
    """
    top = min(most_kg, card.end_kg)
    hull = _lower_hull(_vertices(card, min(least_kg, top), top))
    fixed, per_kg = _supporting(hull, near_kg)
    return PriceFloor(fixed, per_kg, min(card.per_unit))


def _vertices(card: LaneCard, low: float, high: float) -> list[Vertex]:
    """Corners of the price between two weights; a gap is billed at the start of its next band."""
    found: list[Vertex] = []
    reach = low
    for at, (start, end) in enumerate(zip(card.starts, card.ends, strict=True)):
        if end <= low or reach > high:
            continue
        last = min(end, high)
        first = max(start, reach)
        for weight, billed in ((reach, first), (first, first), (last, max(last, first))):
            found.append((weight, card.base[at] + card.per_kg[at] * billed))
        reach = end
    return found


def _lower_hull(vertices: Sequence[Vertex]) -> list[Vertex]:
    """The lower convex hull from left to right (Andrew's monotone chain)."""
    lowest: dict[float, float] = {}
    for weight, price in vertices:
        lowest[weight] = min(price, lowest.get(weight, price))
    hull: list[Vertex] = []
    for vertex in sorted(lowest.items()):
        while len(hull) >= 2 and _turns_down(hull[-2], hull[-1], vertex):
            hull.pop()
        hull.append(vertex)
    return hull


def _turns_down(a: Vertex, b: Vertex, c: Vertex) -> bool:
    return (b[0] - a[0]) * (c[1] - a[1]) <= (b[1] - a[1]) * (c[0] - a[0])


def _supporting(hull: Sequence[Vertex], near_kg: float) -> tuple[float, float]:
    lowest = min(price for _, price in hull)
    for left, right in pairwise(hull):
        if near_kg <= right[0] or right is hull[-1]:
            per_kg = (right[1] - left[1]) / (right[0] - left[0])
            fixed = left[1] - per_kg * left[0]
            return _never_negative(hull, fixed, per_kg, lowest)
    return lowest, 0.0


def _never_negative(
    hull: Sequence[Vertex], fixed: float, per_kg: float, lowest: float
) -> tuple[float, float]:
    if per_kg < 0:
        return lowest, 0.0
    if fixed < 0:
        return 0.0, min(price / weight for weight, price in hull if weight > 0)
    return fixed, per_kg
