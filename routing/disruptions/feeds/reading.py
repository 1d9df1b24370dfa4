"""Every feed by its name: bytes in, signals out."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from core.errors import BadInput
from routing.disruptions.feeds import cap, gdacs, nws, usgs
from routing.disruptions.signal import Reading

FEEDS: Mapping[str, Callable[[bytes, str], Reading]] = MappingProxyType(
    {cap.SOURCE: cap.read, gdacs.SOURCE: gdacs.read, nws.SOURCE: nws.read, usgs.SOURCE: usgs.read}
)
"""Reader of each feed: takes the document and the name to call it by in problems."""


def read_feed(feed: str, document: bytes, file: str = "") -> Reading:
    """Returns what a document of a feed says; raises `BadInput` when it cannot be read at all."""
    if feed not in FEEDS:
        raise BadInput(f"Expected a feed out of {', '.join(sorted(FEEDS))}, got {feed!r}.")
    return FEEDS[feed](document, file)
