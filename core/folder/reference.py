"""The reference page of the brand folder, written from the attribute table."""

from core.folder.cells import accepts
from core.folder.schema import SETTINGS, Attribute, TableSchema, schemas, tables

_INTRODUCTION = """\
# The brand folder

A brand folder holds one brand: its network, its stock, its demand. Every command reads it, and
`entrepot check FOLDER` lists all that is wrong with it. Files are CSV (UTF-8, a header row, ISO
dates, `.` decimals) or Parquet under the same name; `brand.toml`, `sites`, `regions` and `items`
are required. Problems stand as `file:line:column: problem`: the column counts cells from the left,
0 means the row or the file as a whole. This page is written from the attribute table that also
drives the reader and the workbook template.
"""


_NOTES = {
    "demand": """\
What was asked for, one row per day, region and item; days without demand need none. Rows after
`today` keep their quantity hidden from planning, while their promotion and price are the plan for
those days. Without this file demand is counted from `orders`, each on the day that the clocks of
its region showed. A forecast looks back at most five years.
""",
    "returns": """\
Units that came back, one row per day, region and item. They are forecast as their own series and
never subtracted from demand.
""",
    "stockouts": """\
Days on which an item could not be sold: its demand is unknown then, not zero. A week counts as
unknown when at least four of its days are covered.
""",
    "events": """\
Days that a brand knows of beside the built-in events.
""",
    "overrides": """\
What people decide about coming demand. All globs of a row have to match, and each must match
something; of two overrides of the same cell the later one wins.
""",
}


def reference_page() -> str:
    """Returns the page as Markdown."""
    parts = [_INTRODUCTION, "## brand.toml\n", _rows(schemas()[SETTINGS])]
    for name in tables():
        note = [_NOTES[name]] if name in _NOTES else []
        parts += [f"## {name}\n", *note, _rows(schemas()[name])]
    return "\n".join(parts)


def _rows(schema: TableSchema) -> str:
    head = "| column | accepts | unit | default | |\n| --- | --- | --- | --- | --- |\n"
    return head + "".join(_row(attribute) for attribute in schema.attributes)


def _row(attribute: Attribute) -> str:
    name = f"**{attribute.name}**" if attribute.required else attribute.name
    limits = "".join(
        f", {word} {limit:g}"
        for word, limit in (("at least", attribute.minimum), ("at most", attribute.maximum))
        if limit is not None
    )
    told = f"{accepts(attribute)}{limits}"
    return (
        f"| {name} | {told} | {attribute.unit} | {attribute.default} | {attribute.description} |\n"
    )
