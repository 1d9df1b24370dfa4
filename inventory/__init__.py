"""Items, the stock ledger and reservations, demand, replenishment and suppliers."""
