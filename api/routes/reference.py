"""Reference data of the current brand: sites, items, services, regions, lanes."""

from collections.abc import Callable
from typing import Any

import pandas as pd
from fastapi import APIRouter, Depends

from api.dependencies import SessionDep, caller
from api.pages import Page, PagingDep
from api.services.brands import current_brand

router = APIRouter(prefix="/v1", tags=["reference"], dependencies=[Depends(caller)])

Listing = Callable[[SessionDep, PagingDep], Page[dict[str, Any]]]


def _listing(table: str) -> Listing:
    """Returns the route that lists one table of the brand in the order of its folder."""

    def rows(session: SessionDep, paging: PagingDep) -> Page[dict[str, Any]]:
        after = paging.after(int)
        start = 0 if after is None else max(0, int(after[0]) + 1)
        frame = current_brand(session).table(table).iloc[start : start + paging.asked]
        numbered = [(start + at, row) for at, row in enumerate(_documents(frame))]
        return paging.page(numbered, key=lambda pair: (pair[0],), show=lambda pair: pair[1])

    rows.__doc__ = f"Returns the {table} of the brand, columns as in `{table}.csv`."
    rows.__name__ = f"list_{table}"
    return rows


def _documents(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {str(name): _plain(cell) for name, cell in row.items()} for row in frame.to_dict("records")
    ]


def _plain(cell: Any) -> Any:
    """Returns a cell as JSON knows it: null for what is empty, ISO text for dates."""
    if pd.isna(cell):
        return None
    return cell.isoformat() if isinstance(cell, pd.Timestamp) else cell


for _table in ("sites", "items", "services", "regions", "lanes"):
    router.get(f"/{_table}")(_listing(_table))
