"""A command that the core cannot decide, and what is too much for one commit, is rejected and blocks nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chalicelib.domain.books.book import Book
from chalicelib.domain.books.commands import Step
from chalicelib.domain.books.vocabulary import CloseReason, Command, OrderStatus
from chalicelib.ops.verify.verifier import Verifier
from chalicelib.services.books import deciding
from chalicelib.services.books.redrive import redrive
from tests.invariants import check_invariants
from tests.scenarios import CREDITED, FUNDS
from tests.world import BASE, World, break_core_at


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
    break_core_at(poison, monkeypatch)
    assert world.deliver() == []
    assert world.order("ben", poison).status is OrderStatus.REJECTED
    assert world.balance("ben", BASE) == (FUNDS, 0)
    assert world.order("ann", resting).status is world.order("cat", later).status is OrderStatus.FILLED
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


def test_a_cancel_all_that_the_core_cannot_decide_closes_nothing_and_blocks_nobody(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = world.placed("ann", "SELL", 10, 50)
    poison = world.cancel_all("ann")
    bid = world.placed("ben", "BUY", 4, 50)
    break_core_at(poison, monkeypatch)
    assert world.deliver() == []
    assert world.order("ben", bid).status is OrderStatus.FILLED
    assert world.order("ann", order).filled == 4
    assert world.cancel_alls()[0][1:] == (2, 0)
    check_invariants(world, CREDITED)


def test_after_a_command_that_cannot_be_decided_time_is_looked_at_anew(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R24: the book is loaded again, and has gone on meanwhile."""
    ask = world.placed("ann", "SELL", 10, 50, expires_at_ms=world.now_ms + 1_000)
    world.deliver()
    poison, taker = world.placed("ben", "BUY", 1, 40), world.placed("ben", "BUY", 10, 50)

    def second_passes() -> None:
        world.now_ms += 1_000

    break_core_at(poison, monkeypatch, second_passes)
    assert world.deliver(records=world.records[1:]) == []
    assert world.order("ann", ask).status is OrderStatus.EXPIRED
    assert world.order("ben", taker).status is OrderStatus.OPEN
    check_invariants(world, CREDITED)
