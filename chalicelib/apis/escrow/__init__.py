"""The escrow desk: the Truust orders API, under ``/2.0``; its orders are served under ``/orders`` too.

- ``envelope``: answers and faults as this API writes them.
- ``gate``: who is calling, by secret key, and how often (E2).
- ``bodies``, ``schema``, ``order_schema``: JSON and form bodies, and the form of their fields.
- ``commands``: what every endpoint that changes something does; ``lists``: pages, filters and search (E5 to E10).
- ``objects``: orders, payins, payouts, customers and wallets as they are shown. ``paths``: ids in paths.
- ``orders``, ``payments``, ``customers``, ``operator``: the endpoints.
- ``routes``: the desk's operations as data. ``api``: answers requests.

docs/escrow-desk.md has the rules (E1, E2 and so on): the project's readings where the vendor's documentation is silent.
"""
