"""Disruptions: a signal from a feed to alerts and the orders that cure them."""
