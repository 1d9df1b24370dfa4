from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.brand import Brand
from core.errors import BadInput
from core.folder.columns import blank
from core.folder.reader import check_folder, read_brand
from core.folder.schema import schemas, tables
from core.folder.workbook import check_workbook, template
from core.folder.writer import complete, write_brand
from tests.builders import two_sites_one_item


def same(one: Brand, other: Brand) -> bool:
    settings = all(
        getattr(one, name) == getattr(other, name)
        for name in one.__slots__
        if name not in ("tables", "files")
    )
    return settings and all(one.table(name).equals(other.table(name)) for name in tables())


def test_a_written_brand_reads_back_the_same(tmp_path: Path) -> None:
    brand = two_sites_one_item()
    write_brand(brand, tmp_path)
    assert same(read_brand(tmp_path), brand)


def test_csv_and_parquet_read_alike(tmp_path: Path) -> None:
    brand = two_sites_one_item()
    write_brand(brand, tmp_path)
    brand.table("forecast").to_csv(tmp_path / "forecast.csv", index=False)
    (tmp_path / "forecast.parquet").unlink()
    assert same(read_brand(tmp_path), brand)


def test_two_files_for_one_table_are_a_problem(tmp_path: Path) -> None:
    write_brand(two_sites_one_item(), tmp_path)
    two_sites_one_item().table("forecast").to_csv(tmp_path / "forecast.csv", index=False)
    assert "same table" in str(check_folder(tmp_path).problems[0])


def test_every_table_has_defaults_that_it_accepts() -> None:
    for name in tables():
        assert complete(name, blank(name)).equals(blank(name))
        for attribute in schemas()[name].attributes:
            assert not (attribute.required and attribute.default), attribute


def test_every_reference_names_a_column_that_exists() -> None:
    for schema in schemas().values():
        for attribute in schema.attributes:
            if attribute.refers:
                table, column = attribute.refers.split(".")
                assert column in schemas()[table].columns


BRAND = 'name = "Faulty"\ncurrency = "EUR"\ntoday = 2026-09-01\nhorizon_week = 13\n'
FAULTY = {
    "brand.toml": BRAND,
    "sites.csv": (
        "site,tier,country,latitude,longitude,time_zone,outbound_units\n"
        "A,central,DE,53.5,10,Europe/Berlin,100\n"
        "B,forwards,TH,13.7,100.5,Asia/Bangkok,\n"
        "C,bonded,XX,22.5,114.0,Asia/Shanghai,\n"
        "D,central,US,133.7,-118.2,America/Los_Angelos,NaN\n"
    ),
    "regions.csv": "region,country,latitude,longitude\nDE,DE,50,10\nDE,DE,51,10\n",
    "items.csv": "item,weight_kg,value,colour\nI1,heavy,10,red\nI2,0.5,inf,\nI3,,3,\n",
    "stock.csv": "site,item,on_hand\nA,I1,-5\nA,I9,4\nZ,I1,2.5\n",
    "rates.csv": (
        "service,site,region,weight_from_kg,weight_to_kg,transit_days,valid_from,valid_to\n"
        "EXP,A,DE,0,5,2,2026-01-01,2026-06-30\n"
        "EXP,A,DE,0,5,2,2026-06-30,2026-12-31\n"
        "EXP,A,DE,8,8,2,01.02.2026,\n"
    ),
    "duties.csv": "destination,duty_rate,valid_from\nEU,0.05\n",
    "stok.csv": "site,item,on_hand\n",
}
EXPECTED = [
    "brand.toml:4:1: unknown key 'horizon_week'; did you mean horizon_weeks?",
    "duties.csv:2:0: expected 3 cells, got 2",
    "duties.csv:2:3: valid_from is required; it is empty or not a number",
    "items.csv:1:4: unknown column 'colour'",
    "items.csv:2:2: expected a number such as 12.5, got 'heavy'",
    "items.csv:3:3: expected an amount such as 12.50, got 'inf'",
    "items.csv:4:2: weight_kg is required; it is empty",
    "services.csv:0:0: file is missing; rates.csv refers to it by service",
    "rates.csv:3:7: dates overlap with line 2, which has the same key",
    "rates.csv:4:5: expected more than weight_from_kg",
    "rates.csv:4:7: expected a date such as 2026-07-01, from 1900 to 2199, got '01.02.2026'",
    "regions.csv:3:1: repeats the region of line 2",
    "sites.csv:3:2: expected one of central, forward, bonded, return, supplier, port, got 'forwar",
    "sites.csv:4:3: expected an ISO 3166-1 alpha-2 code such as DE, got 'XX'",
    "sites.csv:5:4: expected at most 90, got 133.7",
    "sites.csv:5:6: expected an IANA time zone such as Europe/Berlin, got 'America/Los_Angelos'",
    "sites.csv:5:7: expected a number such as 12.5, got 'NaN'",
    "stock.csv:2:3: expected at least 0, got -5",
    "stock.csv:3:2: unknown item 'I9'; did you mean",
    "stock.csv:4:1: unknown site 'Z'",
    "stock.csv:4:3: expected a whole number, got '2.5'",
    "stok.csv:0:0: unknown file; did you mean stock?",
]


