"""Documents: what stands beside the tables: README, a sample order, scenarios."""

import json
from importlib.resources import files
from pathlib import Path
from string import Template

import pandas as pd

from core.brand import Brand
from core.clock import rfc3339
from examples.online_retail.build import Example

HUB = "DE-HAM"
SAMPLE_LINES = (3, 6)
SAMPLE_UNITS = 24

SUEZ_CLOSED = """\
name = "Suez closed"
note = "Ships between Asia and Europe sail around Africa; only what travels by sea feels it."

[[override]]
passage = "suez"
status = "closed"
from = 2011-09-12
to = 2011-12-05
"""

US_DEMAND_UP = """\
name = "US demand up 30 %"
note = "A campaign in North America works."

[[override]]
demand = { region = "US-*" }
factor = 1.3
"""

HAMBURG_HALF = """\
name = "Hamburg at half capacity"
note = "One of two shifts is missing: half of the units a week leave the central warehouse."

[[override]]
site = "DE-HAM"
outbound_units = $units
"""


def write_documents(example: Example, folder: Path) -> None:
    """Writes everything that is not a table of the brand folder."""
    (folder / "README.md").write_text(readme(example), encoding="utf-8")
    (folder / "ORDER.json").write_text(sample_order(example.brand), encoding="utf-8")
    (folder / "scenarios").mkdir(exist_ok=True)
    for name, text in scenarios(example.brand).items():
        (folder / "scenarios" / name).write_text(text, encoding="utf-8")


def scenarios(brand: Brand) -> dict[str, str]:
    """Returns the scenario files by name."""
    sites = brand.table("sites").set_index("site")
    half = round(float(str(sites.loc[HUB, "outbound_units"])) / 2)
    return {
        "suez-closed.toml": SUEZ_CLOSED,
        "us-demand-up.toml": US_DEMAND_UP,
        "hamburg-half-capacity.toml": Template(HAMBURG_HALF).substitute(units=half),
    }


def sample_order(brand: Brand) -> str:
    """Returns the first small home order after the planning date, as the API takes it."""
    lines = _sample_lines(brand)
    document = {
        "order": str(lines["order"].iloc[0]),
        "region": str(lines["region"].iloc[0]),
        "placed_at": rfc3339(lines["placed_at"].iloc[0].to_pydatetime()),
        "currency": brand.currency,
        "lines": [
            {
                "line": int(row["line"]),
                "item": str(row["item"]),
                "quantity": int(row["quantity"]),
                "price": {"amount": round(float(row["price"]) * 100), "currency": brand.currency},
            }
            for row in lines.to_dict("records")
        ],
    }
    return json.dumps(document, indent=2) + "\n"


def _sample_lines(brand: Brand) -> pd.DataFrame:
    """Returns the lines of one order; the first of the day where none is small."""
    orders = brand.table("orders")
    later = orders[(orders["placed_at"] >= pd.Timestamp(brand.today, tz="UTC"))]
    if later.empty:
        later = orders
    by_order = later.groupby("order", sort=False)
    lines, most = by_order["line"].transform("size"), by_order["quantity"].transform("max")
    small = lines.between(*SAMPLE_LINES) & (most <= SAMPLE_UNITS) & (later["region"] == "GB")
    picked = later[small] if small.any() else later
    first: pd.DataFrame = picked[picked["order"] == picked["order"].iloc[0]]
    return first


def readme(example: Example) -> str:
    """Returns the README of the written folder with its rules and counts."""
    brand, sales = example.brand, example.sales
    text = files("examples.online_retail").joinpath("data", "folder_readme.md").read_text("utf-8")
    sold = brand.table("orders")
    counts = [f"| {lines:,} | {reason}: left out |" for reason, lines in sales.set_aside.items()]
    return Template(text).substitute(
        today=brand.today.isoformat(),
        rules_date=brand.rules_date.isoformat(),
        weeks=brand.horizon_weeks,
        lines=f"{sales.lines:,}",
        sorted="\n".join(counts),
        sold=f"{len(sales.sold):,}",
        returned=f"{len(sales.returned):,}",
        items=len(brand.table("items")),
        units=f"{int(sold['quantity'].sum()):,}",
        orders=f"{sold['order'].nunique():,}",
        returned_units=f"{int(brand.table('returns')['quantity'].sum()):,}",
        units_per_week=f"{example.outlook.units_per_week:,.0f}",
    )
