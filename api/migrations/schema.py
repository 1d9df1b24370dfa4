"""Brings a database to the newest schema, and drafts the migration to the next one."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect, text

from api.database import engine_for
from core.errors import EntrepotError

_LOCK = 4_206_121_974  # names the advisory lock of PostgreSQL that one migrating process holds


class SchemaBehind(EntrepotError):
    """The database has another schema than this version of the program needs."""

    code = "schema-behind"


def newest(versions: Path | None = None) -> str | None:
    """Returns the name of the newest schema; None while there is no migration at all."""
    return ScriptDirectory.from_config(_config(versions)).get_current_head()


def current(engine: Engine) -> str | None:
    """Returns the name of a database's schema; None for one that was never migrated."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def is_empty(engine: Engine) -> bool:
    """Whether a database holds no table."""
    return not inspect(engine).get_table_names()


def upgrade(engine: Engine, versions: Path | None = None) -> None:
    """Ensures that a database has the newest schema: all migrations or none, one at a time."""
    with _migrating(engine) as connection:
        config = _config(versions)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def ensure(engine: Engine) -> None:
    """Ensures the newest schema where that is safe to do unasked: in an empty SQLite file.

    Raises `SchemaBehind` for any other database that is not at the newest schema.
    """
    if current(engine) == newest():
        return
    if engine.dialect.name == "sqlite" and is_empty(engine):
        upgrade(engine)
        return
    raise SchemaBehind("The database has another schema; run `entrepot migrate` first.")


def draft(message: str, versions: Path | None = None) -> Path:
    """Returns the file of a new migration: from the schema there is to the tables there are."""
    script = ScriptDirectory.from_config(_config(versions))
    number = len(list(script.walk_revisions())) + 1
    with TemporaryDirectory() as folder:
        engine = engine_for(f"sqlite:///{folder}/draft.sqlite")
        upgrade(engine, versions)
        with _migrating(engine) as connection:
            config = _config(versions)
            config.attributes["connection"] = connection
            made: Any = command.revision(config, message, autogenerate=True, rev_id=f"{number:04}")
        engine.dispose()
    return Path(made.path)


def _config(versions: Path | None) -> Config:
    config = Config()
    folder = Path(str(files("api.migrations")))
    config.set_main_option("script_location", _escaped(folder))
    config.set_main_option("version_locations", _escaped(versions or folder / "versions"))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    return config


def _escaped(path: Path) -> str:
    """Returns a path as Alembic's configuration reads it, where `%` starts a placeholder."""
    return str(path).replace("%", "%%")


@contextmanager
def _migrating(engine: Engine) -> Iterator[Connection]:
    """Opens the one connection that may change tables, in a transaction."""
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            # Tables are rebuilt by copying, which foreign keys would forbid; it cannot be switched
            # inside a transaction, so the driver is asked before one begins.
            driver: Any = connection.connection.driver_connection
            driver.execute("PRAGMA foreign_keys=OFF")
        try:
            with connection.begin():
                if engine.dialect.name == "postgresql":
                    connection.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": _LOCK})
                yield connection
        finally:
            connection.invalidate()
