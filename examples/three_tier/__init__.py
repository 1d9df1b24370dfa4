"""The teaching network: plain files beside this module, copied as they are."""

from importlib.resources import files
from pathlib import Path

from examples.folders import copy_tree


def write(folder: Path) -> int:
    """Copies the teaching network into a folder and returns the number of files."""
    return copy_tree(files("examples.three_tier"), folder)
