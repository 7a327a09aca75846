"""``verify`` accepts unedited tables, whatever has happened, and writes nothing."""

from __future__ import annotations

import pytest

from chalicelib.domain.books.admission import OrderRequest
from chalicelib.domain.books.events import Accepted, Event, Rested, Traded
from chalicelib.domain.books.journal import Head, draft
from chalicelib.domain.books.vocabulary import BookStatus, CloseReason, OrderStatus, OrderType, PlaceOrder, TimeInForce
from chalicelib.domain.ledger.amounts import Side
from chalicelib.ops.verify.verifier import Verifier
from chalicelib.services.books.admission import Admitted
from chalicelib.services.books.loading import Loading, UnknownBook
from chalicelib.services.books.redrive import redrive
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.snapshots import Snapshots
from tests.ops.verify.hands import FUNDS, account, disagreement, edit, journal, rows, stored_fills, traded_in, verified
from tests.recording import nobody
from tests.world import BASE, BOOK_ID, INSTANCE, NOW_MS, QUOTE, World


def test_the_world_of_these_tests_has_been_through_everything(world: World) -> None:
    """Else a clean verification would prove little."""
    orders = rows(world, "open-orders") + rows(world, "orders")
    assert {row["status"] for row in orders} == set(OrderStatus)
    reasons = {CloseReason(row["reason"]) for row in orders if row.get("reason")}
    assert reasons >= {
        CloseReason.USER_CANCELLED, CloseReason.IOC_REMAINDER, CloseReason.MARKET_REMAINDER,
        CloseReason.FOK_UNFILLABLE, CloseReason.BOOK_INACTIVE, CloseReason.EXPIRED,
    }  # fmt: skip
    assert any("cancel_refused" in row for row in orders)
    fills = stored_fills(world)
    assert any(fill.fee for fill in fills)
    sides = [(fill.owner, fill.trade_id) for fill in fills]
    assert len(sides) > len(set(sides)), "nobody traded with itself"
    snapshot = Snapshots(world.database).newest(world.book)
    assert snapshot is not None
    assert 0 < snapshot.sequence < len(journal(world)) - 1
    assert journal(world)[-1] == traded_in(world)[-1]


def test_an_honest_world_agrees_and_is_counted(world: World) -> None:
    report = verified(world)
    (book,), (instance,) = report.books, report.instances
    entries = journal(world)
    assert (book.entries, book.sequence, book.hash) == (len(entries), entries[-1].sequence, entries[-1].hash)
    assert book.events == sum(len(entry.events) for entry in entries)
    assert (book.orders, book.fills, book.undecided) == (len(world.order_rows()), len(stored_fills(world)), 0)
    assert instance.assets == {BASE: 5 * FUNDS, QUOTE: 5 * FUNDS - 1_000}
    assert instance.accounts == 2 * 5 + 2  # five customers and the book's fees


def test_verifying_writes_nothing(world: World) -> None:
    before = world.tables()
    verified(world)
    edit(world, "accounts", account(world, "ann", BASE), available=1)
    edited = world.tables()
    assert edited != before
    disagreement(world)
    assert world.tables() == edited


def test_an_empty_book_agrees(memory_database: Database) -> None:
    report = verified(World(memory_database))
    assert (report.books[0].entries, report.books[0].sequence, report.books[0].snapshot) == (0, 0, None)


def test_an_unknown_book_is_refused(world: World) -> None:
    with pytest.raises(UnknownBook):
        Verifier(world.database).verify(f"{INSTANCE}/ob_none")


def test_a_closed_book_agrees(world: World) -> None:
    world.change_status(BookStatus.CLOSED)
    assert world.deliver(records=world.records[-1:]) == []
    report = verified(world)
    assert report.books[0].status == "CLOSED"


def test_a_snapshot_older_than_the_first_change_of_terms_agrees(
    memory_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The snapshot shows those that the book was made with."""
    monkeypatch.setattr("chalicelib.domain.books.snapshot.SNAPSHOT_AFTER_BYTES_MIN", 1)
    world = World(memory_database)
    world.credit("ann", QUOTE, FUNDS)
    world.placed("ann", "BUY", 10, 50)
    world.deliver()
    monkeypatch.undo()
    world.change_status(BookStatus.PAUSED)
    world.deliver(records=world.records[1:])
    report = verified(world)
    assert (report.books[0].snapshot, report.books[0].sequence, report.books[0].status) == (1, 2, "PAUSED")


def test_a_journal_from_before_empty_legs_were_refused_agrees_and_goes_on(memory_database: Database) -> None:
    """Its trades pay nothing and its dust rests (T46), its terms name no lot; who meets the dust has it closed."""
    world = World(memory_database, base_decimals=1)
    world.credit("ben", BASE, 10)
    world.credit("ann", QUOTE, 100)

    def admitted(customer: str, side: Side, quantity: int) -> PlaceOrder:
        outcome = world.admission.place(
            INSTANCE, BOOK_ID, OrderRequest(customer, side, OrderType.LIMIT, TimeInForce.GTC, 3, quantity)
        )
        assert isinstance(outcome, Admitted)
        return outcome.order

    ask, bids = admitted("ben", Side.SELL, 10), [admitted("ann", Side.BUY, quantity) for quantity in (3, 3, 2)]
    events: list[Event] = [Accepted(ask), Rested(ask, 10, 10)]
    for bid, left in zip(bids, (7, 4, 2), strict=True):
        events += [Accepted(bid), Traded(ask, bid, 3, bid.quantity, 0, 0, 0, 1, left, 0)]
    world.journal.append(draft(world.book, Head(), NOW_MS, 0, events))
    Loading(memory_database).load(world.book)
    assert world.views.of(world.book).asks == ((3, 2),)
    assert verified(world).books[0].events == 8

    admitted("ann", Side.BUY, 10)
    nobody(redrive)(memory_database, world.matcher(), world.book)
    assert world.views.of(world.book).asks == ()
    assert world.balance("ben", BASE) == (2, 0)
    assert {row["reason"] for row in rows(world, "orders", order_id=ask.order_id)} == {CloseReason.DUST}
    verified(world)
