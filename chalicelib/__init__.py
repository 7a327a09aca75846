"""Tallybook: an order service on serverless functions over DynamoDB.

Floors, from the top down; each may import those below it, never those above (``make lint`` checks it):

- ``ops``: what the operator runs. ``cli``: the command line; ``verify``: the proof of books, rows and money;
  ``agents``: tools for agents.
- ``wiring``: builds the floors below from the environment, once; the one place that reads it, with ``telemetry``.
  ``book``, ``trade``, ``taker``, ``escrow``: build each desk, its endpoints and their services, over given tables.
- ``apis``: HTTP, one room for each desk, named after it: ``book``, ``trade``, ``taker``, ``escrow``. They translate,
  decide nothing about money, and import no table and no other desk. ``kit``: what all desks share. ``front``: what is
  at the door; ``reference``: the documents that it shows; ``console``: the page in the browser.
- ``services``: what happens: reads rows, asks the domain, writes rows under conditions. ``books``: admission, matching,
  projection, expiry, market data, redrive, rebuild; ``ledger``, ``signed``, ``escrow``, ``tenancy``; ``feed``: reads
  the logs of an instance as events; ``sweeps``: periodic work with backoff. The reading module of an area answers
  what endpoints ask of it.
- ``tables``: DynamoDB: the client, attempts, one module for each table; every write of the program, conditions named.
- ``domain``: pure rules. No AWS, clock, randomness or environment. Rooms: ``books``, ``ledger``,
  ``signed``, ``escrow``, ``tenancy``, ``feed``.
- ``support``: clock and ids, log and metrics, what became of a write; imports nothing else of the program.
"""
