"""Goods that leave together: whole containers and what each departure costs."""
