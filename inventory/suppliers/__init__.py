"""Suppliers: scores, offers and sourcing."""
