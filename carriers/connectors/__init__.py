"""Connectors: each carrier's own words in, tracking events out."""
