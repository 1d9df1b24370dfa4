from datetime import UTC, datetime, timedelta
from random import Random

from core.ids import mint


def test_ids_sort_by_the_time_of_minting() -> None:
    entropy = Random(7).randbytes
    start = datetime(2026, 1, 1, tzinfo=UTC)
    minted = [mint("pln", start + timedelta(milliseconds=ms), entropy) for ms in range(0, 5000, 7)]
    assert minted == sorted(minted)
    assert len(set(minted)) == len(minted)
    assert all(one.startswith("pln_") and len(one) == 30 for one in minted)


def test_the_same_seed_mints_the_same_id() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert mint("res", now, Random(1).randbytes) == mint("res", now, Random(1).randbytes)
