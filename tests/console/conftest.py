"""Fixtures of the console: somebody who is signed in, and the token of their forms."""

import re
from collections.abc import Callable

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from api.database import SessionFactory, session_factory
from api.services.keys import create_key
from tests.fakes import FakeClock, seeded_entropy

SignIn = Callable[[str], TestClient]


@pytest.fixture
def engine(sqlite_engine: object) -> object:
    """The console reads what services wrote: one kind of database is enough here."""
    return sqlite_engine


@pytest.fixture
def token(app: FastAPI, clock: FakeClock) -> Callable[[str], str]:
    """Makes a key of a role."""
    sessions: SessionFactory = session_factory(app.state.engine)
    entropy = seeded_entropy(5)

    def made(role: str) -> str:
        with sessions.begin() as session:
            return create_key(session, f"{role} key", role, clock.now(), entropy).token

    return made


@pytest.fixture
def planner(client: TestClient, token: Callable[[str], str]) -> TestClient:
    """A client that signed in with a planner's key."""
    answer = client.post("/sign-in", data={"key": token("planner")}, follow_redirects=False)
    assert answer.status_code == 303
    return client


def form_token(client: TestClient, page: str = "/") -> str:
    """Reads the token that the forms of a page carry."""
    found = re.search(r'name="csrf" value="([0-9a-f]+)"', client.get(page).text)
    assert found is not None
    return found[1]
