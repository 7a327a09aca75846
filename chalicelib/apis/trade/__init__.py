"""The trade desk: the Ripio Trade order API, under ``/trade`` and ``/v4``, on the books of the book desk.

- ``envelope``: answers and faults as this API writes them.
- ``gate``: who is calling, signed, how often (R4 to R13).
- ``signature``: what a request's signature is over (R7, R8).
- ``decimals``: exact numbers in and out (R14, R37).
- ``ids``, ``window``, ``paging``, ``cursor``: ids (R16), spans of time (R17), pages (R18).
- ``query``, ``place_schema``: parameters and bodies. ``views``, ``figures``, ``pairs``: what is shown.
- ``placing``, ``listing``, ``order_detail``, ``trades``, ``balances``, ``market``, ``tickers``: the endpoints.
- ``routes``: the desk's operations as data. ``api``: answers requests.

docs/trade-desk.md has the rules (R1, R2 and so on): the project's readings where the vendor's documentation is silent.
"""
