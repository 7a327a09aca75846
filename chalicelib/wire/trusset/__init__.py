"""The book desk: the Trusset off-chain order API, under ``/orderbooks/stocks/api``.

- ``envelope``: answers and faults as this API writes them.
- ``gate``: who is calling, and how often (T3 to T6; checks 2 to 6 of T10).
- ``schema``: the form of bodies, queries and path parameters; ``order_schema`` and ``book_schema`` have what is their own.
- ``replay``: Idempotency-Key.
- ``orders``: the endpoints.
- ``routes``: which path is which endpoint; the way in.

Decisions T1 to T44 are the project's readings where the vendor's documentation is silent; docs/book-desk.md has them.
"""
