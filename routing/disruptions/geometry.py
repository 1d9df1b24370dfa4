"""Shapes of hazards: polygons and circles on the globe, and which points they hold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import BadInput
from core.places import Point
from warehouses.geography import coordinates, distances_km

Ring = tuple[Point, ...]
"""A closed line: the last point is the first one again."""

MAX_VERTICES = 200_000
"""Most vertices that one geometry may have; more is refused, so that no feed stalls the house."""


@dataclass(frozen=True, slots=True)
class Polygon:
    """An area: an outer ring without its holes. Edges are straight on the latitude/longitude map.

    A ring may cross the antimeridian: an edge always takes the shorter way around. Rings around a
    pole are not described by such a polygon.
    """

    outer: Ring
    holes: tuple[Ring, ...] = ()

    def __post_init__(self) -> None:
        for ring in (self.outer, *self.holes):
            _check_ring(ring)

    def holds(self, points: Sequence[Point]) -> NDArray[np.bool_]:
        """Returns, for each point, whether it lies in the outer ring and in no hole."""
        inside = _in_ring(self.outer, points)
        for hole in self.holes:
            inside &= ~_in_ring(hole, points)
        return inside


@dataclass(frozen=True, slots=True)
class Circle:
    """All points within a great-circle distance of a center; 0 km is just the point."""

    center: Point
    radius_km: float

    def __post_init__(self) -> None:
        if not 0 <= self.radius_km <= 20_040:
            raise BadInput(f"Expected a radius from 0 to 20,040 km, got {self.radius_km}.")

    def holds(self, points: Sequence[Point]) -> NDArray[np.bool_]:
        """Returns, for each point, whether it is no farther from the center than the radius."""
        away = distances_km(coordinates((self.center,)), coordinates(tuple(points)))[0]
        return np.asarray(away <= self.radius_km)


@dataclass(frozen=True, slots=True)
class Geometry:
    """Where a hazard is: the union of polygons and circles; a lone point is a circle of 0 km."""

    polygons: tuple[Polygon, ...] = ()
    circles: tuple[Circle, ...] = ()

    def __post_init__(self) -> None:
        if not self.polygons and not self.circles:
            raise BadInput("Expected a geometry with at least one polygon, circle or point.")
        vertices = sum(
            len(ring) for polygon in self.polygons for ring in (polygon.outer, *polygon.holes)
        )
        if vertices > MAX_VERTICES:
            raise BadInput(f"Expected at most {MAX_VERTICES} vertices, got {vertices}.")

    def holds(self, points: Sequence[Point]) -> NDArray[np.bool_]:
        """Returns, for each point, whether any of the shapes holds it."""
        inside = np.zeros(len(points), dtype=bool)
        if not points:
            return inside
        shapes: tuple[Polygon | Circle, ...] = (*self.polygons, *self.circles)
        for shape in shapes:
            inside |= shape.holds(points)
        return inside

    def as_json(self) -> dict[str, Any]:
        """Returns GeoJSON; a circle is a Point with the further member `radius_km`."""
        shapes = [_polygon_json(polygon) for polygon in self.polygons]
        shapes += [_circle_json(circle) for circle in self.circles]
        if len(shapes) == 1:
            return shapes[0]
        return {"type": "GeometryCollection", "geometries": shapes}

    @classmethod
    def from_json(cls, document: object) -> "Geometry":
        """Returns the geometry of a GeoJSON object; raises `BadInput` with the reason otherwise.

        Accepts Point (with an optional `radius_km`), Polygon, MultiPolygon and collections of
        these. Heights are ignored.
        """
        polygons: list[Polygon] = []
        circles: list[Circle] = []
        for shape in _flattened(document):
            if isinstance(shape, Polygon):
                polygons.append(shape)
            else:
                circles.append(shape)
        return cls(tuple(polygons), tuple(circles))


def point_of(latitude: str | float, longitude: str | float) -> Point:
    """Returns the point of two numbers; raises `BadInput` for anything that is not on the globe."""
    try:
        return Point(float(latitude), float(longitude))
    except (TypeError, ValueError, OverflowError) as error:
        raise BadInput(f"Expected two numbers, got {latitude!r}, {longitude!r}.") from error


def point_at(point: Point) -> Geometry:
    """Returns the geometry of a lone point."""
    return Geometry(circles=(Circle(point, 0.0),))


def closed_rings(points: Sequence[Point]) -> list[Ring]:
    """Returns the rings that follow each other in one run of points.

    A ring ends where its first point comes again. Raises `BadInput` when the last one stays open
    or a ring has fewer than four points.
    """
    rings: list[Ring] = []
    current: list[Point] = []
    for point in points:
        current.append(point)
        if len(current) > 1 and point == current[0]:
            rings.append(tuple(current))
            current = []
    if current:
        raise BadInput(f"Expected a closed ring, but {len(current)} points stay open.")
    for ring in rings:
        _check_ring(ring)
    return rings


def _check_ring(ring: Ring) -> None:
    if len(ring) < 4:
        raise BadInput(f"Expected a ring of at least 4 points, got {len(ring)}.")
    if ring[0] != ring[-1]:
        raise BadInput("Expected a closed ring: the last point must be the first one.")


def _in_ring(ring: Ring, points: Sequence[Point]) -> NDArray[np.bool_]:
    """Even-odd ray casting: inside, a ray to the east crosses an odd number of edges.

    Longitudes are unwrapped along the ring, and the point is tried one turn to each side.
    """
    latitude, longitude = _unwrapped(ring)
    here = coordinates(tuple(points))
    inside = np.zeros(len(here), dtype=bool)
    for turn in (-360.0, 0.0, 360.0):
        inside |= _odd_crossings(latitude, longitude, here[:, 0], here[:, 1] + turn)
    return inside


def _odd_crossings(
    latitude: NDArray[np.float64],
    longitude: NDArray[np.float64],
    y: NDArray[np.float64],
    x: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """Edges are shaped [edge], points [point]; edge by edge, so that memory stays [point]."""
    crossings = np.zeros(len(y), dtype=bool)
    for at in range(len(latitude) - 1):
        low, high = latitude[at], latitude[at + 1]
        if low == high:
            continue
        spans = (low > y) != (high > y)
        west = longitude[at] + (y - low) / (high - low) * (longitude[at + 1] - longitude[at])
        crossings ^= spans & (x < west)
    return crossings


def _unwrapped(ring: Ring) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Latitudes and longitudes of a ring such that no step in longitude exceeds half a turn."""
    pairs = coordinates(ring)
    steps = (np.diff(pairs[:, 1]) + 180.0) % 360.0 - 180.0
    return pairs[:, 0], pairs[0, 1] + np.concatenate(([0.0], np.cumsum(steps)))


