"""Tallybook: an order service on serverless functions over DynamoDB.

Rooms, from the inside out; each may import only what stands above it:

- ``core``: pure. Matching, ledger arithmetic, journal entries. No AWS, clock, randomness or environment; so are
  ``allowance``, ``api_tokens``, ``ascii_case``, ``depths``, ``observing``, ``tenancy``. ``clock`` gives time and ids.
- ``stores``: one module for each table; every DynamoDB write of the program is in here.
- ``signed``: signed orders. Pure (``order``, ``lifecycle``, ``settlement``), over which ``stores`` are built; and the
  taker desk (``desk``), put together from these and the stores.
- ``escrow``: escrow orders, likewise: pure but for ``desk`` and what it is put together from.
- ``admission``, ``stream``, ``undecided``, ``loading``, ``matcher``, ``projection``, ``outcomes``: the steps of an
  order's way, core and stores put together; ``configuring`` makes and changes books, ``expiring`` wakes them, ``tape``
  and ``market_data`` tell what they traded, ``due_work`` sweeps, ``lost`` brings back what no stream brings any more,
  ``parking`` sets aside a book that fails.
- ``keeping``, ``recent``: what a process remembers, and how much of it.
- ``strangers``: how often a client address may come without credentials, for all desks.
- ``movements``, ``statements``: credits, debits and transfers, and what happened to a balance.
- ``redrive``, ``rebuilding``, ``verify``, ``cli``: the operator's commands.
- ``watching``, ``match_watch``, ``redaction``: log and metrics. ``master_keys``: where secrets come from.
- ``wire``: one module for each dialect that is spoken over HTTP; translates, decides nothing about money.
- ``wiring``: builds the above from the environment, in one place.
"""