def test_every_planted_fault_is_listed_at_its_place(tmp_path: Path) -> None:
    for name, text in FAULTY.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    told = [str(problem) for problem in check_folder(tmp_path).problems]
    for expected in EXPECTED:
        assert any(line.startswith(expected) for line in told), expected


@pytest.mark.parametrize("missing", ["brand.toml", "sites.csv", "regions.csv", "items.csv"])
def test_a_missing_required_file_is_named(tmp_path: Path, missing: str) -> None:
    write_brand(two_sites_one_item(), tmp_path)
    (tmp_path / missing).unlink()
    with pytest.raises(BadInput, match=f"{missing}:0:0: file is missing"):
        read_brand(tmp_path)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("name = ", "brand.toml:1:"),
        ('name = "a"\ncurrency = "EURO"\ntoday = 2026-01-01\n', "brand.toml:2:1: expected an ISO"),
        ('name = "a"\ncurrency = "EUR"\ntoday = "soon"\n', "brand.toml:3:1: expected a date"),
    ],
)
def test_broken_settings_say_where(tmp_path: Path, text: str, problem: str) -> None:
    write_brand(two_sites_one_item(), tmp_path)
    (tmp_path / "brand.toml").write_text(text)
    assert any(str(one).startswith(problem) for one in check_folder(tmp_path).problems)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "file is empty"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (b'site,item,on_hand\n"A,I1,5\n', "broken CSV"),
        (b"site,site,on_hand\nA,A,5\n", "stands twice"),
        (b"site,item,on_hand\nA,I1,5,6\n", "expected 3 cells, got 4"),
    ],
)
def test_a_broken_file_is_a_problem_not_a_crash(
    tmp_path: Path, content: bytes, problem: str
) -> None:
    write_brand(two_sites_one_item(), tmp_path)
    (tmp_path / "stock.csv").write_bytes(content)
    assert any(problem in str(one) for one in check_folder(tmp_path).problems)


def test_a_parquet_file_that_is_none_is_a_problem(tmp_path: Path) -> None:
    write_brand(two_sites_one_item(), tmp_path)
    (tmp_path / "demand.parquet").write_bytes(b"PAR1nonsense")
    assert "demand.parquet:0:0: not a Parquet file" in str(check_folder(tmp_path).problems[0])


def test_parquet_cells_are_checked_like_csv_cells(tmp_path: Path) -> None:
    write_brand(two_sites_one_item(), tmp_path)
    frame = pd.DataFrame(
        {
            "date": [pd.Timestamp("2026-01-01"), pd.NaT, pd.Timestamp("2026-01-02")],
            "region": ["DE", "DE", "FR"],
            "item": ["MUG", "MUG", "MUG"],
            "quantity": [1.0, -2.0, float("inf")],
        }
    )
    frame.to_parquet(tmp_path / "demand.parquet")
    told = [str(problem) for problem in check_folder(tmp_path).problems]
    for place in ("2:1: date is required", "2:4: expected at least 0", "3:2: unknown region 'FR'"):
        assert any(line.startswith(f"demand.parquet:{place}") for line in told), told
    assert any(line.startswith("demand.parquet:3:4: expected a number") for line in told)


def test_many_problems_are_counted_but_not_all_listed(tmp_path: Path) -> None:
    write_brand(two_sites_one_item(), tmp_path)
    rows = "".join("DE-HAM,MUG,x\n" for _ in range(5000))
    (tmp_path / "stock.csv").write_text("site,item,on_hand\n" + rows)
    checked = check_folder(tmp_path)
    assert checked.total >= 5000
    assert len(checked.problems) <= 2500


def test_a_filled_template_becomes_a_brand(tmp_path: Path) -> None:
    book = template()
    book["brand"].append(["Book brand", "EUR", "2026-09-01"])
    book["sites"].append(["A", "", "central", "DE", 53.5, 10])
    book["regions"].append(["DE", "", "DE", 50, 10])
    book["items"].append(["I1", "", "", 0.5, None, None, None, None, 10])
    book.save(tmp_path / "brand.xlsx")
    checked = check_workbook(tmp_path / "brand.xlsx")
    assert checked.problems == ()
    assert checked.brand is not None
    assert checked.brand.table("items")["value"].tolist() == [10.0]


