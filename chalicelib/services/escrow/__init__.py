"""Escrow orders: commands, payments, customers and the sweep over their tables."""
