"""``verify`` accepts undecided orders, which no journal entry mentions yet."""

from __future__ import annotations

import pytest

from chalicelib.domain.books.vocabulary import CloseReason, OrderType
from chalicelib.ops.verify.verifier import Disproved, Verifier
from chalicelib.services.books.admission import Admitted
from chalicelib.services.books.disagreements import Disagreement
from chalicelib.support.clock import iso
from chalicelib.support.ids import time_of
from chalicelib.tables.dynamodb import Database
from tests.ops.verify.hands import account, disagreement, edit, remove, rows, verified
from tests.world import BASE, QUOTE, World, asked

DAY_MS = 86_400_000


def test_undecided_orders_are_counted_and_their_holds_are_known(world: World) -> None:
    world.placed("ann", "BUY", 10, 50)
    cancelled = world.placed("ann", "SELL", 10, 120)
    world.cancel("ann", cancelled)
    market = world.placed("dan", "BUY", 10)
    report = verified(world)
    assert report.books[0].undecided == 3

    dan = account(world, "dan", QUOTE)
    assert dan["held"] > 0
    edit(world, "accounts", dan, held=dan["held"] + 1, available=dan["available"] - 1)
    told = disagreement(world)
    assert told == Disagreement(f"account {dan['owner']} {QUOTE}, held", str(dan["held"]), str(dan["held"] + 1))
    assert world.order("dan", market).sequence is None


def test_undecided_orders_with_an_expired_command_are_counted_by_their_rows(world: World) -> None:
    world.placed("ann", "BUY", 10, 50)
    world.placed("ann", "SELL", 10, 120)
    world.placed("dan", "BUY", 10)
    for row in rows(world, "inbox"):
        remove(world, "inbox", row, "book", "command")
    assert verified(world).books[0].undecided == 3

    ann, dan = account(world, "ann", QUOTE), account(world, "dan", QUOTE)
    for row in (ann, account(world, "ann", BASE), dan):
        edit(world, "accounts", row, held=row["held"] + 1, available=row["available"] - 1)
        assert disagreement(world).where == f"account {row['owner']} {row['entry'].removeprefix('balance/')}, held"
        world.database.put_many("accounts", [row])


def test_an_order_that_waits_for_a_day_disproves_its_book(world: World) -> None:
    order = world.placed("ann", "BUY", 10, 50)
    at_ms = time_of(order)
    Verifier(world.database, clock=lambda: at_ms + DAY_MS).verify(world.book)
    with pytest.raises(Disproved) as disproved:
        Verifier(world.database, clock=lambda: at_ms + DAY_MS + 1).verify(world.book)
    (row,) = rows(world, "open-orders", order_id=order)
    told = disproved.value.disagreement
    assert told.where == f"order {order} of {row['owner']}, command {order}"
    assert told.expected == "decided within a day"
    assert told.found == f"undecided since {iso(at_ms)}"


def test_a_cancel_that_waits_for_a_day_disproves_its_book(world: World) -> None:
    order = world.placed("ann", "BUY", 10, 50)
    assert world.deliver() == []
    world.cancel("ann", order)
    (queued,) = rows(world, "inbox", kind="cancel", order_id=order)
    late = time_of(queued["id"]) + DAY_MS + 1
    with pytest.raises(Disproved, match=queued["id"]):
        Verifier(world.database, clock=lambda: late).verify(world.book)
    assert world.deliver() == []
    Verifier(world.database, clock=lambda: late).verify(world.book)


@pytest.mark.parametrize("in_inbox", [True, False])
def test_an_undecided_order_that_holds_nothing_needs_no_account(memory_database: Database, in_inbox: bool) -> None:
    """On a book without asks a MARKET BUY has a budget of nothing."""
    world = World(memory_database)
    world.placed("zoe", "BUY", 10)
    if not in_inbox:
        remove(world, "inbox", rows(world, "inbox")[0], "book", "command")
    assert verified(world).books[0].undecided == 1


def test_an_order_whose_command_is_gone_is_decided_before_its_cancel(world: World) -> None:
    """The placing is lost from stream and inbox; the order's row has all of it."""
    order = world.placed("ann", "BUY", 10, 50)
    (command,) = (row for row in rows(world, "inbox", kind="place") if row["order"]["id"] == order)
    remove(world, "inbox", command, "book", "command")
    world.cancel("ann", order)
    assert world.deliver(records=world.records[-1:]) == []
    assert verified(world).books[0].undecided == 0
    assert world.order("ann", order).reason is CloseReason.USER_CANCELLED


def test_a_waiting_order_of_a_batch_is_compared_with_its_command(world: World) -> None:
    outcomes = world.place_batch(asked("ann", "BUY", 10, 50), asked("ann", "BUY", 10, 49), asked("ann", "SELL", 1, 70))
    assert verified(world).books[0].undecided == 3
    for outcome in outcomes:
        assert isinstance(outcome, Admitted)
        (row,) = rows(world, "open-orders", order_id=outcome.order.order_id)
        edit(world, "open-orders", row, post_only=True)
        told = disagreement(world)
        assert told.where == f"row of the undecided order {row['order_id']} of {row['owner']}, post_only"
        world.database.put_many("open-orders", [row])


@pytest.mark.parametrize(("name", "value"), [("stop_price", 61), ("distance", 1), ("step", 1)])
def test_the_members_of_parked_and_iceberg_orders_are_compared(world: World, name: str, value: int) -> None:
    """Before their turn with the command, after it with the journal, and ``triggered`` too."""
    order = world.placed("ann", "BUY", 10, 50, order_type=OrderType.STOP_LIMIT, stop_price=6_000)
    for where in ("row of the undecided order", "open order row"):
        (row,) = rows(world, "open-orders", order_id=order)
        for changed, to in ((name, value), ("triggered", True)):
            world.database.put_many("open-orders", [row | {changed: to}])
            told = disagreement(world)
            assert told.where == f"{where} {order} of {row['owner']}, {changed}"
            world.database.put_many("open-orders", [row])
        world.deliver()


@pytest.mark.parametrize(("name", "value"), [("filled", 1), ("status", "FILLED"), ("price", 49)])
@pytest.mark.parametrize("command", ["there", "gone", "malformed"])
def test_an_undecided_order_shows_what_was_admitted(world: World, name: str, value: object, command: str) -> None:
    order = world.placed("ann", "BUY", 10, 50)
    (queued,) = (row for row in rows(world, "inbox", kind="place") if row["order"]["id"] == order)
    if command == "gone":
        remove(world, "inbox", queued, "book", "command")
    if command == "malformed":
        edit(world, "inbox", queued, kind="nonsense")
    verified(world)
    (row,) = rows(world, "open-orders", order_id=order)
    edit(world, "open-orders", row, **{name: value})
    told = disagreement(world)
    if name == "price" and command != "there":  # nothing but the hold tells what it was
        assert told.where == f"account {row['owner']} {QUOTE}, held"
    else:
        assert told.where == f"row of the undecided order {order} of {row['owner']}, {name}"
        assert told.found == str(value)
