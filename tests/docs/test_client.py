"""The client that the guide prints: it orders from a real service, and acts once."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from api.app import create_app
from api.database import session_factory
from api.services.brands import load_brand
from api.services.keys import create_key
from api.settings import Settings
from core.brand import Brand
from core.clock import SystemClock
from tests.serving import serving

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "ordering.md"
BLOCK = re.compile(r"^```python\n(.*?)^```", flags=re.MULTILINE | re.DOTALL)

Names = dict[str, Any]


def printed(host: str, token: str) -> tuple[str, str]:
    """The client and its use, as the guide prints them, with a host and a token of the test."""
    client, use = BLOCK.findall(GUIDE.read_text(encoding="utf-8"))
    return client, use.replace("127.0.0.1:8000", host).replace("ent_...", token)


def test_the_printed_client_orders_and_meets_refusals(
    sqlite_engine: Engine, brand: Brand, tmp_path: Path
) -> None:
    clock = SystemClock()
    with session_factory(sqlite_engine).begin() as session:
        load_brand(session, brand, clock, os.urandom)
        token = create_key(session, "shop", "order-service", clock.now(), os.urandom).token
    with serving(create_app(Settings(home=tmp_path), sqlite_engine)) as address:
        client, use = printed(address.removeprefix("http://"), token)
        names: Names = {"__name__": "client"}
        exec(compile(client + use, str(GUIDE), "exec"), names)  # noqa: S102  # our own guide
        plan, shop = names["plan"], names["shop"]
        assert (plan.sites, plan.unserved) == (["DE-HAM"], [])
        assert shop.confirm(plan).status == "confirmed"
        with pytest.raises(names["Problem"]) as refused:
            shop.cancel(plan)
        assert refused.value.code == "plan-confirmed"
        assert shop.plan(order("A-1001", 2)).id == plan.id, "the same key, the same plan"
        with pytest.raises(names["Problem"], match="another request"):
            shop.plan(order("A-1001", 3))


def order(name: str, quantity: int) -> Mapping[str, Any]:
    lines = [{"line": 1, "item": "MUG", "quantity": quantity}]
    return {"order": name, "region": "DE", "currency": "EUR", "lines": lines}
