"""Which points a hazard holds, against an oracle that counts windings."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import BadInput
from core.places import Point
from routing.disruptions.geometry import Circle, Geometry, Polygon, closed_rings


def winding_number(corners: list[tuple[float, float]], x: float, y: float) -> int:
    """Turns of the ring around a point, by summed angles: another method than ray casting."""
    turned = 0.0
    for (ax, ay), (bx, by) in pairwise(corners):
        cross = (ax - x) * (by - y) - (bx - x) * (ay - y)
        dot = (ax - x) * (bx - x) + (ay - y) * (by - y)
        turned += math.atan2(cross, dot)
    return round(turned / (2 * math.pi))


def star(center: tuple[float, float], radii: list[float]) -> list[tuple[float, float]]:
    """A simple ring: one corner in each direction around the center."""
    corners = [
        (center[0] + r * math.cos(2 * math.pi * k / len(radii)),
         center[1] + r * math.sin(2 * math.pi * k / len(radii)))
        for k, r in enumerate(radii)
    ]  # fmt: skip
    return [*corners, corners[0]]


def polygon(corners: list[tuple[float, float]]) -> Polygon:
    wrapped = [((x + 180) % 360 - 180, y) for x, y in corners]
    return Polygon(tuple(Point(y, x) for x, y in wrapped))


@settings(deadline=None)
@given(
    st.floats(-180, 180),
    st.floats(-50, 50),
    st.lists(st.floats(0.5, 30), min_size=3, max_size=12),
    st.integers(0, 2**32 - 1),
)
def test_ray_casting_agrees_with_winding_numbers_also_across_the_antimeridian(
    longitude: float, latitude: float, radii: list[float], seed: int
) -> None:
    corners = star((longitude, latitude), radii)
    drawn = polygon(corners)
    rng = np.random.default_rng(seed)
    xs = longitude + rng.uniform(-35, 35, 40)
    ys = latitude + rng.uniform(-35, 35, 40)
    points = [Point(float(y), float((x + 180) % 360 - 180)) for x, y in zip(xs, ys, strict=True)]
    expected = [winding_number(corners, x, y) != 0 for x, y in zip(xs, ys, strict=True)]
    assert drawn.holds(points).tolist() == expected


def test_a_hole_is_outside() -> None:
    outer = ((0.0, 0.0), (10.0, 0.0), (10.0, 10.0), (0.0, 10.0), (0.0, 0.0))
    hole = ((4.0, 4.0), (6.0, 4.0), (6.0, 6.0), (4.0, 6.0), (4.0, 4.0))
    drawn = Polygon(tuple(Point(*p) for p in outer), (tuple(Point(*p) for p in hole),))
    assert drawn.holds([Point(5, 5), Point(2, 5), Point(12, 5)]).tolist() == [False, True, False]


def test_a_circle_reaches_as_far_as_its_radius_on_the_globe() -> None:
    """One degree of latitude is 111.2 km."""
    around = Circle(Point(0, 179.9), 112)
    inside = around.holds([Point(1, 179.9), Point(1.01, 179.9), Point(0, -179.5)])
    assert inside.tolist() == [True, False, True]


def test_two_rings_in_one_run_of_points_are_two_areas() -> None:
    square = [Point(0, 0), Point(0, 1), Point(1, 1), Point(0, 0)]
    other = [Point(5, 5), Point(5, 6), Point(6, 6), Point(5, 5)]
    assert [len(ring) for ring in closed_rings([*square, *other])] == [4, 4]


@pytest.mark.parametrize(
    "points",
    [
        [Point(0, 0), Point(0, 1), Point(1, 1)],
        [Point(0, 0), Point(0, 1), Point(0, 0)],
        [Point(0, 0), Point(0, 1), Point(1, 1), Point(0, 0), Point(3, 3)],
    ],
)
def test_open_and_flat_rings_are_refused(points: list[Point]) -> None:
    with pytest.raises(BadInput):
        closed_rings(points)


@pytest.mark.parametrize(
    "document",
    [
        None,
        {"type": "LineString", "coordinates": [[0, 0], [1, 1]]},
        {"type": "Point", "coordinates": [200, 0]},
        {"type": "Point", "coordinates": ["a", 0]},
        {"type": "Point", "coordinates": [0, 0], "radius_km": -1},
        {"type": "Polygon", "coordinates": []},
        {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [0, 0]]]},
        {"type": "GeometryCollection", "geometries": []},
        {"type": "GeometryCollection", "geometries": [{"type": "GeometryCollection"}]},
    ],
)
def test_what_is_no_area_is_refused_with_a_reason(document: object) -> None:
    with pytest.raises(BadInput, match="Expected"):
        Geometry.from_json(document)


@settings(deadline=None)
@given(st.lists(st.floats(0.5, 30), min_size=3, max_size=6), st.floats(0, 500))
def test_geometry_survives_its_json(radii: list[float], radius: float) -> None:
    made = Geometry((polygon(star((10, 10), radii)),), (Circle(Point(1, 2), radius),))
    assert Geometry.from_json(made.as_json()) == made
