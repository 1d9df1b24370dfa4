"""What Schemathesis cannot know: which refusals are the document's fault, which the world's."""

from typing import Any

import schemathesis
from schemathesis import Case, CheckContext, GenerationMode, Response

FEEDS = "/v1/signals"
"""Takes documents of other parties, whose form the OpenAPI document does not tell."""


@schemathesis.check
def refusal_of_what_the_document_allows(
    _: CheckContext, response: Response, case: Case[Any]
) -> bool | None:
    """A request that fits the document is refused for what it means, never for its form.

    `code` tells the two apart: `invalid` and `malformed` are given before anything is looked up.
    """
    fits = case.meta is not None and case.meta.generation.mode is GenerationMode.POSITIVE
    if fits and response.status_code in (400, 422):
        problem = response.json()
        code = problem.get("code")
        form = code == "malformed" and case.path != FEEDS
        if code == "invalid":  # JSON Schema cannot say the rules behind a "Value error"
            told = [error["detail"] for error in problem["errors"]]
            form = not all(detail.startswith("Value error") for detail in told)
        assert not form, f"The document allows what the service calls {code}: {response.text}"
    return None
