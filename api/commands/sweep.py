"""`entrepot sweep`: ends what has expired."""

import os
from dataclasses import asdict

import click

from api.commands.opening import open_database
from api.commands.output import emit, json_option
from api.database import session_factory
from api.services.shipments import mark_late
from api.services.stock import sweep
from api.settings import Settings
from core.clock import SystemClock


@click.command()
@json_option
def command(as_json: bool) -> None:
    """Release expired reservations, mark late shipments, forget old answers and sign-ins."""
    with open_database(Settings()) as engine:
        sessions, clock = session_factory(engine), SystemClock()
        swept = sweep(sessions, clock, os.urandom)
        with sessions.begin() as session:
            late = mark_late(session, clock)
    said = f"{swept.holds:,} holds, {swept.answers:,} answers, {swept.sign_ins:,} sign-ins ended."
    emit({**asdict(swept), "late": late}, as_json, said, f"{late:,} shipments newly late.")
