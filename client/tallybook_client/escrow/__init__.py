"""The escrow desk: its errors."""
