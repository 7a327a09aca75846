"""Orders that are admitted together: one transaction, one row of the inbox, each decided once (T76)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from benchmarks.units import item_bytes
from chalicelib.domain.books.admission import BATCH_ORDERS_MAX, Refusal, RefusalCode
from chalicelib.domain.books.vocabulary import CloseReason, OrderStatus
from chalicelib.domain.ledger.owners import customer_key
from chalicelib.services.books.admission import FUNDING_TRIES_MAX, Admission, Admitted, Outcome
from chalicelib.services.books.lost_commands import lost_by_book
from chalicelib.services.books.parking import FAILED_BATCHES_MAX
from chalicelib.services.books.rebuilding import Rebuilding
from chalicelib.services.books.redrive import redrive, release
from chalicelib.support.outcomes import Unavailable
from chalicelib.tables.batch_failures import NO_FAILURES, BatchFailures
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.external_ids import ExternalIds
from chalicelib.tables.inbox import Inbox, MalformedCommand, commands_of
from chalicelib.tables.writes import Put
from tests.faults import WatchedClient
from tests.invariants import check_invariants
from tests.scenarios import CREDITED, FUNDS
from tests.world import BASE, BOOK_ID, INSTANCE, QUOTE, World, asked, break_core_at

TRANSACTION_ROWS_MAX, TRANSACTION_BYTES_MAX, ITEM_BYTES_MAX = 100, 4 * 2**20, 400 * 2**10


def ladder(world: World, customer: str = "ann", count: int = 5) -> list[str]:
    """Place BUY orders of one, each at another price; return their ids."""
    return ids(world.place_batch(*(asked(customer, "BUY", 1, 40 + number) for number in range(count))))


def ids(outcomes: list[Outcome]) -> list[str]:
    return [outcome.order.order_id for outcome in outcomes if isinstance(outcome, Admitted)]


def accepted(world: World) -> list[str]:
    """Return the orders in the sequence in which the journal accepted them."""
    events: list[Any] = [event for entry in world.journal.after(world.book, 0) for event in entry.events]
    return [event["order"]["id"] for event in events if event["type"] == "accepted"]


def forget_inbox(world: World) -> None:
    world.database.delete_many(
        "inbox", [{"book": row["book"], "command": row["command"]} for row in world.inbox_rows()]
    )


def test_the_orders_of_a_record_are_decided_in_their_order_and_once(world: World) -> None:
    placed = ladder(world)
    assert len(world.records) == 1
    matcher = world.matcher()
    for _ in range(2):
        assert world.deliver(matcher) == []
        assert world.deliver() == []
    assert accepted(world) == placed == sorted(placed)
    check_invariants(world, CREDITED)


def test_an_entry_that_ends_in_the_middle_of_a_batch_claims_none_of_the_rest(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its watermark is the batch's stream number, and the orders behind it are looked up."""
    monkeypatch.setattr("chalicelib.services.books.matcher.EVENTS_PER_ENTRY_GROUP", 4)
    placed = ladder(world)
    appended, append = 0, type(world.journal).append

    def second_fails(journal: Any, entries: Any) -> int:
        nonlocal appended
        appended += 1
        if appended == 2:
            raise Unavailable("throttled")
        return append(journal, entries)

    with monkeypatch.context() as patch:
        patch.setattr(type(world.journal), "append", second_fails)
        assert world.deliver() != []
    head = world.folded().head
    assert head.watermark == int(world.records[0]["dynamodb"]["SequenceNumber"])
    assert accepted(world) == placed[:2]
    assert world.deliver() == []
    assert accepted(world) == placed
    check_invariants(world, CREDITED)


def test_an_order_that_the_core_cannot_decide_does_not_stop_those_beside_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    placed = ladder(world)
    break_core_at(placed[2], monkeypatch)
    assert world.deliver() == []
    rows = [world.order("ann", order_id) for order_id in placed]
    assert [row.status for row in rows] == [OrderStatus.OPEN] * 2 + [OrderStatus.REJECTED] + [OrderStatus.OPEN] * 2
    check_invariants(world, CREDITED)


def test_a_cancel_that_overtakes_its_order_leaves_the_others_of_the_batch(world: World) -> None:
    placed = ladder(world)
    world.cancel("ann", placed[3])
    batch, cancel = world.records
    assert world.deliver(records=[cancel]) == []
    assert accepted(world) == [placed[3]]
    assert world.order("ann", placed[3]).reason is CloseReason.USER_CANCELLED
    assert world.deliver(records=[batch]) == []
    assert accepted(world) == [placed[3], *placed[:3], placed[4]]
    check_invariants(world, CREDITED)


