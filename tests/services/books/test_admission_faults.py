"""What a client was told holds, whatever went wrong at whichever call of its request (guarantees 1 and 7).

Each request is made once for every call and fault; then all that is in the inbox is delivered and the invariants are
checked. Admitted or cancelled: it is there and gets decided. Refused or Unavailable: no table has changed. Anything
may have become of a request whose outcome is unknown, or whose function died, but no funds are lost.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.domain.books.admission import Refusal, RefusalCode
from chalicelib.domain.books.config import BookConfig
from chalicelib.domain.books.vocabulary import BookStatus
from chalicelib.domain.ledger.owners import customer_key
from chalicelib.services.books.admission import Admission, Admitted
from chalicelib.services.books.amending import Amending, NewTerms, Queued
from chalicelib.services.books.configuring import Configuring
from chalicelib.support.outcomes import OutcomeUnknown, Unavailable
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.external_ids import ExternalIds
from tests.faults import FAULTS, Died, WatchedClient
from tests.in_memory import database_of, each_call, empty_tables
from tests.invariants import check_invariants
from tests.scenarios import CREDITED, Scenario
from tests.world import BOOK_ID, INSTANCE, NOW_MS, World, asked


def a_market(world: World) -> None:
    world.placed("ann", "SELL", 100, 50)
    world.deliver()


def limit(database: Database, _world: World) -> object:
    return Admission(database).place(INSTANCE, BOOK_ID, asked("ben", "BUY", 10, 50))


def market(database: Database, _world: World) -> object:
    return Admission(database).place(INSTANCE, BOOK_ID, asked("ben", "BUY", 10))


def named(database: Database, _world: World) -> object:
    """An order by value with a name of its customer's (R25, R31)."""
    wanted = asked("ben", "BUY", 0, value=500, notional_min=1, external_id="mine")
    return Admission(database).place(INSTANCE, BOOK_ID, wanted)


def expiring(database: Database, _world: World) -> object:
    """An order that expires (R24)."""
    return Admission(database).place(INSTANCE, BOOK_ID, asked("ben", "BUY", 10, 40, expires_at_ms=NOW_MS + 1_000))


def batch(database: Database, _world: World) -> object:
    """Orders of which the second and the fourth are refused; the account is found too small by the transaction."""
    ends_at_ms = NOW_MS + 1_000
    orders = [
        asked("ben", "BUY", 10, 40, expires_at_ms=ends_at_ms, external_id="one"),
        asked("ben", "BUY", 10**7, 40),
        asked("ben", "SELL", 10, 60),
        asked("ben", "BUY", 1, 40, external_id="ONE"),
        asked("ben", "BUY", 2, 40),
    ]
    return Admission(database).place_all(INSTANCE, BOOK_ID, orders)


def market_batch(database: Database, _world: World) -> object:
    return Admission(database).place_all(INSTANCE, BOOK_ID, [asked("ben", "BUY", 10), asked("ben", "BUY", 5, 40)])


def too_much(database: Database, _world: World) -> object:
    return Admission(database).place(INSTANCE, BOOK_ID, asked("ben", "SELL", 10**7, 50))


def cancel(database: Database, world: World) -> object:
    (row,) = world.orders.newest_first(customer_key(INSTANCE, "ann"))
    return Admission(database).cancel(INSTANCE, "ann", row.order_id)


def amend(database: Database, world: World) -> object:
    """An amendment that sets funds aside (O8)."""
    (row,) = world.orders.newest_first(customer_key(INSTANCE, "ann"))
    return Amending(database).amend(INSTANCE, "ann", row.order_id, NewTerms(45, 120))


def pause(database: Database, _world: World) -> object:
    return Configuring(database).change(INSTANCE, BOOK_ID, {"status": BookStatus.PAUSED, "maker_fee_bps": 7})


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(
    "request_of", [limit, market, named, expiring, batch, market_batch, too_much, cancel, amend, pause]
)
def test_what_a_client_was_told_holds(request_of: Callable[[Database, World], object], fault: str) -> None:
    client = empty_tables()
    built = Scenario(a_market).world(database_of(client))
    for tables, faulty in each_call(client, FAULTS[fault]):
        world = built.over(database_of(tables))
        before = world.tables()
        told: object = "nothing"
        try:
            told = request_of(database_of(faulty), world)
        except Unavailable:
            assert world.tables() == before, f"unavailable at call {faulty.at}, and something was changed"
        except (OutcomeUnknown, Died):
            pass
        world.stream_new_commands()
        if isinstance(told, Admitted | list):
            assert len(world.records) == len(built.records) + 1
        elif isinstance(told, BookConfig):
            assert world.books.config(world.book) == told
        assert world.deliver() == []
        check_invariants(world, CREDITED)
        if isinstance(told, Admitted):
            assert world.order("ben", told.order.order_id).sequence is not None
            if request_of is named:
                assert (
                    ExternalIds(world.database).order_of(customer_key(INSTANCE, "ben"), "MINE") == told.order.order_id
                )
        elif isinstance(told, list):
            admitted = [one.order.order_id for one in told if isinstance(one, Admitted)]
            assert len(admitted) == (3 if request_of is batch else 2)
            assert all(world.order("ben", order_id).sequence is not None for order_id in admitted)
        elif isinstance(told, BookConfig):
            assert world.folded().book.terms == told.terms
        elif isinstance(told, Queued):
            assert world.outcome(told).ended is not None
            (row,) = world.orders.newest_first(customer_key(INSTANCE, "ann"))
            assert (row.price, row.quantity) == (45, 120)
        elif told is True:
            assert not next(world.orders.newest_first(customer_key(INSTANCE, "ann"))).status.is_live
        elif request_of is too_much:
            assert world.tables() == before


def test_a_market_buy_whose_name_is_taken_at_that_moment_is_told_so(memory_database: Database) -> None:
    """Its budget is not worked out again: not the account has changed, but another order has the name."""
    Scenario(a_market).world(memory_database)
    owner = customer_key(INSTANCE, "ben")

    def overtake(operation: str, call: Callable[[], Any]) -> Any:
        if operation == "transact_write_items" and ExternalIds(memory_database).order_of(owner, "mine") is None:
            memory_database.transact([ExternalIds(memory_database).take(owner, "mine", "ord_another")])
        return call()

    client: Any = WatchedClient(memory_database._client, overtake)
    wanted = asked("ben", "BUY", 10, external_id="mine")
    told = Admission(Database(client, memory_database._prefix)).place(INSTANCE, BOOK_ID, wanted)
    assert isinstance(told, Refusal)
    assert told.code is RefusalCode.EXTERNAL_ID_TAKEN
