"""Order books: admission, matching, projection, expiry, market data, redrive, rebuild."""
