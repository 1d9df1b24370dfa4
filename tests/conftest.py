"""Fixtures that every room shares: both databases, the app and its keys, clock and entropy."""

import os
import shutil
import warnings
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path

import pytest
from fastapi import FastAPI
from sqlalchemy import Engine
from sqlmodel import Session

from api.app import create_app
from api.database import SessionFactory, engine_for, session_factory
from api.migrations import schema
from api.services.brands import load_brand
from api.services.keys import ROLES, create_key
from api.settings import Settings
from core.brand import Brand
from core.ids import Entropy
from tests.builders import two_sites_one_item
from tests.fakes import FakeClock, seeded_entropy
from tests.postgres import PostgresServer, postgres_server

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it recommends another HTTP client; httpx serves well
    from starlette.testclient import TestClient

Headers = Mapping[str, str]

_TEMPLATE = "template_entrepot"
_numbers = count(1)


def pytest_configure() -> None:
    """Tables are as wide as in a pipe, whoever runs the tests and in however many processes."""
    os.environ.pop("COLUMNS", None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What waits for other processes runs first: none of it is to begin when all else has ended."""
    first = ("journeys", "docs", "fuzz", "console")
    items.sort(key=lambda item: item.path.parent.name not in first)


@pytest.fixture
def clock() -> FakeClock:
    """A clock that stands at 2026-09-07 08:00 UTC until a test moves it."""
    return FakeClock()


@pytest.fixture
def entropy() -> Entropy:
    """Random bytes that are the same in every run."""
    return seeded_entropy()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file at the newest schema, to copy."""
    path = tmp_path_factory.mktemp("template") / "template.sqlite"
    engine = engine_for(f"sqlite:///{path}")
    schema.upgrade(engine)
    engine.dispose()
    return path


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A running PostgreSQL that holds a template database at the newest schema."""
    with postgres_server() as server:
        server.run(f"CREATE DATABASE {_TEMPLATE}")
        engine = engine_for(server.url(_TEMPLATE))
        schema.upgrade(engine)
        engine.dispose()
        yield server


@pytest.fixture
def sqlite_engine(sqlite_template: Path, tmp_path: Path) -> Iterator[Engine]:
    """A fresh SQLite database with all tables."""
    path = tmp_path / "entrepot.sqlite"
    shutil.copy(sqlite_template, path)
    engine = engine_for(f"sqlite:///{path}")
    yield engine
    engine.dispose()


@pytest.fixture
def postgres_engine(postgres: PostgresServer) -> Iterator[Engine]:
    """A fresh PostgreSQL database with all tables."""
    name = f"test_{next(_numbers)}"
    postgres.run(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE}")
    engine = engine_for(postgres.url(name))
    yield engine
    engine.dispose()
    postgres.run(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def engine(request: pytest.FixtureRequest) -> Engine:
    """A fresh database with all tables; every test that asks for it runs on both kinds."""
    made: Engine = request.getfixturevalue(f"{request.param}_engine")
    return made


@pytest.fixture
def sessions(engine: Engine) -> SessionFactory:
    """Opens sessions: `with sessions.begin() as session:` commits at its end."""
    return session_factory(engine)


@pytest.fixture
def session(sessions: SessionFactory) -> Iterator[Session]:
    """One session that is rolled back at the end of the test."""
    with sessions() as opened:
        yield opened


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of a deployment in a folder of its own."""
    return Settings(home=tmp_path / "home")


@pytest.fixture
def app(settings: Settings, engine: Engine, clock: FakeClock, entropy: Entropy) -> FastAPI:
    """The service on a fresh database."""
    return create_app(settings, engine, clock, entropy)


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    """A client of the service; a bug inside answers 500 as it would for anyone."""
    with TestClient(app, raise_server_exceptions=False) as opened:
        yield opened


@pytest.fixture
def keys(sessions: SessionFactory, clock: FakeClock) -> Mapping[str, Headers]:
    """Request headers with a valid key, by role: `client.get(url, headers=keys["planner"])`."""
    entropy = seeded_entropy(1)
    with sessions.begin() as session:
        made = {role: create_key(session, role, role, clock.now(), entropy) for role in ROLES}
    return {role: {"Authorization": f"Bearer {key.token}"} for role, key in made.items()}


@pytest.fixture(scope="session")
def brand() -> Brand:
    """A small brand: two sites, one item."""
    return two_sites_one_item()


@pytest.fixture
def loaded(sessions: SessionFactory, brand: Brand, clock: FakeClock) -> Brand:
    """The small brand, loaded into the database with its stock."""
    with sessions.begin() as session:
        load_brand(session, brand, clock, seeded_entropy(2))
    return brand