def test_a_workbook_problem_names_sheet_row_and_column(tmp_path: Path) -> None:
    book = template()
    book["brand"].append(["Book brand", "EUR", "2026-09-01"])
    book["sites"].append(["A", "", "middle", "DE", 53.5, 10])
    book.save(tmp_path / "brand.xlsx")
    told = [str(problem) for problem in check_workbook(tmp_path / "brand.xlsx").problems]
    assert any(line.startswith("sites:2:3: expected one of") for line in told)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_brand(two_sites_one_item(), tmp_path)
    return tmp_path


def told_of(folder: Path) -> list[str]:
    return [str(problem) for problem in check_folder(folder).problems]


def test_a_table_that_is_no_file_is_a_problem(folder: Path) -> None:
    """A folder, a dangling link or a loop of links named like a table ended as a raw OSError."""
    (folder / "fx.csv").mkdir()
    (folder / "surveys.csv").symlink_to(folder / "nowhere.csv")
    (folder / "zones.csv").symlink_to(folder / "zones.csv")
    assert [line.partition(";")[0] for line in told_of(folder)] == [
        f"{name}.csv:0:0: not a file" for name in ("fx", "surveys", "zones")
    ]


@pytest.mark.parametrize("kind", [pa.string(), pa.binary(), pa.dictionary(pa.int32(), pa.string())])
def test_parquet_text_that_is_not_utf_8_is_a_problem_of_its_column(
    folder: Path, kind: pa.DataType
) -> None:
    """Bytes that are not UTF-8 in a text column ended as a UnicodeDecodeError."""
    text = kind.value_type if pa.types.is_dictionary(kind) else kind
    broken = pa.Array.from_buffers(
        text,
        1,
        [None, pa.py_buffer(np.array([0, 2], np.int32).tobytes()), pa.py_buffer(b"\xff\xfe")],
    )
    if kind != text:
        broken = pa.DictionaryArray.from_arrays(pa.array([0], pa.int32()), broken, safe=False)
    table = pa.table({"date": ["2026-01-01"], "region": broken, "item": ["MUG"], "quantity": [1.0]})
    pq.write_table(table, folder / "demand.parquet")
    assert told_of(folder)[0].startswith("demand.parquet:0:")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("a=" + "[" * 20_000, "brand.toml:1:0: broken TOML: brackets nest too deeply"),
        ("a=" + "1" * 5000, "brand.toml:1:0: broken TOML: a number has too many digits"),
        ("horizon_weeks=0x" + "f" * 5000, "brand.toml:1:1: expected a whole number"),
    ],
)
def test_settings_that_overwhelm_the_parser_are_a_problem(
    folder: Path, line: str, problem: str
) -> None:
    """Deep brackets ended as a RecursionError, long numbers as a ValueError."""
    (folder / "brand.toml").write_text(line + "\n")
    assert any(one.startswith(problem) for one in told_of(folder)), told_of(folder)


@pytest.mark.parametrize(
    ("table", "text", "problem"),
    [
        ("fx", "currency,date,rate\nUSD,2026-01-01,0\n", "2:3: expected at least 1e-09, got 0"),
        ("fx", "currency,date,rate\nUSD,1899-12-31,1\n", "2:2: expected a date"),
        ("fx", "currency,date,rate\nUSD,2200-01-01,1\n", "2:2: expected a date"),
        ("fx", "currency,date,rate\nUSD,2026-01-01,\u0661\n", "2:3: expected a number"),
        ("fx", "currency,date,rate\nUSD,\u0662026-01-01,1\n", "2:2: expected a date"),
        ("stock", "site,item,on_hand\nDE-HAM,MUG,1e15\n", "2:3: expected at most 1e+09, got 1e15"),
        (
            "orders",
            "order,line,placed_at,region,item,quantity\nA,1,1000-01-01T00:00:00Z,DE,MUG,1\n",
            "2:3: expected a moment",
        ),
    ],
)
def test_values_that_no_later_command_could_use_are_refused(
    folder: Path, table: str, text: str, problem: str
) -> None:
    """A rate of 0, days beyond calendars and digits of other scripts passed and failed later."""
    (folder / f"{table}.csv").write_text(text, encoding="utf-8")
    assert any(one.startswith(f"{table}.csv:{problem}") for one in told_of(folder)), told_of(folder)


def test_parquet_days_beyond_the_calendar_are_refused(folder: Path) -> None:
    """Only text was held to the calendar: dates that Parquet brings as such would pass."""
    days = pd.Series(pd.to_datetime(["2026-01-01", "2500-01-01"]).astype("datetime64[s]"))
    frame = pd.DataFrame({"date": days, "region": "DE", "item": "MUG", "quantity": 1.0})
    frame.to_parquet(folder / "demand.parquet")
    assert [line[:32] for line in told_of(folder)] == ["demand.parquet:2:1: expected a d"]


