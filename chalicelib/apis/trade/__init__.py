"""The trade desk: the Ripio Trade order API, under ``/trade`` and ``/v4``, on the books of the book desk.

- ``envelope``: answers and faults as this API writes them.
- ``gate``: authentication, signatures and rate limits (R4 to R13). ``signature``: the text that one covers (R7, R8).
- ``decimals``: exact numbers in requests and answers (R14, R37).
- ``ids``, ``window``, ``paging``, ``cursor``: ids (R16), spans of time (R17), pages (R18).
- ``query``, ``members``, ``place_schema``, ``change_schema``: parameters and bodies.
- ``views``, ``figures``, ``pairs``: the data of answers.
- ``placing``, ``listing``, ``order_detail``, ``trades``, ``balances``, ``market``, ``tickers``: the endpoints.
- ``routes``: the desk's operations as data. ``api``: answers requests.

docs/trade-desk.md has the rules (R1, R2 and so on): the project's readings where the vendor's documentation is silent.
"""
