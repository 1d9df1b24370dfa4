"""API keys: `ent_<id>_<secret>`, of which only the id and a hash of the secret are kept."""

import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session

from api import store
from api.records import ApiKeyRecord, ConsoleSessionRecord
from core.errors import BadInput, NotFound
from core.ids import Entropy

ROLES = ("planner", "order-service", "carrier", "auditor", "admin")

CONSOLE_HOURS = 12
"""How long a sign-in to the console lasts."""

_ID_BYTES, _SECRET_BYTES = 8, 32


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is asking: the id of the credential, its name and its role."""

    key: str
    name: str
    role: str

    def may(self, *roles: str) -> bool:
        """Whether the caller has one of the roles; an admin has all of them."""
        return self.role == "admin" or self.role in roles


Credential = Callable[[Session], Caller | None]
"""Looks up who holds a credential at this moment; None once it opens nothing any more."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made; `token` is shown once and kept nowhere."""

    id: str
    name: str
    role: str
    token: str


def create_key(session: Session, name: str, role: str, now: datetime, entropy: Entropy) -> NewKey:
    """Returns a new key; raises `BadInput` for an unknown role or an empty name."""
    if role not in ROLES:
        raise BadInput(f"Expected a role of {', '.join(ROLES)}, got {role!r}.")
    if not name.strip() or not name.isprintable():
        raise BadInput("Expected a name for the key.")
    key, secret = entropy(_ID_BYTES).hex(), entropy(_SECRET_BYTES).hex()
    session.add(
        ApiKeyRecord(
            id=key, name=name.strip(), role=role, secret_hash=_hash(secret), created_at=now
        )
    )
    session.flush()
    return NewKey(key, name.strip(), role, f"ent_{key}_{secret}")


def revoke_key(session: Session, key: str, now: datetime) -> None:
    """Ensures that a key opens nothing any more; raises `NotFound` for an unknown one."""
    record = store.api_key(session, key)
    if record is None:
        raise NotFound("key", key)
    record.revoked_at = record.revoked_at or now


def list_keys(session: Session) -> Sequence[ApiKeyRecord]:
    """Returns all keys, oldest first, also revoked ones."""
    return store.api_keys(session)


def authenticate(session: Session, token: str) -> Caller | None:
    """Returns who holds a token, None when it opens nothing.

    The secret has 256 random bits, so a plain SHA-256 cannot be searched; it is compared in
    constant time, and an unknown id takes the same path as a known one.
    """
    prefix, _, rest = token.partition("_")
    key, _, secret = rest.partition("_")
    record = store.api_key(session, key) if prefix == "ent" and key.isalnum() else None
    expected = record.secret_hash if record is not None else _hash("")
    matches = hmac.compare_digest(_hash(secret), expected)
    return _caller(record) if matches else None


def holder(session: Session, key: str) -> Caller | None:
    """Returns who holds the key of an id; None when it is unknown or was revoked."""
    return _caller(store.api_key(session, key))


def sign_in(
    session: Session, token: str, now: datetime, entropy: Entropy
) -> tuple[str, Caller] | None:
    """Returns the secret of a console cookie and who signed in; None for a worthless token."""
    caller = authenticate(session, token)
    if caller is None:
        return None
    cookie = entropy(_SECRET_BYTES).hex()
    session.add(
        ConsoleSessionRecord(
            token_hash=_hash(cookie),
            key=caller.key,
            created_at=now,
            expires_at=now + timedelta(hours=CONSOLE_HOURS),
        )
    )
    session.flush()
    return cookie, caller


def signed_in(session: Session, cookie: str, now: datetime) -> Caller | None:
    """Returns who a console cookie stands for; None when it expired or its key was revoked."""
    record = store.console_session(session, _hash(cookie))
    if record is None or record.expires_at <= now:
        return None
    return holder(session, record.key)


def sign_out(session: Session, cookie: str) -> None:
    """Ensures that a console cookie opens nothing any more."""
    record = store.console_session(session, _hash(cookie))
    if record is not None:
        session.delete(record)


def _caller(record: ApiKeyRecord | None) -> Caller | None:
    if record is None or record.revoked_at is not None:
        return None
    return Caller(record.id, record.name, record.role)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
