"""Feeds: hazard messages of the world, read without trust and without a network."""
