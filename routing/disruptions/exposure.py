"""Exposure: which sites, suppliers and regions a hazard reaches, by its geometry alone."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.places import Point
from routing.disruptions.geometry import Circle, Geometry
from routing.disruptions.signal import Signal
from routing.disruptions.situation import Situation

NEAR_KM = 300.0
"""How far from a lone point, whose country nobody names, a site is worth watching."""


@dataclass(frozen=True, slots=True)
class Exposure:
    """Ids of what a hazard reaches, in the order of the folder."""

    sites: tuple[str, ...]
    suppliers: tuple[str, ...]
    regions: tuple[str, ...]

    @property
    def nothing(self) -> bool:
        """Whether the hazard reaches nothing of the brand."""
        return not (self.sites or self.suppliers or self.regions)


def exposure(signal: Signal, situation: Situation) -> Exposure:
    """Returns what a signal reaches.

    A polygon or circle reaches the points inside. A centroid, a zone or a country reaches
    everything in the countries that the signal names, or, when it names none, what is within
    300 km of its point: it may be there, which is worth watching and nothing more. A supplier is
    reached through its site; one without a site cannot be placed.
    """
    network = situation.network
    sites = [site for site in network.sites if site.status != "closed"]
    hit = _reached(signal, [(site.point, site.country) for site in sites])
    reached = tuple(site.site for site, yes in zip(sites, hit, strict=True) if yes)
    suppliers = situation.market.suppliers
    places = [(region.point, region.country) for region in network.regions]
    regions = zip(network.regions, _reached(signal, places), strict=True)
    return Exposure(
        sites=reached,
        suppliers=tuple(each.supplier for each in suppliers if each.site in reached),
        regions=tuple(region.region for region, yes in regions if yes),
    )


def _reached(signal: Signal, places: list[tuple[Point, str]]) -> NDArray[np.bool_]:
    points = [point for point, _ in places]
    if signal.precise and signal.geometry is not None:
        return signal.geometry.holds(points)
    if signal.countries:
        return np.array([country in signal.countries for _, country in places], dtype=bool)
    if signal.geometry is None:
        return np.zeros(len(places), dtype=bool)
    return _surroundings(signal.geometry).holds(points)


def _surroundings(geometry: Geometry) -> Geometry:
    circles = tuple(Circle(circle.center, NEAR_KM) for circle in geometry.circles)
    return Geometry(geometry.polygons, circles)
