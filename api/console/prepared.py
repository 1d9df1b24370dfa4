"""Scenarios that every brand can start with, written for its own sites and passages."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from core.brand import Brand
from routing.lanes import lanes_of
from warehouses.network import Network, Site

GROWTH = 1.3
DEARER = 1.2

_CANALS = ("suez", "panama")


@dataclass(frozen=True, slots=True)
class Prepared:
    """A scenario ready to run: a key for the form, its name, and its text."""

    key: str
    name: str
    toml: str


def prepared_scenarios(brand: Brand) -> Sequence[Prepared]:
    """Returns growth, dearer carriers, each canal in use closed, and each open hub closed."""
    return tuple(_scenarios(brand))


def prepared_toml(brand: Brand, key: str) -> str:
    """Returns the text of one of them; empty for a key that the brand does not have."""
    return next((one.toml for one in prepared_scenarios(brand) if one.key == key), "")


def _scenarios(brand: Brand) -> Iterator[Prepared]:
    demand = f'demand = "*"\nfactor = {GROWTH}'
    yield _prepared("demand", f"Demand up {GROWTH - 1:.0%} everywhere", demand)
    rate = f'rate = "*"\nfactor = {DEARER}'
    yield _prepared("rates", f"Carriers {DEARER - 1:.0%} dearer", rate)
    used = {passage for lane in lanes_of(brand) for passage in lane.passages}
    for passage in _CANALS:
        if passage in used:
            closed = f'passage = "{passage}"\nstatus = "closed"'
            yield _prepared(passage, f"{passage.capitalize()} closed", closed)
    for site in Network.of(brand).serving:
        yield _site_closed(site)


def _site_closed(site: Site) -> Prepared:
    change = f'site = "{_quoted(site.site)}"\nstatus = "closed"'
    return _prepared(f"site-{site.site}", f"{site.name} closed", change)


def _prepared(key: str, name: str, change: str) -> Prepared:
    return Prepared(key, name, f'name = "{_quoted(name)}"\n\n[[override]]\n{change}\n')


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
