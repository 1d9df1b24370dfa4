"""`entrepot migrate`: brings the database to the newest schema."""

import click

from api.commands.opening import open_engine
from api.commands.output import emit, json_option
from api.migrations import schema
from api.settings import Settings


@click.command()
@json_option
def command(as_json: bool) -> None:
    """Bring the database to the newest schema; all migrations are applied, or none."""
    with open_engine(Settings()) as engine:
        before = schema.current(engine)
        schema.upgrade(engine)
        document = {"database": engine.dialect.name, "from": before, "to": schema.current(engine)}
    same = document["from"] == document["to"]
    said = "The schema is the newest already." if same else f"The schema is now {document['to']}."
    emit(document, as_json, said)
