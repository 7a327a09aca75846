"""An amendment under way is decided once, whatever is lost, comes again, is parked or rebuilt (O8)."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.domain.books.vocabulary import OrderStatus
from chalicelib.ops.verify.rows import UNDECIDED_MS_MAX
from chalicelib.ops.verify.verifier import Disproved, Verifier
from chalicelib.services.books.lost_commands import LOST_AFTER_MS, LostCommands
from chalicelib.services.books.matcher import Matcher
from chalicelib.services.books.rebuilding import Rebuilding
from chalicelib.services.books.redrive import redrive, release
from chalicelib.support.ids import time_of
from chalicelib.tables.amendments import Amendments
from chalicelib.tables.batch_failures import BatchFailures
from tests.invariants import check_invariants
from tests.scenarios import CREDITED
from tests.services.books.amendments import OWNER, bid, decided, under_way
from tests.world import QUOTE, World


def sweep(world: World, now_ms: int) -> int:
    swept = LostCommands(world.database, world.matcher(), lambda: now_ms)
    return sum(swept.sweep_a_page() for _ in range(5))


@pytest.mark.parametrize("by", ["sweep", "redrive"])
@pytest.mark.parametrize("becomes", ["open", "filled", "undecided"])
def test_a_lost_amendment_is_decided_from_its_row_whatever_became_of_its_order(
    world: World, by: str, becomes: str
) -> None:
    """T63: the inbox has forgotten it too; also where its order has closed, or waits itself."""
    order_id = world.placed("ann", "BUY", 10, 40) if becomes == "undecided" else bid(world)
    queued = world.amended("ann", order_id, 45, 12)
    world.forget_commands()
    if becomes == "filled":
        world.placed("ben", "SELL", 10, 40)
        assert world.deliver() == []
        world.forget_commands()
    assert world.balance("ann", QUOTE)[1] > 0
    late = time_of(queued.command_id) + LOST_AFTER_MS
    if by == "sweep":
        assert becomes == "undecided" or sweep(world, late) == 0
        assert sweep(world, late + 1) == (2 if becomes == "undecided" else 1)
    else:
        assert redrive(world.database, world.matcher(), world.book) == (2 if becomes == "undecided" else 1)
    assert under_way(world) == []
    order = world.order("ann", order_id)
    assert (order.price, order.quantity) == ((40, 10) if becomes == "filled" else (45, 12))
    assert world.balance("ann", QUOTE)[1] == (0 if becomes == "filled" else 540)
    Verifier(world.database).verify(world.book)
    assert redrive(world.database, world.matcher(), world.book) == 0


def test_an_amendment_of_a_parked_book_is_kept_and_decided_by_its_release(world: World) -> None:
    order_id = bid(world)
    queued = world.amended("ann", order_id, 45)
    before, now_ms = world.failed_batches.of(world.book), time_of(queued.command_id) + LOST_AFTER_MS + 1
    assert before is not None
    world.failed_batches.note(world.book, before, BatchFailures(5, now_ms, order_id, "broken", now_ms))
    assert sweep(world, now_ms) == 0
    assert world.inbox_rows()[-1]["kept"]
    assert release(world.database, Matcher(world.database, lambda: world.now_ms, takes_parked=True), world.book) == 1
    assert world.order("ann", order_id).price == 45


def test_an_amendment_that_comes_without_its_order_finds_it_by_its_row(world: World) -> None:
    """A shard split brings it first; the order comes later, and has been decided by then."""
    order_id = world.placed("ann", "BUY", 10, 40)
    queued = world.amended("ann", order_id, 45)
    assert world.deliver(records=world.records[-1:]) == []
    assert world.outcome(queued).refusal is None
    assert world.order("ann", order_id).price == 45
    assert decided(world, queued).refusal is None


def test_a_decided_amendment_that_comes_again_is_dropped_by_what_is_under_way(world: World) -> None:
    """Also once its name is forgotten: a book that was parked for long (T53)."""
    order_id = bid(world)
    queued = world.amended("ann", order_id, 45, 12)
    assert world.deliver() == []
    matcher = world.matcher()
    matcher.process(world.book, [])
    (loaded,) = matcher._warm.values()
    loaded.state.named.clear()
    assert world.deliver(matcher) == []
    check_invariants(world, CREDITED)
    assert world.outcome(queued).refusal is None


def test_verify_counts_what_is_set_aside_until_the_outcome_is_there(world: World) -> None:
    order_id = bid(world)
    world.amended("ann", order_id, 45, 12)
    Verifier(world.database).verify(world.book)
    world.placed("ben", "SELL", 10, 40)
    world.records.insert(-2, world.records.pop())
    assert world.deliver(records=world.records[:-1]) == []
    assert world.order("ann", order_id).status is OrderStatus.FILLED
    Verifier(world.database).verify(world.book)


@pytest.mark.parametrize("change", ["less aside", "another price", "gone", "of no book", "decided"])
def test_verify_finds_an_amendment_under_way_that_is_not_as_it_was_admitted(world: World, change: str) -> None:
    order_id = bid(world)
    world.amended("ann", order_id, 45, 12)
    (row,) = under_way(world)
    facts = row["amendment"]
    if change == "less aside":
        world.database.put_many("open-orders", [row | {"amendment": facts | {"extra": "1"}}])
    elif change == "another price":
        world.database.put_many("open-orders", [row | {"amendment": facts | {"price": "44"}}])
    elif change == "gone":
        world.database.delete_many("open-orders", [{"owner": row["owner"], "order_id": row["order_id"]}])
    elif change == "of no book":
        world.database.put_many("open-orders", [row | {"book_id": "ob_none"}])
    else:
        assert world.deliver() == []
        world.database.put_many("open-orders", [row])
    with pytest.raises(Disproved):
        Verifier(world.database).verify(world.book)


def test_an_amendment_that_waits_for_a_day_disproves_its_book(world: World) -> None:
    """T64"""
    queued = world.amended("ann", bid(world), 45)
    at_ms = time_of(queued.command_id) + UNDECIDED_MS_MAX
    Verifier(world.database, clock=lambda: at_ms).verify(world.book)
    with pytest.raises(Disproved, match=queued.command_id):
        Verifier(world.database, clock=lambda: at_ms + 1).verify(world.book)


def test_rebuilding_puts_back_what_is_under_way_and_removes_what_is_decided(world: World) -> None:
    first, second = bid(world), bid(world, price=39)
    queued = world.amended("ann", first, 45)
    before = world.tables()
    assert world.deliver() == []
    world.amended("ann", second, 38)
    whole = world.tables()
    world.database.delete_many(
        "open-orders", [{"owner": OWNER, "order_id": row["order_id"]} for row in under_way(world)]
    )
    world.database.put_many("open-orders", before["open-orders"])
    world.database.put_many("inbox", [row for row in before["inbox"] if row.get("id") == queued.command_id])
    with pytest.raises(Disproved):
        Verifier(world.database).verify(world.book)
    rebuilt = Rebuilding(world.database).rebuild(world.book)
    assert rebuilt.commands == 1
    assert world.tables() == whole
    assert Rebuilding(world.database).rebuild(world.book).orders == 0


def test_a_rebuild_leaves_an_amendment_that_came_meanwhile(world: World) -> None:
    """What it does not know is not taken for a decided one that was left."""
    order_id = bid(world)
    world.amended("ann", order_id, 45)
    assert world.deliver() == []
    rebuilding: Any = Rebuilding(world.database)
    read = rebuilding._waiting

    def read_early(fold: Any) -> Any:
        waiting = read(fold)
        world.amended("ann", order_id, 46)
        return waiting

    rebuilding._waiting = read_early
    rebuilding.rebuild(world.book)
    assert Amendments(world.database).under_way(OWNER, order_id) is not None
    Verifier(world.database).verify(world.book)
