"""HTTP mechanisms shared by all desks: routing, auth, forms, idempotency, pages, times, exact JSON."""
