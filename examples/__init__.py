"""Brand folders that run, written by `entrepot example`."""
