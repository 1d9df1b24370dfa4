"""The brand folder: its attribute table, its reader and its checks."""
