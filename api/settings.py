"""Settings: the one place of the service that reads the environment."""

import json
from functools import cached_property
from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

MIB = 1 << 20


class Settings(BaseSettings):
    """How one deployment runs; every field is read from `ENTREPOT_` and its name in capitals.

    With nothing set, everything lives in `home` on this machine: an SQLite file and an embedded
    Valkey. Values given to the constructor win over the environment.
    """

    model_config = SettingsConfigDict(env_prefix="ENTREPOT_", frozen=True)

    home: Path = Field(Path(".entrepot"), description="Folder of database, sockets and results")
    database_url: str = Field("", description="SQLAlchemy URL; empty means SQLite in `home`")
    redis_url: str = Field("", description="Redis or Valkey URL; empty means the embedded one")
    durable: bool = Field(False, description="SQLite flushes to disk on each commit")
    max_body_bytes: int = Field(MIB, ge=1024, description="Largest request body")
    hold_minutes: int = Field(30, ge=1, le=24 * 60, description="How long a reservation holds")
    carrier_secrets: dict[str, SecretStr] = Field(
        default_factory=dict, description="JSON object: carrier to secret of its signed events"
    )

    @cached_property
    def folder(self) -> Path:
        """The home folder as an absolute path; made, readable by its owner only, when missing."""
        folder = self.home.expanduser().absolute()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder

    def environment(self) -> dict[str, str]:
        """Returns the variables that give another process the same settings."""
        shared = {name: one.get_secret_value() for name, one in self.carrier_secrets.items()}
        values = {**self.model_dump(mode="json"), "carrier_secrets": json.dumps(shared)}
        return {f"ENTREPOT_{name.upper()}": str(value) for name, value in values.items()}

    @property
    def database(self) -> str:
        """The database URL to connect to."""
        return self.database_url or f"sqlite:///{self.folder / 'entrepot.sqlite'}"
