"""The book desk: the Trusset off-chain order API, under ``/orderbooks/stocks/api``, and its ledger, ``/custody/api``.

- ``envelope``: answers and faults as this API writes them.
- ``gate``: authentication, rate limits, body size (T3 to T6; checks 2 to 6 of T10).
- ``schema``: shared forms of bodies, queries and path parameters. ``order_schema``, ``book_schema``: forms of orders
  and books.
- ``idempotency``: answers kept under an Idempotency-Key.
- ``tokens``, ``ledger``: the ledger's endpoints; ``ledger_schema`` has the form of their requests.
- ``orders``, ``books``, ``market``: the endpoints of orders, of books, of depth and trades.
- ``routes``: the desk's operations as data. ``api``: answers requests.

docs/book-desk.md has the rules (T1, T2 and so on): the project's readings where the vendor's documentation is silent.
"""
