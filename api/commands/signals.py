"""`entrepot signals`: hazard feeds to signals, and signals to alerts with drafted orders."""

import math
from pathlib import Path

import click
from rich.table import Table

from api.commands.output import emit, json_option, table
from core.errors import BadInput
from core.folder.reader import read_brand
from routing.disruptions.feeds.documents import MAX_BYTES
from routing.disruptions.feeds.reading import FEEDS, read_feed
from routing.disruptions.response import Incident, respond
from routing.disruptions.signal import Reading, Refused
from routing.disruptions.situation import Situation

_feed = click.argument("feed", type=click.Choice(sorted(FEEDS)))
_file = click.argument("file", type=click.Path(path_type=Path))


@click.group("signals")
def command() -> None:
    """Parses hazard feeds and computes their impact."""


@command.command("parse")
@_feed
@_file
@json_option
def parse(feed: str, file: Path, as_json: bool) -> None:
    """Reads a feed document into signals; what cannot be used is listed with the reason."""
    reading = _reading_or_refusal(feed, file)
    emit(reading.as_json(), as_json, _signals_table(reading), *_refused_table(reading))
    _fail_if_useless(reading, file)


@command.command("impact")
@click.argument("folder", type=click.Path(path_type=Path))
@_feed
@_file
@json_option
def impact(folder: Path, feed: str, file: Path, as_json: bool) -> None:
    """Shows what a feed document means for a brand folder, and the orders that would cure it."""
    reading = read_feed(feed, _content(file), file.name)
    incidents = respond(reading.signals, Situation(read_brand(folder)))
    document = {
        "incidents": [one.as_json() for one in incidents],
        "alerts": [one.alert_json() for one in incidents],
        "drafts": [draft.as_json() for one in incidents for draft in one.drafts],
        "refused": [refused.as_json() for refused in reading.refused],
    }
    emit(document, as_json, _alerts_table(incidents), _drafts_table(incidents))
    _fail_if_useless(reading, file)


def _reading_or_refusal(feed: str, file: Path) -> Reading:
    """What the document says; a document that cannot be read at all is refused as a whole."""
    try:
        return read_feed(feed, _content(file), file.name)
    except BadInput as error:
        return Reading((), tuple(Refused(str(problem)) for problem in error.problems))


def _content(file: Path) -> bytes:
    if not file.is_file():
        raise BadInput(f"No file is named {file.name!r}.")
    with file.open("rb") as stream:
        return stream.read(MAX_BYTES + 1)


def _fail_if_useless(reading: Reading, file: Path) -> None:
    """Ensures exit code 2 when a document holds nothing that can be used."""
    if reading.refused and not reading.signals:
        raise BadInput(f"{file.name}: {reading.refused[0].reason}")


def _signals_table(reading: Reading) -> Table:
    columns = ("event", "version", "kind", "title", "status", "precision", "countries")
    rows = [
        (s.source_id, s.version, s.kind, s.title, s.status, s.precision, " ".join(s.countries))
        for s in reading.signals
    ]
    return table("Signals", columns, rows)


def _refused_table(reading: Reading) -> list[Table]:
    rows = [(refused.reason,) for refused in reading.refused]
    return [table("Refused", ("reason",), rows)] if rows else []


def _alerts_table(incidents: tuple[Incident, ...]) -> Table:
    columns = (
        "severity",
        "title",
        "sites",
        "suppliers",
        "items",
        "survives",
        "recovers",
        "at risk",
    )
    rows = [
        (
            one.impact.severity, one.signal.title, " ".join(one.impact.exposure.sites),
            " ".join(one.impact.exposure.suppliers), len(one.impact.items),
            _days(one.impact.time_to_survive_days),
            _days(one.impact.time_to_recover_days), str(one.impact.revenue_at_risk),
        )
        for one in incidents
    ]  # fmt: skip
    return table("Alerts", columns, rows)


def _days(days: float) -> str:
    return f"{days:.0f} days" if math.isfinite(days) else "no end"


def _drafts_table(incidents: tuple[Incident, ...]) -> Table:
    columns = ("supplier", "item", "site", "units", "unit cost", "order by", "arrives", "saves")
    rows = [
        (
            draft.supplier, draft.item, draft.site, draft.quantity, str(draft.unit_cost),
            draft.order_by, draft.arrives, str(draft.loss_avoided),
        )
        for one in incidents
        for draft in one.drafts
    ]  # fmt: skip
    return table("Drafted purchase order lines", columns, rows)
