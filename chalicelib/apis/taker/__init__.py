"""The taker desk: makers' signed orders, locked and filled by takers, under ``/api/v1``.

- ``envelope``: answers and faults as this API writes them (K7).
- ``gate``: who is calling, how often; by API key for takers (K4), by JWT for makers.
- ``signature``: what a request's signature is over (K5). ``sessions``: the makers' JWTs.
- ``schema``: the form of request bodies, all their bad fields at once. ``objects``: orders and fills as they are shown.
- ``makers``, ``takers``, ``validate``, ``lists``: the endpoints.
- ``routes``: which path is which endpoint (K3); the way in.

Decisions K1 to K35 are the project's readings where the vendor's documentation is silent.
"""
