"""Migrations lead to exactly the tables that the code declares, on both databases."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, inspect, text

from api.database import engine_for
from api.migrations import schema
from api.tables import RECORDS, create_tables, metadata
from tests.postgres import PostgresServer

ROOMS = ("api", "carriers", "inventory", "routing", "simulations", "warehouses")


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def bare(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A database without tables."""
    if request.param == "sqlite":
        engine = engine_for(f"sqlite:///{tmp_path / 'bare.sqlite'}")
    else:
        server: PostgresServer = request.getfixturevalue("postgres")
        server.run("CREATE DATABASE bare")
        engine = engine_for(server.url("bare"))
    yield engine
    engine.dispose()
    if request.param == "postgres":
        server.run("DROP DATABASE bare WITH (FORCE)")


def checks(engine: Engine) -> dict[str, set[str]]:
    """Names of the CHECK constraints of each table, which Alembic does not compare."""
    found = inspect(engine)
    return {
        table: {str(check["name"]) for check in found.get_check_constraints(table)}
        for table in metadata().tables
    }


def test_every_module_of_records_is_registered() -> None:
    root = Path(__file__).parents[2]
    found = {
        ".".join(path.relative_to(root).with_suffix("").parts)
        for room in ROOMS
        for path in (root / room).rglob("records.py")
    }
    assert {module.__name__ for module in RECORDS} == found


def test_migrations_end_at_the_declared_tables(bare: Engine, tmp_path: Path) -> None:
    schema.upgrade(bare)
    with bare.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata()) == []
    declared = engine_for(f"sqlite:///{tmp_path / 'declared.sqlite'}")
    create_tables(declared)
    assert checks(bare) == checks(declared)
    declared.dispose()


def test_migrating_twice_changes_nothing(bare: Engine) -> None:
    schema.upgrade(bare)
    before = schema.current(bare)
    schema.upgrade(bare)
    assert schema.current(bare) == before == schema.newest()


def test_the_rows_of_older_forecasts_move_to_the_table_of_parts(bare: Engine) -> None:
    """They stay readable when forecasts begin to be kept in parts, and after going back."""
    moved = "SELECT forecast, number, last_item, content FROM forecast_part"
    _migrate(bare, "0002")
    with bare.begin() as connection:
        for forecast, frame in (("fct_a", b"rows"), ("fct_b", None)):
            connection.execute(
                text(
                    "INSERT INTO forecast (id, brand_version, weeks, seed, origins, job,"
                    " created_at, frame) VALUES (:id, 'v', 1, 0, 0, 'job', '2026-09-07', :frame)"
                ),
                {"id": forecast, "frame": frame},
            )
    schema.upgrade(bare)
    with bare.connect() as connection:
        (row,) = connection.execute(text(moved)).all()
        assert (*row[:3], bytes(row[3])) == ("fct_a", 0, "", b"rows")
    _migrate(bare, "0002")
    with bare.connect() as connection:
        kept = connection.execute(text("SELECT id, frame FROM forecast ORDER BY id")).all()
    assert [(name, frame and bytes(frame)) for name, frame in kept] == [
        ("fct_a", b"rows"), ("fct_b", None),
    ]  # fmt: skip


def _migrate(engine: Engine, revision: str) -> None:
    """Takes a database to one schema, up or down."""
    with schema._migrating(engine) as connection:
        config = schema._config(None)
        config.attributes["connection"] = connection
        up = MigrationContext.configure(connection).get_current_revision() is None
        (command.upgrade if up else command.downgrade)(config, revision)


def test_an_empty_sqlite_file_is_migrated_unasked_and_postgresql_is_not(bare: Engine) -> None:
    if bare.dialect.name == "postgresql":
        with pytest.raises(schema.SchemaBehind):
            schema.ensure(bare)
        return
    schema.ensure(bare)
    assert schema.current(bare) == schema.newest()


def test_a_database_with_tables_of_an_older_schema_is_left_alone(bare: Engine) -> None:
    with bare.begin() as connection:
        connection.execute(text("CREATE TABLE something (id INTEGER)"))
    with pytest.raises(schema.SchemaBehind):
        schema.ensure(bare)
    assert inspect(bare).get_table_names() == ["something"]


def test_a_failing_migration_leaves_the_schema_as_it_was(bare: Engine, tmp_path: Path) -> None:
    versions = tmp_path / "versions"
    versions.mkdir()
    schema.draft("Initial schema", versions)
    schema.upgrade(bare, versions)
    (versions / "0002_breaks.py").write_text(
        "from alembic import op\n"
        "revision, down_revision = '0002', '0001'\n"
        "branch_labels = depends_on = None\n"
        "def upgrade():\n"
        "    op.execute('CREATE TABLE half (id INTEGER)')\n"
        "    raise RuntimeError('no further')\n"
    )
    with pytest.raises(RuntimeError):
        schema.upgrade(bare, versions)
    assert schema.current(bare) == "0001"
    assert "half" not in inspect(bare).get_table_names()


def test_a_draft_on_top_of_the_newest_schema_is_empty(tmp_path: Path) -> None:
    versions = tmp_path / "versions"
    versions.mkdir()
    schema.draft("Initial schema", versions)
    second = schema.draft("Nothing new", versions)
    assert second.name == "0002_nothing_new.py"
    assert "op." not in second.read_text()
