"""Alembic's entry: runs migrations on the connection that `api.migrations.schema` hands over."""

from typing import Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlmodel import UTCDateTime
from sqlmodel.sql.sqltypes import AutoString

from api.tables import metadata


def render(kind: str, found: object, _: AutogenContext) -> str | Literal[False]:
    """Returns plain SQLAlchemy for types of sqlmodel, so that old migrations never depend on it."""
    if kind == "type" and isinstance(found, AutoString):
        return "sa.String()"
    if kind == "type" and isinstance(found, UTCDateTime):
        return "sa.DateTime(timezone=True)"
    return False


def run() -> None:
    """Runs all migrations asked for in one transaction, also on SQLite."""
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=metadata(),
        render_item=render,
        render_as_batch=True,
        transactional_ddl=True,
        compare_type=True,
    )
    with context.begin_transaction():
        context.run_migrations()


run()
