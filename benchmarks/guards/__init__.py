"""The guards that docs/guarantees.md relies on, each with the test that must fail without it (``unguarded``).

A guard is a condition, a check or an order of steps. Each module has those of one part of the program.
"""

from __future__ import annotations

from benchmarks.guards import (
    apis,
    domain,
    domain_books,
    others,
    services_books,
    services_desks,
    services_feed,
    services_matcher,
    tables_books,
    tables_desks,
    tables_engine,
)

GUARDS = [
    *apis.GUARDS,
    *domain.GUARDS,
    *domain_books.GUARDS,
    *others.GUARDS,
    *services_books.GUARDS,
    *services_desks.GUARDS,
    *services_feed.GUARDS,
    *services_matcher.GUARDS,
    *tables_books.GUARDS,
    *tables_desks.GUARDS,
    *tables_engine.GUARDS,
]
