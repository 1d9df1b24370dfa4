"""`entrepot serve`: the API and the console, with a worker beside them."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from types import FrameType

import click

from api.attended import attended
from api.commands.opening import open_database
from api.commands.output import err
from api.service import listen, serve
from api.settings import Settings


@click.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535))
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 64),
              help="Processes that answer requests.")  # fmt: skip
@click.option("--no-worker", is_flag=True, help="Do not start a worker for background jobs.")
def command(host: str, port: int, workers: int, no_worker: bool) -> None:
    """Serve the API and the console until Ctrl-C or SIGTERM, with one worker for background jobs.

    With nothing configured the database is SQLite under ENTREPOT_HOME, brought to the newest
    schema when it is empty, and the queue is an embedded Valkey.
    """
    with open_database(Settings()):
        pass  # at the newest schema, or this command ends here
    worker = nullcontext() if no_worker else attended(["-m", "api.cli", "worker", "--attended"])
    with stoppable(), listen(host, port) as listening, worker:
        err.print(f"Entrepot serves http://{host}:{listening.getsockname()[1]} (Ctrl-C ends it).")
        serve(listening, workers)


@contextmanager
def stoppable() -> Iterator[None]:
    """Ensures that SIGTERM ends the block as Ctrl-C does, and that neither counts as a failure."""

    def stop(_: int, __: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {each: signal.signal(each, stop) for each in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    except KeyboardInterrupt:
        err.print("Stopped.")
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
