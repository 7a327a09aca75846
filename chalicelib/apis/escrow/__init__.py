"""The escrow desk: the Truust orders API, under ``/2.0``; its orders are served under ``/orders`` too.

- ``envelope``: answers and faults as this API writes them.
- ``gate``: authentication by secret key, permission, rate limits (E2). ``bare``: answers for generated clients.
- ``bodies``, ``schema``, ``kinds``, ``order_schema``: JSON and form bodies, and the form of their fields.
- ``commands``: shared by all POST and PUT endpoints; ``list_query``, ``lists``: pages, filters and search (E5 to E10).
- ``objects``: orders, payins, payouts, customers and wallets in answers. ``paths``: ids in paths.
- ``accounts``, ``orders``, ``payments``, ``customers``, ``operator``: the endpoints.
- ``callbacks``: what providers of payins say, signed; ``pages``, ``page_html``: for the people of an order.
- ``routes``: the desk's operations as data. ``api``: answers requests.

docs/escrow-desk.md has the rules (E1, E2 and so on): the project's readings where the vendor's documentation is silent.
"""
