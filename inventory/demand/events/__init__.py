"""Events: what moves the demand of a market, or stops its suppliers, on dates known ahead."""
