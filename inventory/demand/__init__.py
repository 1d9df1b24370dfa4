"""Demand: history to calibrated forecasts per item and region."""
