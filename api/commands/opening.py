"""How database commands begin: settings from the environment, a database at the right schema."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine
from sqlalchemy.exc import ArgumentError, OperationalError

from api.database import engine_for
from api.migrations import schema
from api.settings import Settings
from core.errors import BadInput, EntrepotError


class DatabaseFailed(EntrepotError):
    """The database does not answer, or not as expected."""

    code = "database-failed"


@contextmanager
def open_engine(settings: Settings) -> Iterator[Engine]:
    """Opens the engine of the configured database, whatever its schema, and closes it."""
    try:
        engine = engine_for(settings.database, settings.durable)
    except ArgumentError as error:
        raise BadInput("Expected ENTREPOT_DATABASE_URL such as postgresql://host/name.") from error
    try:
        yield engine
    except OperationalError as error:
        reason = str(error.orig).strip().splitlines()[0]
        raise DatabaseFailed(f"The database failed: {reason}") from error
    finally:
        engine.dispose()


@contextmanager
def open_database(settings: Settings) -> Iterator[Engine]:
    """Opens the configured database at the newest schema; an empty SQLite file is brought to it."""
    with open_engine(settings) as engine:
        schema.ensure(engine)
        yield engine
