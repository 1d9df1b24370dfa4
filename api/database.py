"""Engines and sessions: the same statements on SQLite and on PostgreSQL."""

from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.orm import sessionmaker
from sqlmodel import Session

BUSY_SECONDS = 30
"""How long a writer of SQLite waits for the one before it."""

POOL, OVERFLOW = 20, 20
"""Connections kept and opened on demand: together at least the threads that serve requests."""

SessionFactory = sessionmaker[Session]
"""Opens sessions; `with factory.begin() as session:` commits at its end or rolls back."""


def engine_for(url: str, durable: bool = False) -> Engine:
    """Returns an engine for `sqlite:///file` or `postgresql://...`.

    SQLite runs in write-ahead mode with foreign keys on; a transaction takes the write lock when
    it begins, so that no two writers ever deadlock on upgrading. `durable` flushes each commit to
    disk: without it a power cut may lose the last commits of SQLite, never its consistency.
    """
    if make_url(url).get_backend_name() != "sqlite":
        return create_engine(url, pool_size=POOL, max_overflow=OVERFLOW, pool_pre_ping=True)
    # The driver must not begin transactions by itself: `_begin` below does.
    engine = create_engine(
        url,
        pool_size=POOL,
        max_overflow=OVERFLOW,
        connect_args={
            "timeout": BUSY_SECONDS, "check_same_thread": False, "isolation_level": None,
        },
    )  # fmt: skip
    event.listen(engine, "connect", _prepare_durable if durable else _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def session_factory(engine: Engine, reads: bool = False) -> SessionFactory:
    """Returns the factory of an engine's sessions.

    Sessions that only read (`reads=True`) never wait for writers on SQLite; one that writes
    nevertheless may fail as busy.
    """
    bound = engine.execution_options(entrepot_reads=True) if reads else engine
    return sessionmaker(bound, class_=Session, expire_on_commit=False)


def _prepare(connection: Any, _: object) -> None:
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _prepare_durable(connection: Any, record: object) -> None:
    _prepare(connection, record)
    connection.execute("PRAGMA synchronous=FULL")


def _begin(connection: Connection) -> None:
    reads = connection.get_execution_options().get("entrepot_reads", False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")
