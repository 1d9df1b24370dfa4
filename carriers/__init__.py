"""Services, rate cards and quotes, shipments, tracking, delays, emissions, connectors."""
