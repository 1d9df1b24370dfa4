import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.encoding import json_bytes, json_text

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(PLAIN)
def test_what_is_written_is_read_again(document: Any) -> None:
    assert json.loads(json_bytes(document)) == document
    assert json_text(document).encode() == json_bytes(document)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_no_number_is_written_that_json_does_not_have(number: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        json_bytes({"carbon_kg": [number]})


def test_words_that_look_like_such_numbers_are_words() -> None:
    assert json_text(["NaN", "Infinity"]) == '["NaN","Infinity"]'
