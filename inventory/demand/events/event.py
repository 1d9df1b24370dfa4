"""An event: one row of the table, a day with its window."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Event:
    """An event of a country: its day, the days before and after that belong to it, and why.

    `estimated` dates may still move by a day or two; `kind` is `demand` or `shutdown`.
    """

    country: str
    day: date
    name: str
    window_before: int
    window_after: int
    source: str
    estimated: bool = False
    kind: str = "demand"

    @property
    def first(self) -> date:
        """First day of the window."""
        return self.day - self.window_before * DAY

    @property
    def last(self) -> date:
        """Last day of the window."""
        return self.day + self.window_after * DAY

    def days(self) -> Iterator[date]:
        """Yields every day of the window."""
        for offset in range(-self.window_before, self.window_after + 1):
            yield self.day + offset * DAY

    def moved(self, days: int) -> "Event":
        """Returns the event some days later; earlier if negative."""
        return replace(self, day=self.day + days * DAY)
