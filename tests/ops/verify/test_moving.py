"""Books that change during a reading are read again, and given up after a few times."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from itertools import count
from typing import Any, TypeVar

import pytest

from chalicelib.domain.books.vocabulary import BookStatus
from chalicelib.ops.verify.verifier import BookMoves, Verifier
from chalicelib.services.books.disagreements import Disproved
from chalicelib.tables.dynamodb import Database
from tests.faults import FULL_SWEEP, Call, Died, Fault, FaultyClient, WatchedClient, raising
from tests.in_memory import database_of, empty_tables
from tests.memory import MemoryDynamoDB
from tests.ops.verify.hands import account, edit, journal, remove, rows
from tests.services.escrow.world import EscrowWorld
from tests.services.signed.market import open_market
from tests.world import BASE, World

T = TypeVar("T")


class AtWork:
    """A watch under whose eyes the book goes on: before the orders are read, an order comes and is matched."""

    def __init__(self, world: World, times: int) -> None:
        self._world = world
        self._times = times
        self._prices = count(92)
        self.readings = 0

    def __call__(self, items: Iterable[T], what: str, total: int | None) -> Iterable[T]:  # noqa: ARG002
        if what == "open orders":
            self.readings += 1
            if self.readings <= self._times:
                self._world.placed("ann", "BUY", 1, next(self._prices))
                assert self._world.deliver(records=self._world.records[-1:]) == []
        return items


def test_a_book_that_moved_while_it_was_read_is_read_again(world: World) -> None:
    watch = AtWork(world, times=1)
    report = Verifier(world.database, watch).verify(world.book)
    assert watch.readings == 2
    assert report.books[0].sequence == len(journal(world))


def test_a_book_that_changes_at_every_reading_is_given_up(world: World) -> None:
    watch = AtWork(world, times=9)
    with pytest.raises(BookMoves, match=world.book):
        Verifier(world.database, watch).verify(world.book)
    assert watch.readings == 3


def test_orders_admitted_and_not_matched_move_a_book_too(world: World) -> None:
    """No entry tells of them: their holds do."""
    watch = AtWork(world, times=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world, "deliver", lambda **_: [])
        report = Verifier(world.database, watch).verify(world.book)
    assert (watch.readings, report.books[0].undecided) == (2, 1)


def test_an_order_that_comes_to_rest_moves_a_book_too(world: World) -> None:
    """It was admitted before the reading, so no account changes under it: the journal tells."""
    world.placed("ann", "BUY", 1, 92)
    watch = AtWork(world, times=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world, "placed", lambda *_: "")
        report = Verifier(world.database, watch).verify(world.book)
    assert (watch.readings, report.books[0].undecided) == (2, 0)


def test_a_real_disagreement_is_reported_of_a_moving_book_too(world: World) -> None:
    """Two readings that show the same one are enough."""
    row = rows(world, "fills")[0]
    remove(world, "fills", row, "owner", "fill")
    watch = AtWork(world, times=9)
    with pytest.raises(Disproved, match=row["fill"]):
        Verifier(world.database, watch).verify(world.book)
    assert watch.readings == 2


def test_a_disagreement_of_a_quiet_book_is_reported_after_one_reading(world: World) -> None:
    edit(world, "accounts", account(world, "ann", BASE), available=1)
    watch = AtWork(world, times=0)
    with pytest.raises(Disproved):
        Verifier(world.database, watch).verify(world.book)
    assert watch.readings == 1


PAGE_BYTES = 700
"""Of a scan: some rows, so that most of a reading's calls come between two rows."""
Work = Callable[[Database], None]


def before(call_number: int, works: Iterable[Callable[[], None]]) -> Fault:
    """Return a watch that does one work before the call with this number and one before each next call."""
    calls, left = count(1), iter(works)

    def watch(_operation: str, call: Call) -> Any:
        if next(calls) >= call_number:
            next(left, lambda: None)()
        return call()

    return watch


def agrees_whatever_comes_before_which_call(client: MemoryDynamoDB, *works: Work) -> None:
    """Verify all with the works before each third call in turn: some more readings, never a disagreement.

    ``make sweep`` does so before every call.
    """
    client._page_bytes_max = PAGE_BYTES
    counting: Any = FaultyClient(client.clone(), lambda _, call: call())
    Verifier(database_of(counting)).verify(None)
    for at in range(1, counting.calls + 1, 1 if FULL_SWEEP else 3):
        tables: Any = client.clone()
        beside = database_of(tables)
        watched: Any = WatchedClient(tables, before(at, [partial(work, beside) for work in works]))
        Verifier(database_of(watched)).verify(None)
        for work in works:
            work(beside)
        Verifier(beside).verify(None)


def a_batch_that_rests(world: World) -> None:
    world.placed("ann", "BUY", 1, 92)


def a_batch_that_trades(world: World) -> None:
    world.now_ms += 86_400_000
    world.placed("ann", "BUY", 1, 110)


def a_batch_that_closes(world: World) -> None:
    (order, *_) = (row for row in world.database.scan("open-orders") if row["customer"] == "ben")
    world.cancel("ben", order["order_id"])
    world.cancel_all("cat")


def a_batch_of_other_terms(world: World) -> None:
    world.change(maker_fee_bps=7)


@pytest.mark.parametrize("dies", [False, True], ids=["goes on", "dies with its commit"])
@pytest.mark.parametrize(
    "batch", [a_batch_that_rests, a_batch_that_trades, a_batch_that_closes, a_batch_of_other_terms]
)
def test_a_matcher_beside_the_reading_is_no_disagreement(
    world: World, batch: Callable[[World], None], dies: bool
) -> None:
    """Another one finishes a call later what one that died has committed."""
    at = len(world.records)
    batch(world)
    records = world.records[at:]

    def dying(database: Database) -> None:
        client: Any = FaultyClient(database._client, raising(Died(), after=True), at=1, operation="put_item")
        with suppress(Died):
            finishing(database_of(client))

    def finishing(database: Database) -> None:
        over = world.over(database)
        over.deliver(records=records)

    client: Any = world.database._client
    agrees_whatever_comes_before_which_call(client, *[dying] * dies, finishing)


@pytest.mark.parametrize("status", [BookStatus.PAUSED, BookStatus.CLOSED])
def test_a_change_of_a_book_beside_the_reading_is_no_disagreement(world: World, status: BookStatus) -> None:
    """A book that closes gives its names back in the transaction that sends the command."""

    def change(database: Database) -> None:
        over = world.over(database)
        if over.books.config(over.book) == world.config:
            over.change_status(status)

    client: Any = world.database._client
    agrees_whatever_comes_before_which_call(client, change)


def test_signed_orders_that_move_no_money_beside_the_reading_are_no_disagreement() -> None:
    """A lock writes the order's row and one of its taker's."""
    client = empty_tables()
    market = open_market(database_of(client))
    market.create()

    def lock(database: Database) -> None:
        if "locked" not in market.over(database).seen():
            market.over(database).lock()

    agrees_whatever_comes_before_which_call(client, lock)


def test_escrow_orders_that_move_no_money_beside_the_reading_are_no_disagreement() -> None:
    """A bank-wire payin is a row of its own, counted, told of in the outbox."""
    client = empty_tables()
    world = EscrowWorld(database_of(client))
    order = world.order()

    def pay(database: Database) -> None:
        over = world.over(database)
        if over.now(order).payins == 0:
            over.bankwire(order)

    agrees_whatever_comes_before_which_call(client, pay)
