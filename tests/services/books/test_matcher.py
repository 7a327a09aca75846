"""The matcher over its tables: redelivery, fencing, poison, crashes between commit and projection."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import count

import pytest

from chalicelib.domain.books.admission import Refusal, RefusalCode
from chalicelib.domain.books.book import Book
from chalicelib.domain.books.commands import Step, decide
from chalicelib.domain.books.journal import BrokenJournal
from chalicelib.domain.books.vocabulary import BookStatus, CloseReason, Command, OrderStatus
from chalicelib.ops.verify.verifier import Verifier
from chalicelib.services.books import deciding
from chalicelib.services.books import matcher as matcher_module
from chalicelib.services.books.matcher import Matcher
from chalicelib.services.books.projection import Projector
from chalicelib.services.books.redrive import redrive
from chalicelib.support.outcomes import Unavailable
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.inbox import commands_of
from chalicelib.tables.journal import EntryExists, Journal
from chalicelib.tables.rows import decode
from tests.invariants import check_invariants
from tests.world import BASE, BOOK_ID, INSTANCE, QUOTE, World, failing_book

FUNDS = 10**6


@pytest.fixture
def world(memory_database: Database) -> World:
    world = World(memory_database, maker_fee_bps=5, taker_fee_bps=15)
    for customer in ("ann", "ben", "cat"):
        world.credit(customer, BASE, FUNDS)
        world.credit(customer, QUOTE, FUNDS)
    return world


CREDITED = {BASE: 3 * FUNDS, QUOTE: 3 * FUNDS}


def place_some(world: World, count: int, seed: int) -> None:
    draw = random.Random(seed)
    for _ in range(count):
        customer, side = draw.choice(["ann", "ben", "cat"]), draw.choice(["BUY", "SELL"])
        price = draw.choice([None, *range(95, 106)])
        time_in_force = draw.choice(["GTC", "GTC", "IOC", "FOK"])
        world.place(customer, side, draw.randint(1, 50), price, time_in_force)


def test_two_crossing_orders_are_filled_and_their_money_changes_hands(world: World) -> None:
    bid = world.placed("ann", "BUY", 10_000, 50)
    ask = world.placed("ben", "SELL", 10_000, 50)
    assert world.balance("ann", QUOTE) == (FUNDS - 500_000, 500_000)

    assert world.deliver() == []

    assert world.order("ann", bid).status is world.order("ben", ask).status is OrderStatus.FILLED
    # ann was the maker: 5 bps of the 10,000 base she gets; ben the taker: 15 bps of the 500,000 quote he gets.
    assert world.balance("ann", BASE) == (FUNDS + 10_000 - 5, 0)
    assert world.balance("ann", QUOTE) == (FUNDS - 500_000, 0)
    assert world.balance("ben", BASE) == (FUNDS - 10_000, 0)
    assert world.balance("ben", QUOTE) == (FUNDS + 500_000 - 750, 0)
    assert (world.fees(BASE), world.fees(QUOTE)) == (5, 750)
    check_invariants(world, CREDITED)


def test_fills_show_both_halves_of_a_trade(world: World) -> None:
    bid = world.placed("ann", "BUY", 7, 50)
    ask = world.placed("ben", "SELL", 3, 40)
    world.deliver()
    (bought,) = world.fills.newest_first(f"{INSTANCE}/customer/ann")
    (sold,) = world.fills.newest_first(f"{INSTANCE}/customer/ben")
    assert (bought.order_id, bought.is_maker, bought.price, bought.quantity) == (bid, True, 50, 3)
    assert (sold.order_id, sold.is_maker, sold.notional, sold.book_id) == (ask, False, 150, BOOK_ID)
    assert bought.trade_id == sold.trade_id


def test_a_resting_order_shows_in_the_depth_view(world: World) -> None:
    world.placed("ann", "BUY", 10, 50)
    world.placed("ben", "BUY", 5, 50)
    world.placed("ben", "SELL", 5, 60)
    world.deliver()
    depth = world.views.of(world.book)
    assert (depth.bids, depth.asks) == (((50, 15),), ((60, 5),))


@pytest.mark.parametrize("seed", range(2))
def test_every_batch_delivered_twice_and_again_in_overlapping_halves_changes_nothing(world: World, seed: int) -> None:
    """Redelivery: to the same matcher, which remembers, and to new ones, which read the tables (guarantee 5)."""
    remembering = world.matcher()
    delivered = 0
    for batch in range(5):
        place_some(world, 12, seed=100 * seed + batch)
        records = world.records[delivered:]
        delivered = len(world.records)
        assert world.deliver(remembering, records) == []
        once = world.tables()
        third = len(records) // 3
        for matcher in (remembering, world.matcher()):
            assert world.deliver(matcher, records) == []
            assert world.deliver(matcher, records[: 2 * third]) == []
            assert world.deliver(matcher, records[third:]) == []
        assert world.deliver(world.matcher()) == []  # everything since the beginning
        assert world.tables() == once
    check_invariants(world, CREDITED)


def test_batches_cut_anywhere_give_the_same_book_as_one_batch(world: World) -> None:
    place_some(world, 30, seed=5)
    draw = random.Random(1)
    at = 0
    while at < len(world.records):
        size = draw.randint(1, 4)
        # each piece overlaps the one before, and a new matcher takes it over
        world.deliver(world.matcher(), world.records[max(0, at - 2) : at + size])
        at += size
    at_once = Book(world.config.first_rules)
    for record in world.records:
        (command,) = commands_of(decode(record["dynamodb"]["NewImage"]))
        list(decide(at_once, command, world.now_ms))
    assert world.folded().book.state() == at_once.state()
    check_invariants(world, CREDITED)


def test_a_late_record_below_the_watermark_is_decided_once(world: World) -> None:
    """When a shard splits, a record can come after younger ones: it is looked up, found undecided, and decided."""
    world.placed("ann", "BUY", 10, 50)
    late = world.placed("ben", "SELL", 10, 50)
    world.placed("cat", "SELL", 10, 60)
    first, overtaken, third = world.records
    matcher = world.matcher()
    world.deliver(matcher, [first, third])
    world.deliver(matcher, [overtaken])
    world.deliver(matcher, [overtaken])
    assert world.order("ben", late).status is OrderStatus.FILLED
    check_invariants(world, CREDITED)


def test_a_stale_matcher_is_fenced_off_and_catches_up(world: World) -> None:
    """Two matchers take turns on one book, each with a memory that the other has made stale."""
    one, other = world.matcher(), world.matcher()
    for turn in range(6):
        at = len(world.records)
        place_some(world, 4, seed=turn)
        first, second = (one, other) if turn % 2 else (other, one)
        assert world.deliver(first, world.records[at : at + 3]) == []
        assert world.deliver(second, world.records[at:]) == []
    check_invariants(world, CREDITED)


def test_an_entry_can_be_written_only_once(world: World) -> None:
    world.placed("ann", "BUY", 10, 50)
    world.deliver()
    (entry,) = world.journal.after(world.book, 0)
    before = world.tables()
    with pytest.raises(EntryExists):
        world.journal.append([entry])
    assert world.tables() == before


@pytest.mark.parametrize("survives", [False, True], ids=["new", "same"])
def test_projections_that_fail_are_finished_at_the_next_delivery(
    world: World, monkeypatch: pytest.MonkeyPatch, survives: bool
) -> None:
    """The entry is committed, nothing else: what is missing is written then, and nothing is decided again.

    survives: the matcher that failed gets the next delivery too, and must not trust what it remembers.
    """
    world.placed("ann", "BUY", 10, 50)
    world.placed("ben", "SELL", 10, 50)
    matcher = world.matcher()

    def fail(*_: object) -> None:
        raise Unavailable("throttled")

    with monkeypatch.context() as patch:
        patch.setattr(Projector, "project", fail)
        assert world.deliver(matcher) == [world.records[0]["dynamodb"]["SequenceNumber"]]
    assert world.balance("ann", BASE) == (FUNDS, 0)
    assert len(list(world.journal.after(world.book, 0))) == 1

    assert world.deliver(matcher if survives else None) == []
    assert len(list(world.journal.after(world.book, 0))) == 1
    check_invariants(world, CREDITED)


def test_what_was_decided_but_not_committed_is_forgotten(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The order rests in a memory that the journal knows nothing of: the same matcher must not take it for decided."""
    order = world.placed("ann", "BUY", 10, 50)
    matcher = world.matcher()

    def fail(*_: object) -> None:
        raise Unavailable("throttled")

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "append", fail)
        assert world.deliver(matcher) != []
    assert world.deliver(matcher) == []
    assert world.order("ann", order).sequence == 1
    check_invariants(world, CREDITED)


