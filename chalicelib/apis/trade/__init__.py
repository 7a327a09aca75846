"""The trade desk: the Ripio Trade order API, under ``/trade`` and ``/v4``, on the books of the book desk.

- ``envelope``: answers and faults as this API writes them.
- ``gate``: who is calling, signed, how often (R4 to R13).
- ``signature``: what a request's signature is over (R7, R8).
- ``decimals``: exact numbers in and out (R14, R37).
- ``ids``, ``window``, ``cursor``: ids (R16), spans of time (R17), pages (R18).
- ``routes``: which path is which endpoint; the way in.

Decisions R1 to R38 are the project's readings where the vendor's documentation is silent; docs/trade-desk.md has them.
"""
