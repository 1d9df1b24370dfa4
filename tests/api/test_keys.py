"""API keys and console sign-ins: what opens, what does not, and what is kept of a secret."""

from collections.abc import Mapping

import pytest
from sqlalchemy import text
from sqlmodel import Session
from starlette.testclient import TestClient

from api.database import SessionFactory
from api.services.keys import (
    ROLES,
    Caller,
    authenticate,
    create_key,
    revoke_key,
    sign_in,
    sign_out,
    signed_in,
)
from api.services.stock import sweep
from core.errors import BadInput, NotFound
from core.ids import Entropy
from tests.fakes import FakeClock

Keys = Mapping[str, Mapping[str, str]]


@pytest.fixture
def token(session: Session, clock: FakeClock, entropy: Entropy) -> str:
    return create_key(session, "Orders", "order-service", clock.now(), entropy).token


def test_a_key_opens_with_its_role(session: Session, token: str) -> None:
    caller = authenticate(session, token)
    assert caller == Caller(token.split("_")[1], "Orders", "order-service")
    assert caller.may("order-service", "planner")
    assert not caller.may("planner")


def test_an_admin_may_do_everything() -> None:
    assert all(Caller("k", "root", "admin").may(role) for role in ROLES)


def test_the_secret_is_not_kept(session: Session, token: str) -> None:
    kept = session.connection().execute(text("SELECT * FROM api_key")).one()
    assert token.split("_")[2] not in " ".join(str(cell) for cell in kept)


def test_only_the_exact_token_opens(session: Session, token: str) -> None:
    _, key, secret = token.split("_")
    wrong = "0" if secret[-1] != "0" else "1"
    for other in (
        "", "ent", "ent_", f"ent_{key}", f"ent_{key}_", f"ent_{key}_{secret[:-1]}",
        f"ent_{key}_{secret[:-1]}{wrong}", f"ENT_{key}_{secret}", f"ent_{secret}_{key}",
        f"ent_none_{secret}", f"{token} ", token.upper(), "ent_\x00_x", "ent_é_ü", "ent_none_",
    ):  # fmt: skip
        assert authenticate(session, other) is None, other


def test_a_revoked_key_opens_nothing_and_ends_its_sign_ins(
    session: Session, token: str, clock: FakeClock, entropy: Entropy
) -> None:
    found = sign_in(session, token, clock.now(), entropy)
    assert found is not None
    revoke_key(session, token.split("_")[1], clock.now())
    assert authenticate(session, token) is None
    assert signed_in(session, found[0], clock.now()) is None


def test_revoking_an_unknown_key_is_not_found(session: Session, clock: FakeClock) -> None:
    with pytest.raises(NotFound):
        revoke_key(session, "none", clock.now())


@pytest.mark.parametrize(("name", "role"), [("", "planner"), ("a\nb", "planner"), ("a", "king")])
def test_a_key_needs_a_name_and_a_known_role(
    session: Session, clock: FakeClock, entropy: Entropy, name: str, role: str
) -> None:
    with pytest.raises(BadInput):
        create_key(session, name, role, clock.now(), entropy)


def test_a_sign_in_lasts_half_a_day(
    sessions: SessionFactory, clock: FakeClock, entropy: Entropy
) -> None:
    with sessions.begin() as session:
        token = create_key(session, "Planner", "planner", clock.now(), entropy).token
        found = sign_in(session, token, clock.now(), entropy)
        assert sign_in(session, "ent_a_b", clock.now(), entropy) is None
    assert found is not None
    cookie, caller = found
    with sessions.begin() as session:
        assert signed_in(session, cookie, clock.now()) == caller
        assert signed_in(session, "other", clock.now()) is None
        assert signed_in(session, cookie, clock.pass_(hours=12)) is None
    assert sweep(sessions, clock, entropy).sign_ins == 1


def test_signing_out_ends_the_sign_in(
    session: Session, token: str, clock: FakeClock, entropy: Entropy
) -> None:
    found = sign_in(session, token, clock.now(), entropy)
    assert found is not None
    sign_out(session, found[0])
    sign_out(session, "never there")
    assert signed_in(session, found[0], clock.now()) is None


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer nonsense"},
        {"Authorization": "Basic YTpi"},
        {"Authorization": "Bearer ent_0000000000000000_00"},
    ],
)
def test_without_a_valid_key_the_answer_is_401(client: TestClient, headers: dict[str, str]) -> None:
    answer = client.get("/v1/sites", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.json()["code"] == "unauthenticated"


@pytest.mark.usefixtures("loaded")
def test_reference_data_is_open_to_any_role(client: TestClient, keys: Keys) -> None:
    for headers in keys.values():
        assert client.get("/v1/sites", headers=headers).status_code == 200
