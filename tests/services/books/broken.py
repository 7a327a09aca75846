"""A book whose journal cannot be read, parked and released."""

from __future__ import annotations

from functools import partial
from typing import Any

from chalicelib.services.books.matcher import Matcher
from chalicelib.services.books.parking import FAILED_BATCHES_MAX
from chalicelib.tables.batch_failures import BatchFailures
from chalicelib.tables.dynamodb import Database
from tests.scenarios import Scenario
from tests.world import World

OTHER_TENANT = "inst_other001"


def broken_world(database: Database, **order: Any) -> World:
    """A book in which an order rests, and whose journal cannot be read."""
    world = Scenario(partial(rest, **order)).world(database)
    assert world.deliver() == []
    spoil_or_mend_journal(world)
    return world


def rest(world: World, **order: Any) -> None:
    world.placed("ann", "SELL", 30, 50, **order)


def spoil_or_mend_journal(world: World) -> None:
    """Turn the hash of the first entry round; twice, it is as it was."""
    row = world.database.get("journal", {"book": world.book, "sequence": 1})
    assert row is not None
    world.database.put_many("journal", [row | {"hash": row["hash"][::-1]}])


def park(world: World) -> None:
    """Deliver until the book is parked, each time to a matcher that remembers nothing."""
    for _ in range(FAILED_BATCHES_MAX):
        assert world.deliver() != []
    assert failures_of(world).parked_at_ms == world.now_ms


def failures_of(world: World) -> BatchFailures:
    found = world.books.with_failures(world.book)
    assert found is not None
    return found[1]


def releasing(world: World, database: Database | None = None) -> Matcher:
    return Matcher(database or world.database, lambda: world.now_ms, takes_parked=True)