def test_a_new_batch_waits_for_projections_that_an_earlier_run_left(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Were entry 2 projected before entry 1, the accounts' marks would leave entry 1 out for good."""
    world.placed("ann", "BUY", 10, 50)
    world.placed("ben", "SELL", 4, 50)
    with monkeypatch.context() as patch:
        patch.setattr(Projector, "project", lambda *_: (_ for _ in ()).throw(Unavailable("gone")))
        world.deliver()
    world.placed("cat", "SELL", 6, 50)
    assert world.deliver(records=world.records[2:]) == []
    check_invariants(world, CREDITED)


def test_a_command_that_the_core_cannot_decide_is_rejected_and_blocks_nothing(world: World) -> None:
    good = world.placed("ann", "BUY", 10, 50)
    poison = world.placed("ben", "SELL", 10, 50)
    later = world.placed("cat", "SELL", 10, 50)
    image = world.records[1]["dynamodb"]["NewImage"]
    image["order"]["M"]["hold"]["S"] = "9"  # holds less than it sells: admission cannot have written this
    # The tenth unit stays held: the ledger believes the command, which is all there is to believe.
    assert world.deliver() == []
    assert world.order("ben", poison).status is OrderStatus.REJECTED
    assert world.order("ben", poison).reason is CloseReason.INTERNAL_ERROR
    assert world.balance("ben", BASE) == (FUNDS - 1, 1)
    assert world.order("ann", good).status is world.order("cat", later).status is OrderStatus.FILLED


def test_a_core_fault_halfway_leaves_no_half_changed_book(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The core trades, then raises: the book is rebuilt from the journal and the command rejected, hold released."""
    resting = world.placed("ann", "BUY", 10, 50)
    poison = world.placed("ben", "SELL", 4, 50)
    later = world.placed("cat", "SELL", 10, 50)
    honest = deciding.decide

    def faulty(book: Book, command: Command, at_ms: int) -> Iterator[Step]:
        for step in honest(book, command, at_ms):
            if command.command_id == poison:
                raise ZeroDivisionError
            yield step

    monkeypatch.setattr(deciding, "decide", faulty)
    assert world.deliver() == []
    assert world.order("ben", poison).status is OrderStatus.REJECTED
    assert world.balance("ben", BASE) == (FUNDS, 0)
    assert world.order("ann", resting).status is world.order("cat", later).status is OrderStatus.FILLED
    check_invariants(world, CREDITED)


def test_two_cancels_of_an_order_are_one_command_with_one_outcome(world: World) -> None:
    """T29: the second request joins the first one's. T70: also while the order waits for its turn."""
    orders = [world.placed("ann", "BUY", 10, 50)]
    world.deliver()
    orders.append(world.placed("ann", "BUY", 10, 49))
    for order in orders * 2:
        assert world.cancel("ann", order)
    assert [row["order_id"] for row in world.inbox_rows() if row["kind"] == "cancel"] == orders
    assert world.deliver() == []
    assert {world.order("ann", order).reason for order in orders} == {CloseReason.USER_CANCELLED}
    assert not world.cancel("ann", orders[0])
    check_invariants(world, CREDITED)


def test_a_cancel_that_the_core_cannot_decide_is_refused_once_and_its_order_stays_open(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its name is in the journal, because no row of a closed order could show it: it is known when it comes again."""
    order = world.placed("ann", "BUY", 10, 50)
    world.deliver()
    world.cancel("ann", order)
    with monkeypatch.context() as patch:
        patch.setattr(Book, "close", lambda *_: 1 // 0)
        assert world.deliver() == []
    assert world.order("ann", order).cancel_refused
    Verifier(world.database).verify(world.book)
    assert world.deliver() == []
    world.placed("ben", "SELL", 10, 50)
    assert world.deliver() == world.deliver() == []
    redrive(world.database, world.matcher(), world.book)
    assert world.order("ann", order).status is OrderStatus.FILLED
    Verifier(world.database).verify(world.book)
    check_invariants(world, CREDITED)


def test_a_core_fault_in_what_follows_a_command_is_not_the_commands(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The batch is handed back, nothing of it written down; the command is decided once when the fault is mended."""
    order = world.placed("ann", "BUY", 10, 50)
    before = world.tables()
    honest = deciding.decide

    def faulty(book: Book, command: Command, at_ms: int) -> Iterator[Step]:
        yield from honest(book, command, at_ms)
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(deciding, "decide", faulty)
        assert world.deliver() == [world.records[0]["dynamodb"]["SequenceNumber"]]
    assert {name: rows for name, rows in world.tables().items() if name != "books"} == {
        name: rows for name, rows in before.items() if name != "books"
    }
    assert world.deliver() == []
    assert world.order("ann", order).status is OrderStatus.OPEN
    check_invariants(world, CREDITED)


def test_an_order_that_would_trade_too_often_for_one_commit_is_rejected(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deciding, "COMMAND_BYTES_MAX", 1000)
    resting = [world.placed("ann", "SELL", 3, price) for price in range(50, 55)]
    sweep = world.placed("ben", "BUY", 15, 60)
    small = world.placed("ben", "BUY", 6, 60)
    assert world.deliver() == []
    assert world.order("ben", sweep).status is OrderStatus.REJECTED
    assert world.order("ben", small).status is OrderStatus.FILLED
    assert [world.order("ann", each).filled for each in resting] == [3, 3, 0, 0, 0]
    check_invariants(world, CREDITED)


@pytest.mark.parametrize("change", ["MODIFY", "REMOVE"])
def test_only_new_rows_of_the_inbox_are_commands(world: World, change: str) -> None:
    """Expiry removes rows; the mapping's filter keeps such records away, and so does the handler."""
    order = world.placed("ann", "BUY", 10, 50)
    record = {"eventName": change, "dynamodb": {"SequenceNumber": "1"}}
    assert world.deliver(records=[record, *world.records, record]) == []
    assert world.order("ann", order).sequence == 1


def test_a_row_that_is_no_command_is_passed_over(world: World) -> None:
    world.placed("ann", "BUY", 10, 50)
    world.placed("ben", "SELL", 10, 50)
    world.records[0]["dynamodb"]["NewImage"]["kind"] = {"S": "nonsense"}
    assert world.deliver() == []
    assert world.order("ben", "ord_" + world.records[1]["dynamodb"]["NewImage"]["command"]["S"]).sequence == 1


def test_a_book_that_fails_does_not_keep_others_from_being_matched(world: World) -> None:
    """Its first record is handed back; the other book's orders are decided."""
    order = world.placed("ann", "BUY", 10, 50)
    stray = {"eventName": "INSERT", "dynamodb": {"NewImage": None, "SequenceNumber": "1"}}
    image = dict(world.records[0]["dynamodb"]["NewImage"]) | {"book": {"S": failing_book(world)}}
    stray["dynamodb"] = {"NewImage": image, "SequenceNumber": "1"}
    assert world.deliver(records=[stray, *world.records]) == ["1"]
    assert world.order("ann", order).sequence == 1


def test_a_redrive_brings_back_what_the_stream_has_lost_and_a_late_stream_changes_nothing(world: World) -> None:
    """The stream may still have what was redriven, under sequence numbers above the watermark."""
    world.placed("ann", "BUY", 10, 50)
    sold = world.placed("ben", "SELL", 10, 50)
    assert redrive(world.database, world.matcher(), world.book) == 2
    assert world.order("ben", sold).status is OrderStatus.FILLED
    once = world.tables()
    assert redrive(world.database, world.matcher(), world.book) == 0
    assert world.deliver() == []
    assert world.tables() == once
    check_invariants(world, CREDITED)


def test_a_journal_that_was_tampered_with_is_not_matched_on(world: World) -> None:
    world.placed("ann", "BUY", 10, 50)
    world.deliver()
    (row,) = world.database.scan("journal")
    forged = row | {"events": row["events"].replace(b'"price":"50"', b'"price":"49"')}
    assert forged != row
    world.database.put_many("journal", [forged])
    world.placed("ben", "SELL", 10, 50)
    assert world.deliver() == [world.records[0]["dynamodb"]["SequenceNumber"]]
    with pytest.raises(BrokenJournal):
        world.folded()


def test_a_group_of_entries_is_committed_whole_or_not_at_all(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """One command with more trades than an entry holds: several entries, one transaction, projected one by one."""
    monkeypatch.setattr("chalicelib.domain.books.journal.ENTRY_EVENT_BYTES_MAX", 600)
    for price in range(50, 60):
        world.placed("ann", "SELL", 3, price)
    taken = world.placed("ben", "BUY", 30, 60)
    assert world.deliver() == []
    assert world.order("ben", taken).filled == 30
    assert len(list(world.journal.after(world.book, 0))) > 5
    once = world.tables()
    assert world.deliver() == []
    assert world.tables() == once
    check_invariants(world, CREDITED)


def test_a_group_is_refused_whole_when_one_of_its_entries_is_taken(world: World) -> None:
    world.placed("ann", "BUY", 10, 50)
    world.deliver()
    (entry,) = world.journal.after(world.book, 0)
    before = world.tables()
    with pytest.raises(EntryExists):
        world.journal.append([replace(entry, sequence=7), entry])
    assert world.tables() == before


def test_a_cancelled_order_gets_its_hold_back_and_keeps_what_was_filled(world: World) -> None:
    """T29"""
    order = world.placed("ann", "BUY", 10, 50)
    world.placed("ben", "SELL", 4, 50)
    assert world.cancel("ann", order)
    assert world.deliver() == []
    row = world.order("ann", order)
    assert (row.status, row.reason, row.filled) == (OrderStatus.CANCELLED, CloseReason.USER_CANCELLED, 4)
    assert world.balance("ann", QUOTE) == (FUNDS - 200, 0)
    assert world.cancel("ann", order) is False
    check_invariants(world, CREDITED)


def test_a_cancel_that_comes_after_the_fill_is_refused_once(world: World) -> None:
    order = world.placed("ann", "BUY", 10, 50)
    world.placed("ben", "SELL", 10, 50)
    assert world.cancel("ann", order)
    for _ in range(2):
        assert world.deliver() == []
        assert world.deliver(records=world.records[2:]) == []
    row = world.order("ann", order)
    assert (row.status, row.cancel_refused) == (OrderStatus.FILLED, True)
    check_invariants(world, CREDITED)


def test_a_cancel_that_is_asked_for_twice_is_queued_once(world: World) -> None:
    """T29: whoever asks again waits for the first one."""
    order = world.placed("ann", "BUY", 10, 50)
    assert world.cancel("ann", order)
    assert world.cancel("ann", order)
    assert world.cancel("ben", order) is False
    assert len(world.records) == 2


def test_a_cancel_that_comes_without_its_order_finds_it_by_its_row(world: World) -> None:
    """A shard split lets the cancel overtake its order by a whole batch: the order has its turn before all the same."""
    order = world.placed("ann", "BUY", 10, 50)
    world.cancel("ann", order)
    placing, cancelling = world.records
    assert world.deliver(records=[cancelling]) == []
    assert world.order("ann", order).reason is CloseReason.USER_CANCELLED
    assert world.deliver(records=[placing]) == []
    assert world.deliver(records=[cancelling]) == []
    check_invariants(world, CREDITED)


def cancel_all_rows(world: World) -> list[tuple[int | None, int | None, int | None]]:
    """Return how far each cancel-all is by its row: the entries of its turn and of its end, how many it closed."""
    rows = [row for row in world.inbox_rows() if row["kind"] == "cancel_all"]
    return [(row.get("decided"), row.get("ended"), row.get("closed")) for row in rows]


def test_a_cancel_all_closes_what_came_before_it_group_by_group_and_nothing_after(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """O9"""
    monkeypatch.setattr(matcher_module, "EVENTS_PER_ENTRY_GROUP", 4)
    before = [world.placed("ann", "SELL", 10, 50 + number) for number in range(9)]
    before.append(world.placed("ann", "BUY", 10, 40))
    other = world.placed("cat", "SELL", 10, 70)
    world.cancel_all("ann")
    after = world.placed("ann", "SELL", 10, 60)
    world.placed("ben", "BUY", 10, 55)
    assert world.deliver() == []
    rows = [world.order("ann", order) for order in before]
    assert {(row.status, row.reason) for row in rows} == {(OrderStatus.CANCELLED, CloseReason.CANCEL_ALL)}
    assert [world.order(*one).status for one in (("ann", after), ("cat", other))] == [OrderStatus.OPEN] * 2
    assert world.balance("ann", BASE) == (FUNDS - 10, 10)
    ((decided, ended, closed),) = cancel_all_rows(world)
    assert closed == 10
    assert decided is not None
    assert ended is not None
    assert ended > decided, "ten orders need more than one group of four"
    check_invariants(world, CREDITED)


def test_a_cancel_all_that_comes_again_closes_nothing_that_came_after_it(world: World) -> None:
    """By the stream, from the inbox, by a matcher that remembers nothing, after its row has gone."""
    world.placed("ann", "SELL", 10, 50)
    world.cancel_all("ann")
    world.placed("ann", "SELL", 10, 60)
    assert world.deliver() == []
    once = world.tables()
    assert world.deliver() == []
    assert world.deliver(records=world.records[1:2]) == []
    assert redrive(world.database, world.matcher(), world.book) == 0
    assert world.tables() == once
    (row,) = (row for row in world.inbox_rows() if row["kind"] == "cancel_all")
    world.database.delete_many("inbox", [{"book": row["book"], "command": row["command"]}])
    assert world.deliver(records=world.records[1:2]) == []
    assert world.balance("ann", BASE) == (FUNDS - 10, 10)


def test_a_cancel_all_that_a_redrive_brought_in_is_not_done_again_when_the_stream_brings_it_late(world: World) -> None:
    world.placed("ann", "SELL", 10, 50)
    world.cancel_all("ann")
    assert redrive(world.database, world.matcher(), world.book) == 2
    late = world.placed("ann", "SELL", 10, 60)
    assert world.deliver() == []
    assert world.order("ann", late).status is OrderStatus.OPEN
    assert cancel_all_rows(world)[0][2] == 1
    check_invariants(world, CREDITED)


def test_a_cancel_all_that_the_core_cannot_decide_closes_nothing_and_blocks_nobody(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = world.placed("ann", "SELL", 10, 50)
    poison = world.cancel_all("ann")
    bid = world.placed("ben", "BUY", 4, 50)
    decided = deciding.decide

    def fail(book: Book, command: Command, at_ms: int) -> Iterator[Step]:
        if command.command_id == poison:
            raise ArithmeticError
        yield from decided(book, command, at_ms)

    monkeypatch.setattr(deciding, "decide", fail)
    assert world.deliver() == []
    assert world.order("ben", bid).status is OrderStatus.FILLED
    assert world.order("ann", order).filled == 4
    assert cancel_all_rows(world)[0][1:] == (2, 0)
    check_invariants(world, CREDITED)


def test_a_cancel_that_meets_an_order_of_a_cancel_all_is_refused(world: World) -> None:
    order = world.placed("ann", "SELL", 10, 50)
    world.cancel_all("ann")
    assert world.cancel("ann", order)
    assert world.deliver() == []
    row = world.order("ann", order)
    assert (row.reason, row.cancel_refused) == (CloseReason.CANCEL_ALL, True)
    check_invariants(world, CREDITED)


def test_what_comes_after_a_pause_is_rejected_and_what_came_before_is_matched(world: World) -> None:
    """T23, T32: two were admitted before the pause; the turn of one comes after it."""
    world.placed("ann", "SELL", 10, 50)
    before = world.placed("ben", "BUY", 4, 50)
    after = world.placed("ben", "BUY", 4, 50)
    world.change_status(BookStatus.PAUSED)
    world.records[-2:] = reversed(world.records[-2:])
    assert world.deliver() == []
    assert world.order("ben", before).status is OrderStatus.FILLED
    row = world.order("ben", after)
    assert (row.status, row.reason, row.filled) == (OrderStatus.REJECTED, CloseReason.BOOK_INACTIVE, 0)
    refused = world.place("ben", "BUY", 4, 50)
    assert isinstance(refused, Refusal)
    assert refused.code is RefusalCode.ORDER_BOOK_INACTIVE
    world.change_status(BookStatus.ACTIVE)
    assert world.deliver() == []
    resumed = world.placed("ben", "BUY", 6, 50)
    assert world.deliver() == []
    assert world.order("ben", resumed).status is OrderStatus.FILLED
    check_invariants(world, CREDITED)


def test_a_closed_book_cancels_what_rests_and_stays_closed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """T32"""
    monkeypatch.setattr(matcher_module, "EVENTS_PER_ENTRY_GROUP", 2)
    resting = [world.placed("ann", "SELL", 10, price) for price in range(50, 55)]
    world.change_status(BookStatus.CLOSED)
    reopened = world.change(status=BookStatus.ACTIVE)
    assert isinstance(reopened, Refusal)
    assert reopened.code is RefusalCode.INVALID_CONFIG
    assert world.deliver() == []
    assert {world.order("ann", each).reason for each in resting} == {CloseReason.BOOK_CLOSED}
    assert world.balance("ann", BASE) == (FUNDS, 0)
    config = world.books.config(world.book)
    assert config is not None
    assert config.status is BookStatus.CLOSED
    once = world.tables()
    assert world.deliver() == []
    assert world.tables() == once
    check_invariants(world, CREDITED)


def test_of_two_changes_that_arrive_swapped_the_later_version_counts(world: World) -> None:
    """T33: both have their one outcome in the journal."""
    world.change(maker_fee_bps=10)
    world.change(maker_fee_bps=20)
    assert world.deliver(records=world.records[1:]) == []
    assert world.deliver(records=world.records[:1]) == []
    assert world.folded().book.terms.maker_fee_bps == 20
    assert world.views.of(world.book).version == 2
    check_invariants(world, CREDITED)
    assert world.deliver() == []
    check_invariants(world, CREDITED)


def test_a_change_that_a_redrive_brings_back_late_undoes_nothing(world: World) -> None:
    world.change(status=BookStatus.PAUSED)
    world.change(status=BookStatus.ACTIVE)
    assert world.deliver(records=world.records[1:]) == []
    redrive(world.database, world.matcher(), world.book)
    assert world.folded().book.status is BookStatus.ACTIVE
    check_invariants(world, CREDITED)


def test_what_is_committed_together_has_the_time_at_which_it_was_decided(world: World) -> None:
    """R24: while it is decided the clock goes on, past the time of an order that has traded."""
    expires_at_ms = world.now_ms + 1_000
    ask = world.placed("ann", "SELL", 10, 50, expires_at_ms=expires_at_ms)
    world.deliver()
    world.placed("ben", "BUY", 10, 50)
    clock = count(expires_at_ms - 1)
    assert world.deliver(Matcher(world.database, lambda: next(clock)), world.records[1:]) == []
    assert world.order("ann", ask).status is OrderStatus.FILLED
    assert world.folded().head.at_ms == expires_at_ms - 1
    check_invariants(world, CREDITED)


def test_a_clock_that_is_behind_the_journal_brings_no_order_back(world: World) -> None:
    """R24: another matcher's clock was ahead; time does not go back in a book."""
    ask = world.placed("ann", "SELL", 10, 50, expires_at_ms=world.now_ms + 1_000)
    world.placed("ben", "BUY", 1, 10)
    ahead = Matcher(world.database, lambda: world.now_ms + 1_000)
    assert world.deliver(ahead) == []
    assert world.order("ann", ask).status is OrderStatus.EXPIRED
    late = world.placed("ann", "SELL", 10, 10, expires_at_ms=world.now_ms + 999)
    assert world.deliver(records=world.records[2:]) == []
    assert world.order("ann", late).status is OrderStatus.EXPIRED
    check_invariants(world, CREDITED)


def test_after_a_command_that_cannot_be_decided_time_is_looked_at_anew(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R24: the book is loaded again, and has gone on meanwhile."""
    ask = world.placed("ann", "SELL", 10, 50, expires_at_ms=world.now_ms + 1_000)
    world.deliver()
    poison, taker = world.placed("ben", "BUY", 1, 40), world.placed("ben", "BUY", 10, 50)
    honest = deciding.decide

    def slow(book: Book, command: Command, at_ms: int) -> Iterator[Step]:
        if command.command_id == poison:
            world.now_ms += 1_000
            raise ZeroDivisionError
        yield from honest(book, command, at_ms)

    monkeypatch.setattr(deciding, "decide", slow)
    assert world.deliver(records=world.records[1:]) == []
    assert world.order("ann", ask).status is OrderStatus.EXPIRED
    assert world.order("ben", taker).status is OrderStatus.OPEN
    check_invariants(world, CREDITED)


def test_more_orders_than_an_entry_holds_expire_in_many(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """R24: all of them before the next order has its turn."""
    monkeypatch.setattr(matcher_module, "EVENTS_PER_ENTRY_GROUP", 3)
    asks = [world.placed("ann", "SELL", 1, 50, expires_at_ms=world.now_ms + 5) for _ in range(10)]
    world.deliver()
    entries = world.folded().head.sequence
    world.now_ms += 5
    bid = world.placed("ben", "BUY", 10, 50)
    assert world.deliver(records=world.records[-1:]) == []
    assert {world.order("ann", ask).status for ask in asks} == {OrderStatus.EXPIRED}
    assert world.order("ben", bid).filled == 0
    assert world.folded().head.sequence == entries + 4
    check_invariants(world, CREDITED)
