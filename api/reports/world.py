"""The world as a drawing: land, great circles and places in one projection.

Land comes from the outlines that the console has installed (Natural Earth, public domain, as
packed by world-atlas); where they are missing a drawing shows places and lines alone.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from api.console.assets import VENDOR
from core.places import Point

Floats = NDArray[np.float64]
Ring = NDArray[np.float64]
"""Longitudes and latitudes of a line, [point, 2]."""

WIDTH = 1060
SOUTH, NORTH = -46.0, 76.0
CENTERS = (11.0, 150.0)
"""Meridians in the middle of a map: the Atlantic one, and that of the Pacific."""

ANTARCTICA = "010"


@dataclass(frozen=True, slots=True)
class Projection:
    """Natural Earth I around a meridian (Šavrič, Jenny, Patterson and others 2011)."""

    center: float

    @property
    def height(self) -> float:
        """Height of the drawing, in its units."""
        return round(self._y(SOUTH) - self._y(NORTH), 1)

    def turned(self, longitude: Floats) -> Floats:
        """Returns longitudes counted from the middle of the map, from -180 to 180."""
        return np.mod(longitude - self.center + 180.0, 360.0) - 180.0

    def place(self, points: Ring) -> Floats:
        """Returns where points stand in the drawing, [point, 2]."""
        around, up = np.radians(self.turned(points[:, 0])), np.radians(points[:, 1])
        square = up**2
        fourth = square**2
        x = around * (
            0.8707 - 0.131979 * square
            + fourth * (-0.013791 + fourth * (0.003971 * square - 0.001529 * fourth))
        )  # fmt: skip
        wide = np.pi * 0.8707
        y = np.array([self._y(latitude) for latitude in points[:, 1]]) - self._y(NORTH)
        return np.column_stack([WIDTH * (x + wide) / (2 * wide), y])

    def path(self, line: Ring, closed: bool = False) -> str:
        """Returns the path of a line, broken where it leaves the map at one side."""
        drawn = self.place(line)
        far = np.abs(np.diff(self.turned(line[:, 0]))) > 180.0
        if closed and far.any():
            return ""
        pieces = np.split(drawn, np.flatnonzero(far) + 1)
        return "".join(_line(piece) for piece in pieces) + ("Z" if closed else "")

    def _y(self, latitude: float) -> float:
        up = float(np.radians(latitude))
        square = up**2
        y = up * (
            1.007226 + square * (0.015085
            + square**2 * (-0.044475 + 0.028874 * square - 0.005916 * square**2))
        )  # fmt: skip
        return -WIDTH * y / (2 * np.pi * 0.8707)


def _line(points: Floats) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points.tolist())


def best_center(lines: Iterable[Ring]) -> float:
    """Returns the meridian of the map that cuts fewest lines at its sides."""
    listed = list(lines)

    def cut(center: float) -> int:
        turned = (Projection(center).turned(line[:, 0]) for line in listed)
        return sum(int((np.abs(np.diff(each)) > 180.0).sum()) for each in turned)

    return min(CENTERS, key=cut)


def as_ring(points: Sequence[tuple[float, float]]) -> Ring:
    """Returns longitudes and latitudes as an array."""
    return np.asarray(points, dtype=np.float64).reshape(-1, 2)


def at(point: Point) -> Ring:
    """Returns a place as a line of one point."""
    return as_ring([(point.longitude, point.latitude)])


@cache
def land(outlines: Path = VENDOR / "countries-110m.json") -> tuple[Ring, ...]:
    """Returns the outlines of countries; none where they are not installed."""
    if not outlines.is_file():
        return ()
    world = json.loads(outlines.read_bytes())
    arcs = _arcs(world)
    shapes = world["objects"]["countries"]["geometries"]
    return tuple(
        ring
        for shape in shapes
        if shape.get("id") != ANTARCTICA
        for polygon in ([shape["arcs"]] if shape["type"] == "Polygon" else shape["arcs"])
        for ring in (_ring(arcs, numbers) for numbers in polygon)
    )


def _arcs(world: dict[str, Any]) -> list[Ring]:
    """The arcs of a TopoJSON file: steps on a grid, summed up and put into degrees."""
    scale, origin = (np.array(world["transform"][name]) for name in ("scale", "translate"))
    return [np.cumsum(np.array(arc), axis=0) * scale + origin for arc in world["arcs"]]


def _ring(arcs: Sequence[Ring], numbers: Sequence[int]) -> Ring:
    """The arcs of a ring, one after another; `~n` stands for arc n backwards."""
    parts = [arcs[at] if at >= 0 else arcs[~at][::-1] for at in numbers]
    return np.concatenate([parts[0], *(part[1:] for part in parts[1:])])
