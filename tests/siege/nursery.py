"""Forks API processes from one process that has imported everything already.

So a kill and a restart cost a tenth of a second, not three. Standard input asks for a process by
`FILE FATAL`: the descriptor of the listening socket, and how many of its writing transactions the
process survives (0: all). At number FATAL it kills itself right after the commit, before the answer
leaves. The pid is told on standard output. All processes end with the nursery, and the nursery with
its input.
"""

import logging
import os
import signal
import socket
import sys
import threading
from itertools import count

import uvicorn
from fastapi import FastAPI
from sqlalchemy import event
from sqlalchemy.orm import Session

from api.app import create_app
from api.database import SessionFactory
from api.service import Server
from api.services.brands import current_brand
from api.services.fulfillment import make_plan
from api.services.orders import order_body
from api.services.planning import Service
from api.settings import Settings
from api.sweeper import Sweeper
from tests.siege.clock import HurriedClock

SWEEP_SECONDS = 0.5


def main() -> None:
    """Forks a process for each line of the input."""
    logging.disable()  # that the database is away is no news here
    clock = HurriedClock(float(sys.argv[1]), float(sys.argv[2]))
    app = _warm(clock)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the system buries the children
    alive, held = os.pipe()
    for line in sys.stdin:
        file, fatal = map(int, line.split())
        child = os.fork()
        if child == 0:
            os.close(held)
            threading.Thread(target=_end_with, args=(alive,), daemon=True).start()
            _serve(app, socket.socket(fileno=file), clock, fatal)
            os._exit(0)
        print(child, flush=True)


def _warm(clock: HurriedClock) -> FastAPI:
    """Returns an app that has planned an order once, without a trace and without a connection."""
    app = create_app(Settings(), clock=clock)
    with app.state.sessions() as session:
        brand = current_brand(session)
        line = {"line": 1, "item": str(brand.table("items")["item"][0]), "quantity": 1}
        asked = {"order": "warm", "region": "DE", "currency": "EUR", "lines": [line]}
        make_plan(Service(session, clock, os.urandom, "nursery", 1), order_body(asked))
        session.rollback()
    app.state.engine.dispose()
    return app


def _end_with(alive: int) -> None:
    os.read(alive, 1)  # returns when the nursery is gone
    os._exit(0)


def _serve(app: FastAPI, listening: socket.socket, clock: HurriedClock, fatal: int) -> None:
    sessions: SessionFactory = app.state.sessions
    if fatal:
        _die_after_commit(sessions, fatal)
    with Sweeper(sessions, clock, os.urandom, SWEEP_SECONDS if not fatal else 3600):
        config = uvicorn.Config(app, log_level="critical", ws="none", access_log=False)
        Server(app, config).run(sockets=[listening])


def _die_after_commit(sessions: SessionFactory, fatal: int) -> None:
    commits = count(1)

    @event.listens_for(sessions, "after_commit")
    def die(session: Session) -> None:
        if not session.in_nested_transaction() and next(commits) == fatal:
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
