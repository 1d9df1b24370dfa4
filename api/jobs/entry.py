"""The only function that a message of the queue may name."""

import os
import socket

from api.database import engine_for, session_factory
from api.jobs.doorbell import Doorbell
from api.jobs.exchange import Exchange
from api.jobs.runner import Runner
from api.settings import Settings
from core.clock import SystemClock


def run_job(job: str) -> bool:
    """Works on one job by id; returns whether it was there for the taking.

    The worker of this project calls its own runner instead; this is what rq's `rq worker` runs.
    """
    settings = Settings()
    engine = engine_for(settings.database, settings.durable)
    try:
        with Doorbell(settings) as doorbell:
            exchange = Exchange(doorbell, settings.allocation_hands)
            sessions = session_factory(engine)
            return Runner(sessions, SystemClock(), worker_name(), exchange=exchange).run(job)
    finally:
        engine.dispose()


def worker_name() -> str:
    """Returns the name of this process among all workers."""
    return f"{socket.gethostname()}:{os.getpid()}"
