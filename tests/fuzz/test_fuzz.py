"""A short fuzzing of every route; the long one is `python -m tests.fuzz --examples 200`."""

from tests.fuzz.fuzzing import fuzz, house

FORMS = "fuzzing,stateful"
"""What an admin asks at random; the tables of edge cases belong to the long run."""


def test_no_request_breaks_the_service_or_its_document() -> None:
    """No server error, and no answer that the OpenAPI document does not describe."""
    with house() as served:
        done = fuzz(served, "admin", 3, 7, ["--phases", FORMS])
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
        assert "Tested:" in done.stdout
        done = fuzz(served, "carrier", 1, 7, ["--phases", "fuzzing"])
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
