"""Tables of the doors: keys, sign-ins, answers given once, and the brand's snapshots."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, Index, LargeBinary
from sqlmodel import Field, SQLModel


class ApiKeyRecord(SQLModel, table=True):
    """An API key; of its secret only the SHA-256 is kept."""

    __tablename__ = "api_key"
    __table_args__ = (
        CheckConstraint(
            "role IN ('planner', 'order-service', 'carrier', 'auditor', 'admin')",
            name="api_key_role_known",
        ),
    )

    id: str = Field(primary_key=True)
    name: str
    role: str
    secret_hash: str
    created_at: datetime
    revoked_at: datetime | None = None


class ConsoleSessionRecord(SQLModel, table=True):
    """A sign-in to the console; the cookie's SHA-256 names it."""

    __tablename__ = "console_session"
    __table_args__ = (Index("console_session_expires", "expires_at"),)

    token_hash: str = Field(primary_key=True)
    key: str = Field(foreign_key="api_key.id")
    created_at: datetime
    expires_at: datetime


class IdempotencyRecord(SQLModel, table=True):
    """The answer given to one Idempotency-Key of one credential."""

    __tablename__ = "idempotency"
    __table_args__ = (Index("idempotency_answered", "answered_at"),)

    credential: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    fingerprint: str
    status: int
    location: str = ""
    body: bytes = Field(sa_type=LargeBinary)
    answered_at: datetime


class BrandRecord(SQLModel, table=True):
    """One loading of a brand folder; the highest number is the current one."""

    __tablename__ = "brand"
    __table_args__ = (Index("brand_version", "version"),)

    number: int | None = Field(default=None, primary_key=True)
    version: str
    settings: dict[str, Any] = Field(sa_type=JSON)
    tables: dict[str, str] = Field(sa_type=JSON)
    loaded_at: datetime


class BrandTableRecord(SQLModel, table=True):
    """One table of a brand as Parquet, named by its content; versions share what is the same."""

    __tablename__ = "brand_table"

    content_hash: str = Field(primary_key=True)
    rows: int
    content: bytes = Field(sa_type=LargeBinary)
