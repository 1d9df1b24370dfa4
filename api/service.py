"""The service in this process, or in many that share one socket."""

import gc
import socket
import sys
import time
from contextlib import ExitStack
from types import FrameType

import uvicorn
from fastapi import FastAPI

from api.app import create_app
from api.attended import attended, end_with_input
from api.jobs.doorbell import Doorbell
from api.settings import Settings
from core.errors import EntrepotError

GRACE_SECONDS = 5
"""How long open requests may take to end."""

_LOOK_SECONDS = 0.5

_NEW_OBJECTS, _ROUNDS = 20_000, 50
"""The garbage collector looks at so many new objects, and at old ones after so many such looks."""


class Server(uvicorn.Server):
    """A server that lets streams of events end before it waits for open connections."""

    def __init__(self, app: FastAPI, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._app = app

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begins to stop on SIGINT or SIGTERM."""
        self._app.state.stopping.set()
        super().handle_exit(sig, frame)


def service() -> FastAPI:
    """Returns the app of this deployment, with everything that runs beside its requests."""
    settings = Settings()
    return create_app(settings, doorbell=Doorbell(settings), sweeps=True)


def listen(host: str, port: int) -> socket.socket:
    """Returns a socket that listens; raises `EntrepotError` when the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise EntrepotError(f"Cannot listen on {host}:{port}: {error.strerror}.") from error


def serve(listening: socket.socket, processes: int = 1) -> None:
    """Serves until SIGINT or SIGTERM, which is raised again when all requests have ended."""
    if processes == 1:
        _serve_here(listening)
        return
    with ExitStack() as opened:
        file = listening.fileno()
        children = [
            opened.enter_context(attended(["-m", "api.service", str(file)], [file]))
            for _ in range(processes)
        ]
        while all(child.poll() is None for child in children):
            time.sleep(_LOOK_SECONDS)
        raise EntrepotError("A process of the server ended by itself.")


def settle() -> None:
    """Ensures that the garbage collector seldom searches what lives as long as the process."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS, _ROUNDS)


def _serve_here(listening: socket.socket) -> None:
    app = service()
    settle()
    config = uvicorn.Config(
        app, log_level="warning", timeout_graceful_shutdown=GRACE_SECONDS, ws="none"
    )
    Server(app, config).run(sockets=[listening])


if __name__ == "__main__":
    end_with_input()
    _serve_here(socket.socket(fileno=int(sys.argv[1])))
