"""The tables of the brand folder that a forecast reads: what is refused, and at which place."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

from core.folder.reader import check_folder, read_brand
from core.folder.reference import reference_page
from core.folder.writer import write_brand
from tests.builders import two_sites_one_item

OVERRIDES = "override,region,category,item,start,end,factor,units,who,made,why\n"
EVENTS = "event,start,end,region\n"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A brand that plans on 2026-09-07 and sells MUG of category kitchen in DE and TH."""
    path = tmp_path_factory.mktemp("brand")
    write_brand(two_sites_one_item(), path)
    return path


@pytest.fixture
def folder(written: Path, tmp_path: Path) -> Path:
    """That brand, to be changed."""
    return Path(shutil.copytree(written, tmp_path / "brand"))


def told(folder: Path) -> list[str]:
    return [str(problem) for problem in check_folder(folder).problems]


def test_all_of_them_are_read_from_text_as_well(folder: Path) -> None:
    for name, text in {
        "demand": "date,region,item,quantity,promotion,price\n2026-09-01,DE,MUG,2,0.1,12\n",
        "returns": "date,region,item,quantity\n2026-09-01,DE,MUG,2\n",
        "stockouts": "item,region,start,end\nMUG,,2026-08-01,2026-08-01\n",
        "events": EVENTS + "Tea day,2026-05-21,,*\nTea day,2035-05-21,,D*\n",
        "overrides": OVERRIDES
        + "A,*,kit*,M*,2026-10-01,2026-10-31,1.2,,Ann,2026-09-01,A fair\n"
        + "B,DE,*,MUG,2026-10-01,2026-10-31,,70,Ann,2026-09-01,A big order\n",
    }.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    brand = read_brand(folder)
    assert [len(brand.table(name)) for name in ("demand", "returns", "stockouts")] == [1, 1, 1]
    assert brand.table("events")["kind"].tolist() == ["demand"] * 2
    assert brand.table("overrides")["units"].tolist()[1] == 70


