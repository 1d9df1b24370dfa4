"""Values that every room speaks: money, units, places, ids, clock, errors and the brand folder."""
