"""Crash points, swept: the matcher dies before or after each DynamoDB call of a scenario in turn.

Then everything is delivered again to a new matcher, and the guarantees are checked. Dying after a call means that the
call was done and its answer lost.
"""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.matcher import Matcher
from chalicelib.stores.dynamodb import Database
from infra.tables import create_tables
from tests.faults import Died, FaultyClient
from tests.world import BASE, NOW_MS, QUOTE, World, check_invariants, drop_tables

FUNDS = 10**6
CALLS_MAX = 200


def build(database: Database) -> World:
    """A book with resting orders, and a batch that trades with them, rests, closes and trades with itself."""
    world = World(database, maker_fee_bps=5, taker_fee_bps=15)
    for customer in ("ann", "ben"):
        world.credit(customer, BASE, FUNDS)
        world.credit(customer, QUOTE, FUNDS)
    world.placed("ann", "SELL", 300, 50)
    world.placed("ben", "SELL", 200, 51)
    world.deliver()
    world.placed("ben", "BUY", 400, 52)
    world.placed("ann", "BUY", 500, 51, "IOC")
    world.placed("ben", "BUY", 10, 40)
    return world


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("remembers", [False, True], ids=["new", "warm"])
def test_dying_at_any_call_leaves_nothing_that_a_redelivery_does_not_mend(
    moto_client: Any, after: bool, remembers: bool
) -> None:
    """Guarantees 1 to 6 at every crash point. remembers: the matcher that dies knew the book from before."""
    for dies_at in range(1, CALLS_MAX):
        prefix = f"crash-{after}-{remembers}-{dies_at}"
        create_tables(moto_client, prefix)
        world = build(Database(moto_client, prefix))
        dying = FaultyClient(moto_client, Died(), after=after)
        matcher = Matcher(Database(dying, prefix), lambda: NOW_MS)  # type: ignore[arg-type]
        if remembers:
            world.deliver(matcher, world.records[:2])
        dying.fail_at(dies_at)
        try:
            world.deliver(matcher)
            died = False
        except Died:
            died = True
        if died:
            assert world.deliver() == [], f"dying at call {dies_at}"
        check_invariants(world, {BASE: 2 * FUNDS, QUOTE: 2 * FUNDS})
        drop_tables(moto_client)
        if not died:
            assert dies_at > 10, "the sweep reached hardly any call"
            return
    pytest.fail(f"the scenario takes more than {CALLS_MAX} calls")
