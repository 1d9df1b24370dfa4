"""Order plans: site, service, split and customs route of one order, chosen together."""
