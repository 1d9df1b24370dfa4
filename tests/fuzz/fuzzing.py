"""Schemathesis against a real server with a loaded brand, with a key of any role."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from api.app import create_app
from api.database import engine_for, session_factory
from api.migrations import schema
from api.services.brands import load_brand
from api.services.keys import ROLES, create_key
from api.settings import Settings
from core.clock import SystemClock
from tests.console.brands import six_hubs
from tests.serving import serving

CONFIG, ROOT = Path(__file__).with_name("schemathesis.toml"), Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class House:
    """A served brand: its address, and a token by role."""

    address: str
    tokens: Mapping[str, str]


@contextmanager
def house(database_url: str = "") -> Iterator[House]:
    """Serves six hubs from a fresh database; streams of events end at once."""
    with tempfile.TemporaryDirectory(prefix="entrepot-fuzz-") as home:
        settings = Settings(home=Path(home), database_url=database_url)
        engine, clock = engine_for(settings.database), SystemClock()
        schema.upgrade(engine)
        with session_factory(engine).begin() as session:
            load_brand(session, six_hubs(), clock, os.urandom)
            tokens = {
                role: create_key(session, role, role, clock.now(), os.urandom).token
                for role in ROLES
            }
        app = create_app(settings, engine)
        app.state.stopping.set()
        with serving(app) as address:
            yield House(address, tokens)
        engine.dispose()


def fuzz(
    served: House, role: str, examples: int, seed: int, options: Sequence[str] = ()
) -> subprocess.CompletedProcess[str]:
    """Returns the finished run of all checks and phases with one role's key; 0 where all held."""
    command = [
        sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG), "run",
        f"{served.address}/openapi.json",
        "--header", f"Authorization: Bearer {served.tokens[role]}", "--checks", "all",
        "--max-examples", str(examples), "--seed", str(seed), "--generation-database", "none",
        "--suppress-health-check", "all", "--request-timeout", "60", "--no-color",
        "--continue-on-failure", *options,
    ]  # fmt: skip
    hooked = {**os.environ, "SCHEMATHESIS_HOOKS": "tests.fuzz.hooks", "PYTHONPATH": str(ROOT)}
    with tempfile.TemporaryDirectory(prefix="entrepot-fuzz-") as folder:
        return subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=folder, env=hooked
        )
