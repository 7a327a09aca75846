"""The taker desk: the Stove takers' API, under ``/api/v1``: makers sign orders, takers lock and fill them.

- ``api``: the entry point. ``routes``: the route table (K3).
- ``gate``: authentication and rate limits; API keys for takers (K4), JWTs for makers.
- ``signature``: the text that a request's signature covers (K5). ``sessions``: the makers' JWTs.
- ``cross_origin``: browsers' requests from other origins (K52).
- ``envelope``: answers and faults (K7). ``refusals``: the faults of what the services refuse.
- ``schema``, ``list_schema``: the forms of bodies and queries. ``parameters``: reads the parameters of a query.
- ``objects``: orders and fills in answers.
- ``makers``, ``takers``, ``connecting``, ``validate``, ``lists``, ``instruments``: the endpoints.

K-numbers are the project's rules where the vendor's documentation is silent (docs/taker-desk.md).
"""