def test_the_last_day_of_the_calendar_is_accepted(folder: Path) -> None:
    """The bounds themselves are days that a brand may name."""
    (folder / "fx.csv").write_text("currency,date,rate\nUSD,1900-01-01,1\nUSD,2199-12-31,1e-9\n")
    assert told_of(folder) == []


@pytest.mark.parametrize("name", ["Fx.csv", "fx.CSV", "FX.Csv"])
def test_a_file_in_the_wrong_case_is_told(folder: Path, name: str) -> None:
    """`Items.CSV` was ignored silently where file names keep their case."""
    (folder / name).write_text("currency,date,rate\n")
    assert told_of(folder) == [f"{name}:0:0: unknown file; did you mean fx.csv?"]


@pytest.mark.parametrize("content", [b"\0" * 1000, b"", b"\xff", b"name\nMug\n"])
def test_a_garbage_file_is_named_and_not_the_files_that_refer_to_it(
    folder: Path, content: bytes
) -> None:
    """A garbage items.csv made the first problems name the files whose items it should hold."""
    (folder / "items.csv").write_bytes(content)
    told = told_of(folder)
    assert told
    assert all(line.startswith("items.csv:") for line in told), told


@pytest.mark.parametrize("part", ["xl/workbook.xml", "xl/worksheets/sheet1.xml"])
def test_a_workbook_with_damaged_xml_is_bad_input(tmp_path: Path, part: str) -> None:
    """A zip with broken XML ended as a ParseError."""
    template().save(tmp_path / "good.xlsx")
    with ZipFile(tmp_path / "good.xlsx") as good, ZipFile(tmp_path / "bad.xlsx", "w") as bad:
        for name in good.namelist():
            bad.writestr(name, b"<broken" if name == part else good.read(name))
    with pytest.raises(BadInput, match=r"bad\.xlsx:0:0: not a workbook"):
        check_workbook(tmp_path / "bad.xlsx")


def _forecast(folder: Path, mean: float, quantiles: list[float]) -> list[str]:
    header = "start,region,item,mean,p05,p25,p50,p75,p90,p95"
    cells = ",".join(str(cell) for cell in (mean, *quantiles))
    (folder / "forecast.parquet").unlink(missing_ok=True)
    (folder / "forecast.csv").write_text(f"{header}\n2026-09-07,DE,MUG,{cells}\n", "utf-8")
    return told_of(folder)


@pytest.mark.parametrize(
    ("mean", "quantiles"),
    [
        (30, [0, 200, 500, 750, 900, 1000]),
        (10_000, [0, 10, 20, 30, 50, 60]),
        (5_000, [0, 0, 0, 0, 0, 0]),
        (0, [90, 95, 100, 105, 110, 120]),
    ],
)
def test_a_mean_that_no_demand_with_these_quantiles_has_is_told_at_its_place(
    folder: Path, mean: float, quantiles: list[float]
) -> None:
    """A mean of 30 beside a median of 500 once made every unit of demand unlikely, in silence."""
    (told,) = _forecast(folder, mean, quantiles)
    assert told.startswith("forecast.csv:2:4: expected a mean from ")
    assert told.endswith("correct the mean or the quantiles")


@pytest.mark.parametrize("law", ["poisson", "rare", "lognormal", "even"])
@pytest.mark.parametrize("scale", [0.3, 4.0, 900.0])
def test_the_mean_of_every_usual_demand_is_accepted(folder: Path, law: str, scale: float) -> None:
    rng = np.random.default_rng(5)
    drawn = {
        "poisson": rng.poisson(scale, 20_000),
        "rare": rng.poisson(scale, 20_000) * (rng.random(20_000) < 0.04),
        "lognormal": scale * rng.lognormal(0.0, 1.5, 20_000),
        "even": scale * rng.random(20_000),
    }[law]
    quantiles = np.quantile(drawn, [0.05, 0.25, 0.5, 0.75, 0.9, 0.95])
    assert _forecast(folder, float(drawn.mean()), quantiles.tolist()) == []


def test_a_table_remembers_the_file_that_it_came_from(folder: Path) -> None:
    frame = pd.read_parquet(folder / "forecast.parquet")
    assert read_brand(folder).file("forecast") == "forecast.parquet"
    frame.to_csv(folder / "forecast.csv", index=False)
    (folder / "forecast.parquet").unlink()
    brand = read_brand(folder)
    assert (brand.file("forecast"), brand.file("demand"), brand.file("offers")) == (
        "forecast.csv", "demand.parquet", "offers.csv",
    )  # fmt: skip