def test_a_redrive_decides_a_batch_and_the_stream_that_comes_late_nothing(world: World) -> None:
    placed = ladder(world)
    assert redrive(world.database, world.matcher(), world.book) == 5
    assert redrive(world.database, world.matcher(), world.book) == 0
    assert world.deliver() == []
    assert accepted(world) == placed
    check_invariants(world, CREDITED)


def test_a_redrive_decides_the_rest_of_a_batch_one_of_whose_orders_is_decided(world: World) -> None:
    placed = ladder(world)
    world.cancel("ann", placed[1])
    assert world.deliver(records=world.records[1:]) == []
    assert redrive(world.database, world.matcher(), world.book) == 4
    check_invariants(world, CREDITED)


def test_a_batch_that_stream_and_inbox_have_lost_is_decided_from_its_orders_rows(world: World) -> None:
    placed = ladder(world)
    forget_inbox(world)
    (lost,) = lost_by_book(world.database).values()
    assert [command.command_id for command in lost] == placed
    assert redrive(world.database, world.matcher(), world.book) == 5
    assert accepted(world) == placed


def test_a_parked_books_batch_is_kept_and_decided_by_its_release(world: World) -> None:
    world.placed("ben", "SELL", 1, 90)
    assert world.deliver() == []
    placed = ladder(world)
    parked = BatchFailures(FAILED_BATCHES_MAX, world.now_ms, "ord_any", "reason", world.now_ms)
    world.failed_batches.note(world.book, NO_FAILURES, parked)
    assert world.deliver(records=world.records[-1:]) == []
    row = world.inbox_rows()[-1]
    assert (row["kind"], row["kept"]) == ("orders", True)
    releasing = type(world.matcher())(world.database, lambda: world.now_ms, takes_parked=True)
    assert release(world.database, releasing, world.book) == 5
    assert accepted(world)[1:] == placed
    assert "kept" not in world.inbox_rows()[-1]
    check_invariants(world, CREDITED)


def test_a_waiting_batch_is_brought_back_by_rebuilding(world: World) -> None:
    placed = ladder(world)
    before = world.tables()
    world.database.delete_many(
        "open-orders", [{"owner": row["owner"], "order_id": row["order_id"]} for row in before["open-orders"]]
    )
    assert world.orders.open_ids([(customer_key(INSTANCE, "ann"), order_id) for order_id in placed]) == set()
    Rebuilding(world.database).rebuild(world.book)
    assert world.tables()["open-orders"] == before["open-orders"]
    assert world.deliver() == []
    assert accepted(world) == placed


@pytest.mark.parametrize("packed", ["", "?", "eJyLjgUAARUAuQ==", "eJwDAAAAAAE=", 7, None])
def test_a_batch_that_cannot_be_read_is_no_command(world: World, packed: object) -> None:
    ladder(world)
    (row,) = world.inbox_rows()
    with pytest.raises(MalformedCommand):
        commands_of(row | {"orders": packed})
    with pytest.raises(MalformedCommand, match="another id"):
        commands_of(row | {"command": "01JHMR6K204D9DMWM0Y7FCREPF"})


def test_the_inbox_finds_each_order_of_a_batch_by_its_id(world: World) -> None:
    """For ``verify``; what is another's is not found."""
    placed, inbox = ladder(world), Inbox(world.database)
    alone = world.placed("ann", "BUY", 1, 10)
    found = [inbox.placed(world.book, order_id) for order_id in (*placed, alone)]
    assert [order.order_id for order in found if order is not None] == [*placed, alone]
    assert inbox.placed(world.book, "ord_01JHMR6K204D9DMWM0Y7FCREPF") is None


# --- admission ----------------------------------------------------------------------------------------------------


def overtaken(world: World, times: int, meanwhile: Callable[[], object]) -> Admission:
    """Return an admission before whose first transactions something else happens."""
    left = [times]

    def overtake(operation: str, call: Callable[[], Any]) -> Any:
        if operation == "transact_write_items" and left[0]:
            left[0] -= 1
            meanwhile()
        return call()

    client: Any = WatchedClient(world.database._client, overtake)
    return Admission(Database(client, world.database._prefix, pause=lambda _seconds: None))


def codes(outcomes: list[Outcome]) -> list[RefusalCode | None]:
    return [outcome.code if isinstance(outcome, Refusal) else None for outcome in outcomes]


