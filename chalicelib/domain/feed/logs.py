"""Logs of an instance: what its feed is derived from.

A log is a list of immutable entries with sequences 1, 2, 3, ... without gaps: entry N+1 is put on condition that it is
not there. So a reader who has entry N has missed nothing, and knows the key of the next one. There are two kinds:

- ``book/<book id>``: the journal of a book.
- ``<area>/<lane>``: a lane of the outbox. A step of a signed order, of an escrow order or of the ledger puts one entry
  into a lane of its area, in the transaction of the step. An area has several lanes, so that steps seldom ask for the
  same sequence; which one a step takes follows from what it changes, so what happens to one order stands in one lane.

Areas are ``ledger`` (credits, debits, transfers), ``signed`` and, for each world of each merchant,
``escrow/<world>/<merchant>``.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

LANES = 8
"""Lanes of an area. Changing it moves orders to other lanes, which readers do not notice: each lane stays in order."""

BOOK_AREA = "book"
LEDGER_AREA = "ledger"
SIGNED_AREA = "signed"
ESCROW_AREAS = "escrow/"
"""How the area of every merchant's world begins."""
DIGEST_DIGITS, STAMP_DIGITS = 12, 8


def book_log(book_id: str) -> str:
    """Return the log of a book's journal."""
    return f"{BOOK_AREA}/{book_id}"


def escrow_area(world: str, merchant: str) -> str:
    """Return the area of a merchant's world."""
    return f"{ESCROW_AREAS}{world}/{merchant}"


def lanes_of(area: str) -> list[str]:
    """Return the logs of an area."""
    return [f"{area}/{number}" for number in range(LANES)]


def lane_for(area: str, thing: str) -> str:
    """Return the log of an area that takes what happens to a thing: an order's id, a customerRef."""
    return f"{area}/{hashlib.sha256(thing.encode(errors='surrogatepass')).digest()[0] % LANES}"


@lru_cache(maxsize=4096)
def log_digest(instance: str, log: str) -> str:
    """Return twelve hexadecimal digits that name a log of any instance."""
    return hashlib.sha256(f"{instance}/{log}".encode(errors="surrogatepass")).hexdigest()[:DIGEST_DIGITS]


def stamp_of(at_ms: int, mark: str) -> str:
    """Return eight hexadecimal digits that tell an entry from another of its number, in a table made anew or restored.

    at_ms: when the entry was decided. mark: a journal entry's hash, which covers all before it; the command of an entry
        in a lane.
    """
    return hashlib.sha256(f"{at_ms}/{mark}".encode(errors="surrogatepass")).hexdigest()[:STAMP_DIGITS]
