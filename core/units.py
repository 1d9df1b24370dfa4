"""Units: the few conversions that several rooms need, each in one place."""

CM3_PER_M3 = 1e6
KG_PER_TONNE = 1000.0
HOURS_PER_DAY = 24.0
