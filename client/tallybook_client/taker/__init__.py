"""The taker desk: its errors."""
