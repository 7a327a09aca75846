"""A book that the matcher has parked, for the tests of both desks that show books (T53)."""

from __future__ import annotations

from chalicelib.services.books.parking import FAILED_BATCHES_MAX
from chalicelib.tables.batch_failures import NO_FAILURES, BatchFailures
from tests.world import World


def park(world: World) -> None:
    """Park the book as a matcher does after too many failures."""
    at_ms = world.now_ms
    failed = BatchFailures(FAILED_BATCHES_MAX, at_ms, "ord_1", "BrokenJournal: entry 7", at_ms)
    world.failed_batches.note(world.book, NO_FAILURES, failed)
