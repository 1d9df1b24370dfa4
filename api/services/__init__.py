"""Use cases: load, decide, save. One function each; none commits."""
