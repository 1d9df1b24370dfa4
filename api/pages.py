"""Pages of lists: an opaque cursor names the last row of a page, never a position."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Generic, TypeVar

from fastapi import Depends, Query, Request, Response
from pydantic import BaseModel

from api.problems import Refused
from core.texts import is_storable

LARGEST_PAGE = 500

Key = tuple[str | int, ...]
"""What orders the rows of a list; the key of the last row is what a cursor carries."""

Row = TypeVar("Row")
Shown = TypeVar("Shown")


class Page(BaseModel, Generic[Shown]):
    """One page of a list; `next` is the cursor of the page after it, null on the last."""

    data: list[Shown]
    next: str | None


@dataclass(frozen=True, slots=True)
class Paging:
    """The page that a request asks for.

    A route asks its store for `paging.asked` rows (one more than the limit, which tells whether
    another page follows) after `paging.after(...)`, and returns `paging.page(...)`:

        rows = store.things(session, after=paging.after(str), limit=paging.asked)
        return paging.page(rows, key=lambda row: (row.id,), show=thing)
    """

    limit: int
    cursor: str | None
    request: Request
    response: Response

    @property
    def asked(self) -> int:
        """How many rows to ask the store for."""
        return self.limit + 1

    def after(self, *types: type) -> Key | None:
        """Returns the key to go on from, one value of each type; None on the first page.

        Refuses with 422 a cursor that this list did not give.
        """
        if self.cursor is None:
            return None
        key = _decoded(self.cursor)
        if key is None or [type(part) for part in key] != list(types):
            detail = "The cursor is not one that this list gave."
            raise Refused(422, detail, "bad-cursor", [{"parameter": "cursor", "detail": detail}])
        return key

    def page(
        self, rows: Sequence[Row], key: Callable[[Row], Key], show: Callable[[Row], Shown]
    ) -> Page[Shown]:
        """Returns the page of at most `limit` rows, and sets `Link` when another page follows."""
        shown = rows[: self.limit]
        follows = len(rows) > self.limit
        cursor = encoded(key(shown[-1])) if follows else None
        if cursor is not None:
            url = self.request.url.include_query_params(cursor=cursor)
            self.response.headers["Link"] = f'<{url.path}?{url.query}>; rel="next"'
        return Page(data=[show(row) for row in shown], next=cursor)


def encoded(key: Key) -> str:
    """Returns the cursor of a key."""
    text = json.dumps(key, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


def _decoded(cursor: str) -> Key | None:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        key = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        return None
    return tuple(key) if isinstance(key, list) and _is_storable(key) else None


def _is_storable(key: list[object]) -> bool:
    return all(is_storable(part) for part in key if isinstance(part, str))


def _paging(
    request: Request,
    response: Response,
    limit: Annotated[int, Query(ge=1, le=LARGEST_PAGE, description="Rows of a page")] = 100,
    cursor: Annotated[
        str | None, Query(max_length=1000, description="`next` of the page before")
    ] = None,
) -> Paging:
    return Paging(limit, cursor, request, response)


PagingDep = Annotated[Paging, Depends(_paging)]
