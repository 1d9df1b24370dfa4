"""The real example: orders of a British gift shop on a network of six hubs."""