def _flattened(document: object, depth: int = 0) -> list[Polygon | Circle]:
    if not isinstance(document, Mapping):
        raise BadInput("Expected a GeoJSON object with `type` and `coordinates`.")
    kind, coordinates_ = document.get("type"), document.get("coordinates")
    try:
        if kind == "Point":
            return [Circle(_position(coordinates_), float(document.get("radius_km", 0.0)))]
        if kind == "Polygon":
            return [_polygon(coordinates_)]
        if kind == "MultiPolygon" and isinstance(coordinates_, Sequence):
            return [_polygon(rings) for rings in coordinates_]
        if kind == "GeometryCollection" and depth == 0:
            parts = document.get("geometries") or ()
            return [shape for part in parts for shape in _flattened(part, depth + 1)]
    except (TypeError, ValueError, OverflowError) as error:
        raise BadInput(f"Expected numbers in a {kind} geometry.") from error
    raise BadInput(
        f"Expected a Point, Polygon, MultiPolygon or a collection of these, got {kind!r}."
    )


def _polygon(rings: object) -> Polygon:
    if not isinstance(rings, Sequence) or isinstance(rings, str) or not rings:
        raise BadInput("Expected a polygon with at least one ring.")
    made = [tuple(_position(position) for position in ring) for ring in rings]
    return Polygon(made[0], tuple(made[1:]))


def _position(position: object) -> Point:
    """A GeoJSON position: longitude first."""
    if not isinstance(position, Sequence) or isinstance(position, str) or len(position) < 2:
        raise BadInput("Expected a position as [longitude, latitude].")
    return point_of(position[1], position[0])


def _polygon_json(polygon: Polygon) -> dict[str, Any]:
    rings = [[[p.longitude, p.latitude] for p in ring] for ring in (polygon.outer, *polygon.holes)]
    return {"type": "Polygon", "coordinates": rings}


def _circle_json(circle: Circle) -> dict[str, Any]:
    place = {"type": "Point", "coordinates": [circle.center.longitude, circle.center.latitude]}
    return place | ({"radius_km": circle.radius_km} if circle.radius_km else {})