def test_an_account_that_shrinks_meanwhile_is_taken_as_it_is_then(world: World) -> None:
    """A batch is never admitted in part: what was refused of it changed nothing."""
    admission = overtaken(world, 1, lambda: world.move("ann", None, QUOTE, FUNDS - 100))
    told = admission.place_all(INSTANCE, BOOK_ID, [asked("ann", "BUY", 1, price) for price in (60, 50, 40, 1)])
    assert codes(told) == [None, RefusalCode.INSUFFICIENT_BALANCE, None, RefusalCode.INSUFFICIENT_BALANCE]
    assert world.balance("ann", QUOTE) == (0, 100)


def test_an_account_that_shrinks_again_and_again_is_given_up_and_nothing_changed(world: World) -> None:
    world.move("ann", None, QUOTE, FUNDS - 200)
    admission = overtaken(world, 99, lambda: world.move("ann", None, QUOTE, 10))
    with pytest.raises(Unavailable):
        admission.place_all(INSTANCE, BOOK_ID, [asked("ann", "BUY", 1, 10)] * BATCH_ORDERS_MAX)
    assert world.inbox_rows() == []
    assert world.balance("ann", QUOTE) == (200 - 10 * FUNDING_TRIES_MAX, 0)


def test_a_name_that_is_taken_meanwhile_refuses_its_order_alone(world: World) -> None:
    names = ExternalIds(world.database)
    take = names.take(customer_key(INSTANCE, "ann"), "Mine", "ord_another")
    admission = overtaken(world, 1, lambda: world.database.transact([take]))
    orders = [asked("ann", "BUY", 1, 50, external_id="mine"), asked("ann", "BUY", 1, 49, external_id="yours")]
    assert codes(admission.place_all(INSTANCE, BOOK_ID, orders)) == [RefusalCode.EXTERNAL_ID_TAKEN, None]


def test_a_name_that_is_given_twice_is_the_first_orders(world: World) -> None:
    """Unless the first is refused."""
    orders = [asked("ann", "BUY", 1, 50, external_id=name) for name in ("mine", "MINE", "yours")]
    assert codes(world.place_batch(*orders)) == [None, RefusalCode.EXTERNAL_ID_TAKEN, None]
    orders = [asked("ben", "BUY", quantity, 50, external_id="mine") for quantity in (0, 1)]
    assert codes(world.place_batch(*orders)) == [RefusalCode.INVALID_QUANTITY, None]


def test_orders_by_value_are_admitted_with_others(world: World) -> None:
    world.placed("ben", "SELL", 100, 50)
    assert world.deliver() == []
    world.move("ann", None, QUOTE, FUNDS - 1000)
    orders = [
        asked("ann", "BUY", 0, value=600),
        asked("ann", "BUY", 0, value=600),
        asked("ann", "BUY", 5),
        asked("ann", "SELL", 0, value=10),
    ]
    told = world.place_batch(*orders)
    assert codes(told) == [None, RefusalCode.INSUFFICIENT_BALANCE, None, RefusalCode.INVALID_VALUE]
    assert world.deliver() == []
    assert [world.order("ann", order_id).filled for order_id in ids(told)] == [12, 5]


def test_the_largest_batch_fits_one_transaction(embedded_database: Database) -> None:
    """25 orders of a customer with the longest name, of both sides, that expire and have names of their own, under a
    key whose answer is as long as it can be."""
    world = World(embedded_database)
    customer, name = "\U0001f600" * 256, "\U0001f4b0" * 100
    for asset in (BASE, QUOTE):
        world.credit(customer, asset, 10**6)
    orders = [
        asked(
            customer, ("BUY", "SELL")[n % 2], 1, 50 - 10 * (n % 2 == 0), expires_at_ms=2**41, external_id=f"{n}{name}"
        )
        for n in range(BATCH_ORDERS_MAX)
    ]
    seen: list[Any] = []

    def watch(operation: str, call: Any) -> Any:
        if operation == "transact_write_items":
            seen.append(call.arguments["TransactItems"])
        return call()

    client: Any = WatchedClient(embedded_database._client, watch)
    answer = Put("requests", {"scope": "any", "request": "one", "body": "x" * 200_000})
    admission = Admission(Database(client, embedded_database._prefix))
    told = admission.place_all(INSTANCE, BOOK_ID, orders, lambda _outcomes: answer)
    assert codes(told) == [None] * BATCH_ORDERS_MAX
    (writes,) = seen
    items = [write["Put"]["Item"] for write in writes if "Put" in write]
    assert len(writes) == 3 * BATCH_ORDERS_MAX + 4 < TRANSACTION_ROWS_MAX
    assert max(map(item_bytes, items)) < ITEM_BYTES_MAX
    assert sum(map(item_bytes, items)) < TRANSACTION_BYTES_MAX / 4
    world.stream_new_commands()
    assert world.deliver() == []
    assert {world.order(customer, order_id).status for order_id in ids(told)} == {OrderStatus.OPEN}
