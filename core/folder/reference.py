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


def reference_page() -> str:
    """Returns the page as Markdown."""
    parts = [_INTRODUCTION, "## brand.toml\n", _rows(schemas()[SETTINGS])]
    for name in tables():
        parts += [f"## {name}\n", _rows(schemas()[name])]
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
