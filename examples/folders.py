"""Folders to write an example into, and the plain files that go with it."""

import shutil
from importlib.resources.abc import Traversable
from pathlib import Path

from core.errors import BadInput, Conflict


def fresh_folder(folder: Path, force: bool) -> Path:
    """Returns the folder, made where it is missing, and empty.

    Raises `Conflict` for a folder that holds something, unless `force` says to clear it, and
    `BadInput` where the path cannot be a folder. Only a brand folder is ever cleared.
    """
    if folder.exists() and not folder.is_dir():
        raise BadInput(f"Expected a folder, but {folder} is a file.")
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        _clear(folder, force)
    return folder


def _clear(folder: Path, force: bool) -> None:
    if not force:
        raise Conflict(f"{folder} is not empty; add --force to replace what it holds.")
    if not (folder / "brand.toml").is_file():
        raise Conflict(f"{folder} holds no brand.toml, so it is not replaced even with --force.")
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def copy_tree(source: Traversable, folder: Path) -> int:
    """Copies the files of a package folder, without its Python files; returns how many."""
    folder.mkdir(parents=True, exist_ok=True)
    copied = 0
    for entry in sorted(source.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir() and not entry.name.startswith("_"):
            copied += copy_tree(entry, folder / entry.name)
        elif entry.is_file() and not entry.name.endswith((".py", ".pyc")):
            (folder / entry.name).write_bytes(entry.read_bytes())
            copied += 1
    return copied
