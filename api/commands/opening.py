"""How database commands begin: settings from the environment, a database at the right schema."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, OperationalError

from api.database import engine_for
from api.migrations import schema
from api.settings import Settings
from core.errors import BadInput, EntrepotError, Problem

BACKENDS = ("postgresql", "sqlite")


class DatabaseFailed(EntrepotError):
    """The database does not answer, or not as expected."""

    code = "database-failed"


@contextmanager
def open_engine(settings: Settings) -> Iterator[Engine]:
    """Opens the engine of the configured database, whatever its schema, and closes it."""
    engine = _engine(settings)
    try:
        yield engine
    except DatabaseError as error:
        if type(error) not in (DatabaseError, OperationalError):
            raise  # a statement of ours is wrong, not the database
        reason = (str(error.orig).strip() or "no reason given").splitlines()[0]
        if type(error) is DatabaseError and engine.url.database:  # SQLite: no database, or damaged
            raise BadInput([Problem(engine.url.database, 0, 0, reason)]) from error
        raise DatabaseFailed(f"The database failed: {reason}") from error
    finally:
        engine.dispose()


def _engine(settings: Settings) -> Engine:
    url = settings.database
    try:
        if make_url(url).get_backend_name() in BACKENDS:
            return engine_for(url, settings.durable)
    except (ArgumentError, ImportError, ValueError):
        pass  # the cause would quote the URL, and with it a password
    raise BadInput(
        "Expected ENTREPOT_DATABASE_URL such as postgresql://host/name or sqlite:///file."
    )


@contextmanager
def open_database(settings: Settings) -> Iterator[Engine]:
    """Opens the configured database at the newest schema; an empty SQLite file is brought to it."""
    with open_engine(settings) as engine:
        schema.ensure(engine)
        yield engine
