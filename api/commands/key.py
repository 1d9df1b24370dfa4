"""`entrepot key`: API keys, made, listed and revoked."""

import os
from dataclasses import asdict

import click

from api.commands.opening import open_database
from api.commands.output import emit, json_option, table
from api.database import session_factory
from api.services.keys import ROLES, create_key, list_keys, revoke_key
from api.settings import Settings
from core.clock import SystemClock, rfc3339


@click.group()
def command() -> None:
    """Create, list and revoke API keys."""


@command.command()
@click.option("--role", type=click.Choice(ROLES), required=True, help="What the key may do.")
@click.option("--name", required=True, help="Who or what will use it.")
@json_option
def create(role: str, name: str, as_json: bool) -> None:
    """Create a key and print it, this once."""
    with open_database(Settings()) as engine, session_factory(engine).begin() as session:
        made = create_key(session, name, role, SystemClock().now(), os.urandom)
    emit(
        asdict(made), as_json, f"The key of {made.name} ({made.role}), shown this once:", made.token
    )


@command.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List keys, without their secrets."""
    with open_database(Settings()) as engine, session_factory(engine).begin() as session:
        rows = [
            (key.id, key.name, key.role, rfc3339(key.created_at), key.revoked_at is not None)
            for key in list_keys(session)
        ]
    names = ("id", "name", "role", "created_at", "revoked")
    document = {"keys": [dict(zip(names, row, strict=True)) for row in rows]}
    emit(document, as_json, table("API keys", names, rows))


@command.command()
@click.argument("key")
@json_option
def revoke(key: str, as_json: bool) -> None:
    """Revoke the key with this id: it opens nothing any more, at once."""
    with open_database(Settings()) as engine, session_factory(engine).begin() as session:
        revoke_key(session, key, SystemClock().now())
    emit({"revoked": key}, as_json, f"The key {key} is revoked.")
