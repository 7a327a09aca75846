"""Signed orders: commands, lists and the sweep over their tables."""
