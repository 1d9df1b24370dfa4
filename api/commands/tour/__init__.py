"""`entrepot tour`: the main job on real orders, told chapter by chapter, then served."""

import fcntl
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import click
from pydantic import SecretStr

from api.attended import attended
from api.commands.opening import open_database
from api.commands.output import progress, screen
from api.commands.serve import stoppable
from api.commands.tour.client import Client
from api.commands.tour.story import CHAPTERS, Chapter, Tour
from api.database import session_factory
from api.service import listen
from api.services.brands import load_brand
from api.services.keys import create_key
from api.settings import Settings
from carriers.services import services_of
from core.brand import Brand
from core.clock import SystemClock
from core.errors import Conflict
from core.folder.reader import read_brand
from core.folder.writer import write_brand
from examples.online_retail.build import MOST_ITEMS, build
from examples.online_retail.documents import write_documents

HOME = "tour"
CLOCK = SystemClock()

out = screen()


@click.command("tour")
@click.option("--once", is_flag=True, help="End after the summary instead of serving.")
@click.option("--items", type=click.IntRange(20, MOST_ITEMS), default=400, show_default=True,
              help="How many best sellers to plan.")  # fmt: skip
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535),
              help="Port to listen on; with --once any free one.")  # fmt: skip
def command(once: bool, items: int, host: str, port: int) -> None:
    """Run the whole story on real orders, print a summary, and serve API and console.

    Starts afresh each time, in a home folder of its own below ENTREPOT_HOME, with SQLite and the
    embedded Valkey, whatever else is configured.
    """
    begun = time.perf_counter()
    with stoppable(), listen(host, 0 if once else port) as listening, _fresh_home() as home:
        folder, brand = _example(home, items)
        settings = _settings(home, brand)
        planner, order_service = _load(settings, brand)
        with _served(settings, listening.fileno()):
            base = f"http://{host}:{listening.getsockname()[1]}"
            _tell(_tour(settings, brand, folder, Client(base, planner, order_service, _names())))
            out.print(f"\nAll of it took {time.perf_counter() - begun:.0f} s.")
            if not once:
                _wait(base, planner, order_service)


@contextmanager
def _fresh_home() -> Iterator[Path]:
    """Opens the tour's own home folder, emptied; raises `Conflict` while another tour is in it."""
    home = Settings().folder / HOME
    with home.with_suffix(".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Conflict(
                f"Another tour is running in {home}; end it with Ctrl-C first."
            ) from None
        if home.exists():
            shutil.rmtree(home)
        home.mkdir(mode=0o700)
        yield home


def _example(home: Path, items: int) -> tuple[Path, Brand]:
    """Writes the example and reads it back, as a planner's own folder would be read."""
    folder = home / "online-retail"
    folder.mkdir()
    with progress("Writing the example") as report:
        example = build(items, lambda share, doing: report(0.8 * share, doing))
        report(0.8, "Writing the folder")
        write_brand(example.brand, folder)
        write_documents(example, folder)
        report(0.9, "Reading the folder")
        return folder, read_brand(folder)


def _settings(home: Path, brand: Brand) -> Settings:
    carriers = {service.carrier for service in services_of(brand)}
    shared = {carrier: SecretStr(secrets.token_hex(16)) for carrier in sorted(carriers)}
    return Settings(home=home, database_url="", redis_url="", carrier_secrets=shared)


def _load(settings: Settings, brand: Brand) -> tuple[str, str]:
    """Loads the brand; returns the keys of a planner and of an order service."""
    with progress("Loading the brand"), open_database(settings) as engine:
        sessions = session_factory(engine)
        with sessions.begin() as session:
            load_brand(session, brand, CLOCK, os.urandom)
            made = [
                create_key(session, role.replace("-", " "), role, CLOCK.now(), os.urandom)
                for role in ("planner", "order-service")
            ]
    return made[0].token, made[1].token


@contextmanager
def _served(settings: Settings, listening: int) -> Iterator[None]:
    """Runs the service on a socket that listens, and a worker, in processes of their own."""
    env = settings.environment()
    service = attended(["-m", "api.service", str(listening)], [listening], env)
    worker = attended(["-m", "api.cli", "worker", "--attended"], env=env)
    with service, worker:
        yield


def _names() -> Iterator[str]:
    return (f"tour-{number}" for number in count(1))


def _tour(settings: Settings, brand: Brand, folder: Path, client: Client) -> Tour:
    shared = {name: one.get_secret_value() for name, one in settings.carrier_secrets.items()}
    return Tour(brand, folder, client, CLOCK, shared)


def _tell(tour: Tour) -> None:
    for number, (doing, tell) in enumerate(CHAPTERS, start=1):
        with progress(doing) as report:
            chapter = tell(tour, report)
        _print(number, chapter)


def _print(number: int, chapter: Chapter) -> None:
    out.print(f"\n[bold]{number}. {chapter.title}[/bold]\n{chapter.text}")
    for one in chapter.tables:
        out.print(one)


def _wait(base: str, planner: str, order_service: str) -> None:
    """Says where to look and with which keys, each on a line that can be copied, and waits."""
    out.print("\n[bold]Serving until Ctrl-C[/bold]")
    for told, value in (
        ("Console, API", f"{base}/  {base}/docs"),
        ("Planner's key", planner),
        ("Order service's key", order_service),
    ):
        click.echo(f"{told:<20}{value}")
    while True:
        time.sleep(3600)
