"""Bond: how long goods may lie with duty suspended, and until when they may leave like that."""

from datetime import date, datetime, timedelta
from math import ceil, isfinite
from zoneinfo import ZoneInfo

from warehouses.calendars import dispatch_at
from warehouses.network import Site


def bond_ends(bond_days: float, since: date | None) -> date | None:
    """Returns the first day on which goods are no longer in bond; None where it never ends.

    A part of a day counts as a day. Goods whose first day in bond is not known have no end either.
    """
    if since is None or not isfinite(bond_days):
        return None
    return since + timedelta(days=ceil(bond_days))


def leaves_in_bond(site: Site, since: date | None, placed_at: datetime) -> bool:
    """Whether goods in bond may still serve an order: it leaves before their bond ends.

    What outstays its bond has to be released with duty, or exported, as a whole: no order may take
    it until that is booked. The day of leaving is that of the site's next cut-off on its own clock.
    """
    end = bond_ends(site.bond_days, since)
    if end is None:
        return True
    return dispatch_at(site, placed_at).astimezone(ZoneInfo(site.time_zone)).date() < end
