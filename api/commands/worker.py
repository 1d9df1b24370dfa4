"""`entrepot worker`: works on background jobs of the database."""

import logging

import click

from api.attended import end_with_input
from api.commands.opening import open_database
from api.commands.output import emit, err, json_option
from api.database import session_factory
from api.jobs.doorbell import Doorbell
from api.jobs.entry import worker_name
from api.jobs.exchange import Exchange
from api.jobs.runner import Runner
from api.jobs.worker import Worker
from api.settings import Settings
from core.clock import SystemClock


@click.command("worker")
@click.option("--burst", is_flag=True, help="End when no job is due.")
@click.option("--attended", is_flag=True, help="End when standard input closes.")
@json_option
def command(burst: bool, attended: bool, as_json: bool) -> None:
    """Works on background jobs until it is stopped (SIGTERM or Ctrl-C)."""
    if attended:
        end_with_input()
    logging.getLogger("api.jobs").setLevel(logging.INFO)
    settings = Settings()
    with open_database(settings) as engine, Doorbell(settings) as doorbell:
        runner = Runner(
            session_factory(engine), SystemClock(), worker_name(),
            exchange=Exchange(doorbell, settings.allocation_hands),
        )  # fmt: skip
        if not (as_json or burst or attended):
            err.print(f"Worker {runner.worker} waits for jobs; Ctrl-C ends it.")
        worked = Worker(runner, doorbell).work(burst)
    emit({"worker": runner.worker, "jobs": worked}, as_json, f"Worked on {worked} jobs.")
