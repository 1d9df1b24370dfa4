"""Settings: the one place of the service that reads the environment."""

import json
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from core.errors import BadInput, Problem

MIB = 1 << 20

_JSON = "should be a JSON object of texts"


def _short(message: str, depth: int) -> str:
    """Returns what a field accepts; of values inside JSON only that it is an object of texts."""
    return _JSON if depth > 1 else message.removeprefix("Input ")


def _refused(name: str, short: str) -> Problem:
    about = Settings.model_fields[name].description
    return Problem("", 0, 0, f"ENTREPOT_{name.upper()} {short} ({about}).")


class Settings(BaseSettings):
    """How one deployment runs; every field is read from `ENTREPOT_` and its name in capitals.

    With nothing set, everything lives in `home` on this machine: an SQLite file and an embedded
    Valkey. Values given to the constructor win over the environment. A value that cannot be used
    raises `BadInput`, which names the variable and what it accepts, never the value: it may hold a
    secret.
    """

    model_config = SettingsConfigDict(
        env_prefix="ENTREPOT_", frozen=True, hide_input_in_errors=True
    )

    home: Path = Field(Path(".entrepot"), description="Folder of database, sockets and results")
    database_url: str = Field("", description="SQLAlchemy URL; empty means SQLite in `home`")
    redis_url: str = Field("", description="Redis or Valkey URL; empty means the embedded one")
    durable: bool = Field(False, description="SQLite flushes to disk on each commit")
    max_body_bytes: int = Field(MIB, ge=1024, description="Largest request body")
    hold_minutes: int = Field(30, ge=1, le=24 * 60, description="How long a reservation holds")
    allocation_hands: int = Field(
        0, ge=0, le=64, description="How many other workers an allocation may ask for help"
    )
    carrier_secrets: dict[str, SecretStr] = Field(
        default_factory=dict, description="JSON object: carrier to secret of its signed events"
    )

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            said = {
                str(one["loc"][0]): _short(one["msg"], len(one["loc"])) for one in error.errors()
            }
        except SettingsError:  # only of the one variable that holds JSON
            said = {"carrier_secrets": _JSON}
        else:
            return
        problems = [_refused(name, short) for name, short in said.items()]
        raise BadInput(problems) from None  # the cause would quote the value

    @cached_property
    def folder(self) -> Path:
        """The home folder as an absolute path; made, readable by its owner only, when missing.

        Raises `BadInput` where there can be no such folder.
        """
        try:
            folder = self.home.expanduser().absolute()
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except FileExistsError as error:
            raise BadInput("ENTREPOT_HOME should be a folder, but it is a file.") from error
        except (OSError, RuntimeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise BadInput(f"ENTREPOT_HOME cannot be made: {reason}.") from error
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
