"""Sites, tiers, calendars and cut-offs, geography."""
