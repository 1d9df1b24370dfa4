"""A crowd of real workers for journeys: processes of one home, ended as an operator would."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from sqlalchemy import Engine

from api.settings import Settings

ROOT = Path(__file__).parents[2]

Workers = AbstractContextManager[list[subprocess.Popen[bytes]]]


@contextmanager
def crowd(
    engine: Engine, home: Path, count: int, module: str, *arguments: str, hands: int = 0
) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Starts so many workers of a module of these tests, and ends those that are left."""
    url = engine.url.render_as_string(hide_password=False)
    settings = Settings(home=home, database_url=url, allocation_hands=hands)
    command = [sys.executable, "-m", f"tests.journeys.{module}", *arguments, "--json"]
    environment = {**os.environ, **settings.environment()}
    started = [
        subprocess.Popen(command, env=environment, cwd=ROOT, stdout=subprocess.DEVNULL)
        for _ in range(count)
    ]
    try:
        yield started
    finally:
        for worker in started:
            worker.terminate()
        for worker in started:
            worker.wait(30)
