"""Engines and sessions: the same statements on SQLite and on PostgreSQL."""

import threading
from collections.abc import MutableMapping
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.orm import sessionmaker
from sqlmodel import Session

from core.encoding import json_text

BUSY_SECONDS = 30
"""How long a writer of SQLite waits for the one before it."""

POOL, OVERFLOW = 20, 20
"""Connections kept and opened on demand: together at least the threads that serve requests."""

_TURN = "entrepot_turn"

SessionFactory = sessionmaker[Session]
"""Opens sessions; `with factory.begin() as session:` commits at its end or rolls back."""


def engine_for(url: str, durable: bool = False) -> Engine:
    """Returns an engine for `sqlite:///file` or `postgresql://...`.

    SQLite runs in write-ahead mode with foreign keys on; a transaction takes the write lock when
    it begins, so that no two writers ever deadlock on upgrading. `durable` flushes each commit to
    disk: without it a power cut may lose the last commits of SQLite, never its consistency.
    """
    if make_url(url).get_backend_name() != "sqlite":
        return create_engine(
            url,
            pool_size=POOL,
            max_overflow=OVERFLOW,
            pool_pre_ping=True,
            json_serializer=json_text,
        )
    # The driver must not begin transactions by itself: `_begin` below does.
    engine = create_engine(
        url,
        pool_size=POOL,
        max_overflow=OVERFLOW,
        json_serializer=json_text,
        connect_args={
            "timeout": BUSY_SECONDS, "check_same_thread": False, "isolation_level": None,
        },
    )  # fmt: skip
    event.listen(engine, "connect", _prepare_durable if durable else _prepare)
    _Turns().install(engine)
    return engine


def session_factory(engine: Engine, reads: bool = False) -> SessionFactory:
    """Returns the factory of an engine's sessions.

    Sessions that only read (`reads=True`) never wait for writers on SQLite; one that writes
    nevertheless may fail as busy.
    """
    bound = engine.execution_options(entrepot_reads=True) if reads else engine
    return sessionmaker(bound, class_=Session, expire_on_commit=False)


def hurry(session: Session, seconds: float) -> None:
    """Ensures that the transaction waits no longer than that for a row of PostgreSQL."""
    if session.get_bind().dialect.name == "postgresql":
        limit = f"SET LOCAL lock_timeout = {int(seconds * 1000)}"
        session.connection().exec_driver_sql(limit)


def _prepare(connection: Any, _: object) -> None:
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _prepare_durable(connection: Any, record: object) -> None:
    _prepare(connection, record)
    connection.execute("PRAGMA synchronous=FULL")


class _Turns:
    """Lets the writers of a process take turns.

    SQLite lets a writer look again now and then whether the one before it has ended; whoever waits
    for its turn here goes on at once. Writers of other processes are SQLite's to judge.
    """

    def __init__(self) -> None:
        self._turn = threading.Lock()

    def install(self, engine: Engine) -> None:
        """Ensures that transactions of an engine begin and end in turns."""
        event.listen(engine, "begin", self._begin)
        event.listen(engine, "commit", self._end)
        event.listen(engine, "rollback", self._end)
        event.listen(engine, "checkin", lambda _, record: self._over(record.info))

    def _begin(self, connection: Connection) -> None:
        if connection.get_execution_options().get("entrepot_reads", False):
            connection.exec_driver_sql("BEGIN")
            return
        connection.info[_TURN] = self._turn.acquire(timeout=BUSY_SECONDS)
        try:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        except BaseException:
            self._end(connection)
            raise

    def _end(self, connection: Connection) -> None:
        self._over(connection.info)

    def _over(self, info: MutableMapping[Any, Any]) -> None:
        if info.pop(_TURN, False):
            self._turn.release()
