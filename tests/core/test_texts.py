import fnmatch
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.texts import like

NAMES = ("US-NY", "us-ny", "US-NY\n", "US-[?]", "DE", "")


@pytest.mark.parametrize(
    ("glob", "meant"),
    [
        ("US-*", ("US-NY", "US-NY\n", "US-[?]")),
        ("*", NAMES),
        ("**", NAMES),
        ("US-NY", ("US-NY",)),
        ("US-[?]", ("US-[?]",)),
        ("?E", ()),
        ("[D]E", ()),
        ("*E*", ("DE",)),
        ("", ("",)),
    ],
)
def test_only_the_star_of_a_glob_has_a_meaning(glob: str, meant: tuple[str, ...]) -> None:
    flags = like(NAMES, glob)
    assert tuple(name for name, flag in zip(NAMES, flags, strict=True) if flag) == meant


@given(st.text("ab*[]?!", max_size=6), st.text("ab*[]?!", max_size=8))
def test_a_glob_is_its_plain_parts_with_anything_between(glob: str, name: str) -> None:
    parts = ".*".join(re.escape(part) for part in glob.split("*"))
    assert like([name], glob)[0] == (re.fullmatch(parts, name) is not None)


def test_many_stars_end_soon() -> None:
    """A pattern that tried every split of the name would never come back."""
    flags = like(["a" * 2000] * 3, "*a" * 40 + "b")
    assert np.array_equal(flags, np.zeros(3, dtype=bool))
    assert fnmatch.fnmatchcase("a" * 2000, "*a" * 40)
