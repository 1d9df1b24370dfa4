"""Which sites to open: branch and bound over networks."""
