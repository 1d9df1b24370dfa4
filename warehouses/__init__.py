"""Sites, tiers, calendars and cut-offs, geography, bonded rules, return centers."""
