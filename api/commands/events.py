"""`entrepot events`: what will move demand in the regions, and which sites will stand still."""

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from api.commands.output import emit, json_option, table
from core.brand import Brand
from core.errors import BadInput
from core.folder.reader import read_brand
from inventory.demand.calendar import YOURS, Calendar, Shutdown, Span

MOST_WEEKS = 520
"""A decade: the dates of moon feasts are known for longer."""


@dataclass(frozen=True, slots=True)
class Listing:
    """The events of some regions and the stops of all sites over a stretch of days."""

    version: str
    spans: tuple[tuple[str, Span], ...]
    stops: tuple[Shutdown, ...]

    def as_json(self) -> dict[str, Any]:
        """Returns the JSON document."""
        return {
            "version": self.version,
            "events": [_event(region, span) for region, span in self.spans],
            "shutdowns": [_shutdown(stop) for stop in self.stops],
        }

    def tables(self) -> list[Table]:
        """Returns a table of events and one of shutdowns, both readable at 80 columns."""
        events = [
            [region, span.name, str(span.start), str(span.end), _note(span)]
            for region, span in self.spans
        ]
        stops = [[stop.site, stop.name, str(stop.start), str(stop.end)] for stop in self.stops]
        return [
            table("Events", ("region", "event", "start", "end", "note"), events),
            table("Shutdowns", ("site", "event", "start", "end"), stops),
        ]


@click.command("events")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--weeks", type=click.IntRange(1, MOST_WEEKS), help="Weeks ahead; the brand's horizon if empty."
)
@click.option("--region", help="Only this region.")
@json_option
def command(folder: Path, weeks: int | None, region: str | None, as_json: bool) -> None:
    """Lists the events of each region of a brand folder, and when sites and suppliers stand still.

    From the planning date to the end of the weeks that a forecast would cover.
    """
    brand = read_brand(folder)
    found = listing(brand, weeks or brand.horizon_weeks, region)
    emit(found.as_json(), as_json, *found.tables())


def listing(brand: Brand, weeks: int, region: str | None = None) -> Listing:
    """Returns what is coming from the planning date to the end of that many whole weeks.

    Raises `BadInput` for a region that the brand does not have.
    """
    calendar = Calendar.of(brand)
    regions = [name for name, _ in calendar.regions]
    if region is not None and region not in regions:
        raise BadInput(f"Expected --region to be one of {', '.join(regions)}, got {region}.")
    first, last = brand.today, _end(brand.today, weeks)
    spans = [
        (name, span)
        for name in ([region] if region is not None else regions)
        for span in calendar.spans(name, first, last)
    ]
    return Listing(calendar.version, tuple(spans), tuple(calendar.shutdowns(first, last)))


def _end(today: date, weeks: int) -> date:
    """Returns the Sunday that ends the last of the weeks, which begin on the next Monday."""
    monday = today + timedelta(days=7 - today.weekday())
    return monday + timedelta(days=7 * weeks - 1)


def _event(region: str, span: Span) -> dict[str, Any]:
    return {
        "region": region, "event": span.name, "start": str(span.start), "end": str(span.end),
        "estimated": span.estimated, "source": span.source,
    }  # fmt: skip


def _shutdown(stop: Shutdown) -> dict[str, str]:
    return {
        "site": stop.site, "event": stop.name, "start": str(stop.start), "end": str(stop.end),
    }  # fmt: skip


def _note(span: Span) -> str:
    if span.estimated:
        return "estimated"
    return "yours" if span.source == YOURS else ""
