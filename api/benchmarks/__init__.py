"""Benchmarks: each measures a peer or a floor in the same run and asserts the same answer."""
