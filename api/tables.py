"""Every table of the system: importing this module registers the records of all rooms."""

from types import ModuleType

from sqlalchemy import Engine, MetaData
from sqlmodel import SQLModel

import api.queue.records
import api.records
import carriers.records
import inventory.demand.records
import inventory.records
import inventory.suppliers.records
import routing.allocation.records
import routing.disruptions.records
import routing.fulfillment.records
import simulations.records

RECORDS: tuple[ModuleType, ...] = (
    api.queue.records,
    api.records,
    carriers.records,
    inventory.demand.records,
    inventory.records,
    inventory.suppliers.records,
    routing.allocation.records,
    routing.disruptions.records,
    routing.fulfillment.records,
    simulations.records,
)
"""Every module that declares tables; a new one is imported above and named here."""


def metadata() -> MetaData:
    """Returns the tables that the newest schema holds."""
    return SQLModel.metadata


def create_tables(engine: Engine) -> None:
    """Ensures that every table exists, without migrations; for tests and throw-away databases."""
    metadata().create_all(engine)
