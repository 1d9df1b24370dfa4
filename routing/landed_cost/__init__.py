"""Landed cost: duty, tax and fees on the day they apply. Every figure is an estimate."""
