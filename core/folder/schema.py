"""The attribute table: one CSV drives the reader, the checks, the template and the reference."""

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

REQUIRED_TABLES = ("sites", "regions", "items")
SETTINGS = "brand"


@dataclass(frozen=True, slots=True)
class Attribute:
    """One column of one file of the brand folder.

    `type` names a parser of `core.folder.cells`; `refers` is `table.column` of the id it must name.
    """

    table: str
    name: str
    type: str
    unit: str
    default: str
    required: bool
    minimum: float | None
    maximum: float | None
    choices: tuple[str, ...]
    refers: str
    key: bool
    description: str


@dataclass(frozen=True, slots=True)
class TableSchema:
    """The columns of one file, in the order of the attribute table."""

    name: str
    attributes: tuple[Attribute, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of all columns."""
        return tuple(attribute.name for attribute in self.attributes)

    @property
    def key(self) -> tuple[str, ...]:
        """Columns that together name a row; empty where rows may repeat."""
        return tuple(attribute.name for attribute in self.attributes if attribute.key)

    @property
    def dated(self) -> bool:
        """Whether rows of one key follow each other in time through valid_from and valid_to."""
        return "valid_from" in self.columns

    def attribute(self, name: str) -> Attribute:
        """Returns one column; raises `KeyError` for a name that the table does not have."""
        for attribute in self.attributes:
            if attribute.name == name:
                return attribute
        raise KeyError(name)


@cache
def schemas() -> dict[str, TableSchema]:
    """Returns every table of the brand folder by name, and the keys of brand.toml as `brand`."""
    grouped: dict[str, list[Attribute]] = {}
    text = files("core.folder").joinpath("attributes.csv").read_text(encoding="utf-8")
    for row in csv.DictReader(text.splitlines()):
        grouped.setdefault(row["table"], []).append(_attribute(row))
    return {name: TableSchema(name, tuple(attributes)) for name, attributes in grouped.items()}


@cache
def tables() -> tuple[str, ...]:
    """Returns the names of the tables that are files of rows, in their order."""
    return tuple(name for name in schemas() if name != SETTINGS)


def _attribute(row: dict[str, str]) -> Attribute:
    return Attribute(
        table=row["table"],
        name=row["name"],
        type=row["type"],
        unit=row["unit"],
        default=row["default"],
        required=row["required"] == "yes",
        minimum=float(row["minimum"]) if row["minimum"] else None,
        maximum=float(row["maximum"]) if row["maximum"] else None,
        choices=tuple(row["choices"].split()),
        refers=row["refers"],
        key=row["key"] == "yes",
        description=row["description"],
    )
