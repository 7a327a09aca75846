"""The matcher over its tables: batches that come again, cut, late or beside another's; what a crash leaves undone."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from chalicelib.domain.books.book import Book
from chalicelib.domain.books.commands import decide
from chalicelib.domain.books.journal import BrokenJournal
from chalicelib.domain.books.vocabulary import OrderStatus
from chalicelib.services.books.projection import Projector
from chalicelib.services.books.redrive import redrive
from chalicelib.tables.inbox import commands_of
from chalicelib.tables.journal import EntryExists, Journal
from chalicelib.tables.rows import decode
from tests.faults import unavailable
from tests.invariants import check_invariants
from tests.scenarios import CREDITED, FUNDS, random_commands
from tests.world import BASE, BOOK_ID, INSTANCE, QUOTE, World, failing_book


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
        random_commands(world, 12, seed=100 * seed + batch)
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
    random_commands(world, 30, seed=5)
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
        random_commands(world, 4, seed=turn)
        first, second = (one, other) if turn % 2 else (other, one)
        assert world.deliver(first, world.records[at : at + 3]) == []
        assert world.deliver(second, world.records[at:]) == []
    check_invariants(world, CREDITED)


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
    with monkeypatch.context() as patch:
        patch.setattr(Projector, "project", unavailable)
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
    with monkeypatch.context() as patch:
        patch.setattr(Journal, "append", unavailable)
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
        patch.setattr(Projector, "project", unavailable)
        world.deliver()
    world.placed("cat", "SELL", 6, 50)
    assert world.deliver(records=world.records[2:]) == []
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


@pytest.mark.parametrize("others", [[], [7]], ids=["alone", "in a group"])
def test_an_entry_that_is_taken_is_refused_and_its_group_with_it(world: World, others: list[int]) -> None:
    world.placed("ann", "BUY", 10, 50)
    world.deliver()
    (entry,) = world.journal.after(world.book, 0)
    before = world.tables()
    with pytest.raises(EntryExists):
        world.journal.append([*(replace(entry, sequence=sequence) for sequence in others), entry])
    assert world.tables() == before
