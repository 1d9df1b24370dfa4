"""Loads and saves what the doors keep: keys, sign-ins, given answers and brand snapshots."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import CursorResult, delete, insert, tuple_
from sqlmodel import Session, col, select

from api.records import (
    ApiKeyRecord,
    BrandRecord,
    BrandTableRecord,
    ConsoleSessionRecord,
    IdempotencyRecord,
)


def api_key(session: Session, key: str) -> ApiKeyRecord | None:
    """Returns a key by id, also a revoked one."""
    return session.get(ApiKeyRecord, key)


def api_keys(session: Session) -> Sequence[ApiKeyRecord]:
    """Returns all keys, oldest first."""
    return session.exec(
        select(ApiKeyRecord).order_by(col(ApiKeyRecord.created_at), col(ApiKeyRecord.id))
    ).all()


def console_session(session: Session, token_hash: str) -> ConsoleSessionRecord | None:
    """Returns a sign-in by the hash of its cookie."""
    return session.get(ConsoleSessionRecord, token_hash)


def answer(session: Session, credential: str, key: str) -> IdempotencyRecord | None:
    """Returns the answer that was given to an Idempotency-Key of a credential."""
    return session.get(IdempotencyRecord, (credential, key))


def answers(
    session: Session, names: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], IdempotencyRecord]:
    """Returns the answers that were given to keys of credentials, by (credential, key)."""
    asked = select(IdempotencyRecord).where(
        tuple_(col(IdempotencyRecord.credential), col(IdempotencyRecord.key)).in_(names)
    )
    return {(found.credential, found.key): found for found in session.exec(asked)}


def answered(session: Session, names: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
    """Returns those (credential, key) that have an answer, without reading it."""
    key = (col(IdempotencyRecord.credential), col(IdempotencyRecord.key))
    found = session.exec(select(*key).where(tuple_(*key).in_(names)))
    return {(credential, named) for credential, named in found}


def add_answers(session: Session, rows: Sequence[Mapping[str, object]]) -> None:
    """Ensures that answers are kept, given the columns of each."""
    if rows:
        session.connection().execute(insert(IdempotencyRecord), rows)


def forget_answers(session: Session, before: datetime) -> int:
    """Deletes answers given before a moment; returns how many."""
    return _deleted(
        session.exec(delete(IdempotencyRecord).where(col(IdempotencyRecord.answered_at) < before))
    )


def forget_sign_ins(session: Session, now: datetime) -> int:
    """Deletes sign-ins that have expired; returns how many."""
    return _deleted(
        session.exec(
            delete(ConsoleSessionRecord).where(col(ConsoleSessionRecord.expires_at) <= now)
        )
    )


def current_brand(session: Session) -> BrandRecord | None:
    """Returns the newest loading of a brand; None before the first."""
    return session.exec(
        select(BrandRecord).order_by(col(BrandRecord.number).desc()).limit(1)
    ).first()


_VERSION = select(BrandRecord.version).order_by(col(BrandRecord.number).desc()).limit(1)


def current_version(session: Session) -> str | None:
    """Returns the version of the newest loading of a brand; None before the first."""
    return session.connection().execute(_VERSION).scalar()


def brand_of_version(session: Session, version: str) -> BrandRecord | None:
    """Returns a loading of a brand by its version."""
    return session.exec(
        select(BrandRecord)
        .where(col(BrandRecord.version) == version)
        .order_by(col(BrandRecord.number).desc())
        .limit(1)
    ).first()


def brand_tables(session: Session, hashes: Mapping[str, str]) -> dict[str, bytes]:
    """Returns the Parquet of tables by name, given the content hash of each."""
    records = session.exec(
        select(BrandTableRecord).where(col(BrandTableRecord.content_hash).in_(hashes.values()))
    ).all()
    content = {record.content_hash: record.content for record in records}
    return {name: content[content_hash] for name, content_hash in hashes.items()}


def known_tables(session: Session, hashes: Sequence[str]) -> set[str]:
    """Returns which content hashes are already kept."""
    kept = col(BrandTableRecord.content_hash)
    return set(session.exec(select(kept).where(kept.in_(hashes))).all())


def _deleted(result: CursorResult[object]) -> int:
    return result.rowcount
