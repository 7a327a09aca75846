"""Signed orders: what the taker desk trades. A maker signs an order, takers lock and fill it, the ledger settles it."""
