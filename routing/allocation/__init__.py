"""Allocation: which site serves which region with which service, at a proven optimum."""
