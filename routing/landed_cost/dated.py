"""Dated rows: what holds from one day to another, and when it was last checked."""

from datetime import date, timedelta

OLD_AFTER = timedelta(days=180)
"""A row that nobody has checked for longer than this counts as old."""


class Dated:
    """What every dated row can tell; a row has these columns."""

    __slots__ = ()

    valid_from: date
    valid_to: date | None
    checked_on: date

    def holds(self, on: date) -> bool:
        """Whether the row is in force on a date; both ends count."""
        return self.valid_from <= on and (self.valid_to is None or on <= self.valid_to)

    def old(self, today: date) -> bool:
        """Whether the row was last checked more than `OLD_AFTER` before today."""
        return today - self.checked_on > OLD_AFTER
