"""Sites of a plan: those that serve, and those from which goods come to them."""

from collections.abc import Collection, Iterable, Sequence

from routing.lanes import Lane
from warehouses.network import Network, Site

PASSING_TIERS = frozenset({"supplier", "port"})
"""Tiers of sites that serve nobody, but from which goods move on. Returns wait for inspection."""


def sites_of(
    network: Network, serving: Sequence[str], lanes: Iterable[Lane], goods: Collection[str]
) -> tuple[Site, ...]:
    """Returns the serving sites, then suppliers' sites and ports on the ways of goods to them.

    `goods` are sites at which goods are or may come in.
    """
    ways = [(lane.from_site, lane.to_site) for lane in lanes]
    lead = _closure(set(serving), [(end, start) for start, end in ways])
    passing = {site.site for site in network.sites if passes(site)}
    come = _closure(passing & set(goods), [way for way in ways if passing.issuperset(way)])
    return (
        *(network.site[site] for site in serving),
        *(site for site in network.sites if site.site in passing & lead & come),
    )


def passes(site: Site) -> bool:
    """Whether goods pass through a site on their way to one that serves."""
    return site.tier in PASSING_TIERS and site.status != "closed"


def leads_on(lane: Lane, sites: Sequence[Site]) -> bool:
    """Whether a lane joins two of these sites, but not a serving one to one that serves nobody.

    Ports and suppliers ask for no rent, so that a plan would leave there what it does not need.
    """
    serves = {site.site: site.serves for site in sites}
    if lane.from_site not in serves or lane.to_site not in serves:
        return False
    return serves[lane.to_site] or not serves[lane.from_site]


def _closure(reached: set[str], ways: Sequence[tuple[str, str]]) -> set[str]:
    """Returns what can be reached along ways, the beginnings included."""
    while fresh := {end for start, end in ways if start in reached} - reached:
        reached = reached | fresh
    return reached
