"""The ledger: movements and statements."""
