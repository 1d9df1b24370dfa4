"""Whatever happens in whatever order: units are conserved and nothing is ever negative."""

from api.database import SessionFactory
from tests.inventory.ledger_machine import run


def test_the_ledger_agrees_with_a_plain_count(sessions: SessionFactory) -> None:
    """Both databases; the long version is a command, see the module of the machine."""
    run(sessions, examples=12, steps=30)