@pytest.mark.parametrize(
    ("table", "text", "problem"),
    [
        (
            "demand",
            "date,region,item,quantity\n2026-09-01,DE,MUG,-3\n",
            "2:4: units that came back belong to returns.parquet, as positive numbers",
        ),
        (
            "demand",
            "date,region,item,quantity\n"
            "2026-09-01,DE,MUG,3\n2026-09-01,TH,MUG,3\n2026-09-01,DE,MUG,1\n",
            "4:3: repeats the date, region, item of line 2; add the quantities of a day up",
        ),
        (
            "returns",
            "date,region,item,quantity\n2026-09-01,FR,MUG,3\n",
            "2:2: unknown region 'FR'; accepted: DE, TH",
        ),
        (
            "returns",
            "date,region,item,quantity\n2026-09-01,DE,MUGS,3\n",
            "2:3: unknown item 'MUGS'; did you mean MUG?",
        ),
        (
            "demand",
            "date,region,item,quantity\n2029-09-07,DE,MUG,3\n2029-09-08,DE,MUG,3\n",
            "3:1: expected a day from 1990-01-01 to 2029-09-07, "
            "3 years after today of brand.toml, got 2029-09-08",
        ),
        (
            "demand",
            "date,region,item,quantity\n1990-01-01,DE,MUG,3\n1989-12-31,DE,MUG,3\n",
            "3:1: expected a day from 1990-01-01 to 2029-09-07, "
            "3 years after today of brand.toml, got 1989-12-31",
        ),
        (
            "orders",
            "order,line,placed_at,region,item,quantity\nA,1,2106-09-01T10:00:00Z,DE,MUG,3\n",
            "2:3: expected a day from 1990-01-01 to 2029-09-07, "
            "3 years after today of brand.toml, got 2106-09-01",
        ),
        (
            "stockouts",
            "item,region,start,end\nMUG,DE,2026-08-02,2026-08-01\n",
            "2:4: expected a day on or after start",
        ),
        (
            "stockouts",
            "item,region,start,end\nMUG,FR,2026-08-01,2026-08-01\n",
            "2:2: unknown region 'FR'; accepted: DE, TH",
        ),
        (
            "events",
            EVENTS + "Tea day,2026-08-02,2026-08-01,*\n",
            "2:3: expected a day on or after start",
        ),
        (
            "events",
            EVENTS + "Tea day,2026-08-02,,D\n",
            "2:4: 'D' matches nothing; did you mean DE?",
        ),
        (
            "overrides",
            OVERRIDES + "A,*,*,MUG,2026-10-02,2026-10-01,1.2,,Ann,2026-09-01,A fair\n",
            "2:6: expected a day on or after start",
        ),
        (
            "overrides",
            OVERRIDES + "A,*,*,MUG,2026-10-01,2026-10-02,1.2,5,Ann,2026-09-01,A fair\n",
            "2:7: expected either a factor or units",
        ),
        (
            "overrides",
            OVERRIDES + "A,*,*,MUG,2026-10-01,2026-10-02,,,Ann,2026-09-01,A fair\n",
            "2:7: expected either a factor or units",
        ),
        (
            "overrides",
            OVERRIDES + "A,US-*,*,MUG,2026-10-01,2026-10-02,,5,Ann,2026-09-01,A fair\n",
            "2:2: 'US-*' matches nothing; accepted: DE, TH",
        ),
        (
            "overrides",
            OVERRIDES + "A,*,kitchn,*,2026-10-01,2026-10-02,,5,Ann,2026-09-01,A fair\n",
            "2:3: 'kitchn' matches nothing; did you mean kitchen?",
        ),
        (
            "overrides",
            OVERRIDES + "A,*,*,M?G,2026-10-01,2026-10-02,,5,Ann,2026-09-01,A fair\n",
            "2:4: 'M?G' matches nothing; did you mean MUG?",
        ),
    ],
)
def test_what_makes_no_sense_is_told_at_its_place(
    folder: Path, table: str, text: str, problem: str
) -> None:
    (folder / f"{table}.csv").write_text(text, encoding="utf-8")
    assert f"{table}.csv:{problem}" in told(folder)


def test_an_override_whose_item_is_of_another_category_matches_nothing(folder: Path) -> None:
    """Each glob matches something, but nothing matches both."""
    items = pd.read_csv(folder / "items.csv")
    other = items.assign(item="LAMP", category="light")
    pd.concat([items, other]).to_csv(folder / "items.csv", index=False)
    row = "A,*,light,MUG,2026-10-01,2026-10-02,,5,Ann,2026-09-01,A fair\n"
    (folder / "overrides.csv").write_text(OVERRIDES + row)
    assert told(folder) == [
        "overrides.csv:2:4: no item like 'MUG' has a category like 'light'",
    ]


def test_every_repeat_names_the_first_line_of_its_own_key(folder: Path) -> None:
    """Two keys that repeat, one of them twice, between rows that stand alone."""
    rows = ["08-05,DE", "08-01,DE", "08-02,TH", "08-01,DE", "08-03,DE", "08-02,TH", "08-01,DE"]
    text = "".join(f"2026-{row},MUG,1\n" for row in rows)
    (folder / "demand.csv").write_text("date,region,item,quantity\n" + text)
    found = [line.partition(" of line ") for line in told(folder)]
    assert [(start.split(":")[1], line.partition(";")[0]) for start, _, line in found] == [
        ("5", "3"), ("7", "4"), ("8", "3"),
    ]  # fmt: skip


def test_the_reference_explains_the_tables_that_a_forecast_reads() -> None:
    page = reference_page()
    for name in ("demand", "returns", "stockouts", "events", "overrides"):
        section = page.partition(f"## {name}\n")[2]
        assert not section.lstrip().startswith("|"), name
