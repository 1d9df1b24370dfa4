"""The exchange: where workers meet each other beside the database."""

import importlib.metadata
from dataclasses import dataclass

import redis

from api.jobs.doorbell import Doorbell

LIBRARIES = ("entrepot", "numpy", "ortools", "scipy")
"""Of the same versions of these the same questions get the same answers."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """The doorbell of a worker, and how many hands a job of it may ask other workers for."""

    doorbell: Doorbell
    hands: int = 0

    def connect(self) -> redis.Redis:
        """Returns a client of the server of the doorbell; raises `ConnectionError`."""
        return self.doorbell.connect()


def versions() -> str:
    """Returns the versions that answers depend on: a hand of other ones declines."""
    return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in LIBRARIES)
