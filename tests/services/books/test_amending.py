"""Amendments from their admission to their outcome: what is set aside, what is refused, and what becomes of it (O8)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.domain.books.admission import Refusal, RefusalCode
from chalicelib.domain.books.snapshot import BookState
from chalicelib.domain.books.vocabulary import AmendRefusal, BookStatus, OrderStatus, OrderType
from chalicelib.services.books.amending import Amending, AmendmentUnderWay, NewTerms, NotOpen, Queued, Unchanged
from chalicelib.services.books.matcher import Matcher
from chalicelib.services.books.projection import Projector
from chalicelib.support.outcomes import ReceiptExists
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.inbox import Progress
from chalicelib.tables.rows import Row
from chalicelib.tables.writes import Put
from tests.faults import WatchedClient, unavailable
from tests.invariants import check_invariants
from tests.scenarios import BREAKER, CREDITED, FUNDS, Scenario, stop
from tests.services.books.amendments import bid, decided, under_way
from tests.world import BASE, INSTANCE, QUOTE, World


@pytest.mark.parametrize(("price", "quantity", "extra"), [(45, None, 51), (None, 12, 81), (45, 12, 141), (30, 5, 0)])
def test_what_a_bid_may_need_is_set_aside_and_the_rest_of_it_released(
    world: World, price: int | None, quantity: int | None, extra: int
) -> None:
    order_id = bid(world)
    queued = world.amended("ann", order_id, price, quantity)
    assert world.balance("ann", QUOTE) == (FUNDS - 400 - extra, 400 + extra)
    assert (world.order("ann", order_id).price, world.order("ann", order_id).quantity) == (40, 10)
    assert decided(world, queued) == Progress(ended=world.folded().head.sequence)
    order = world.order("ann", order_id)
    assert order.price == (40 if price is None else price)
    assert order.quantity == (10 if quantity is None else quantity)
    assert world.balance("ann", QUOTE)[1] == order.price * order.quantity
    assert under_way(world) == []


def test_an_ask_sets_aside_what_it_offers_more(world: World) -> None:
    order_id = world.placed("ann", "SELL", 10, 50)
    queued = world.amended("ann", order_id, 60, 25)
    assert world.balance("ann", BASE) == (FUNDS - 25, 25)
    assert decided(world, queued).refusal is None


def test_it_is_one_command_of_the_inbox_under_its_own_id(world: World) -> None:
    order_id = bid(world)
    queued = world.amended("ann", order_id, 45)
    assert world.inbox_rows()[-1]["command"] == queued.command_id.partition("_")[2]


def test_the_same_terms_join_the_amendment_under_way_and_others_wait(world: World) -> None:
    order_id = bid(world)
    queued = world.amended("ann", order_id, 45)
    tables = world.tables()
    assert world.amend("ann", order_id, 45) == queued
    assert world.amend("ann", order_id, 45, 10) == queued
    for terms in ((46, None), (45, 11), (None, 11)):
        with pytest.raises(AmendmentUnderWay):
            world.amend("ann", order_id, *terms)
    assert world.tables() == tables
    assert decided(world, queued).refusal is None
    tables = world.tables()
    assert world.amend("ann", order_id, 45) == world.amend("ann", order_id, 45, 10) == Unchanged(45, 10)
    assert world.tables() == tables


def test_what_fills_first_is_refused_and_given_back(world: World) -> None:
    """Filled whole, filled beyond the new quantity, and filled in part."""
    whole, beyond, part = (bid(world, price=price) for price in (42, 41, 40))
    queued = [
        world.amended("ann", whole, 43, 20), world.amended("ann", beyond, 30, 2), world.amended("ann", part, 39, 20),
    ]  # fmt: skip
    world.placed("ben", "SELL", 18, 40)
    world.records.insert(-4, world.records.pop())
    assert decided(world, queued[0]).refusal is AmendRefusal.NOT_OPEN
    assert world.outcome(queued[1]).refusal is AmendRefusal.QUANTITY
    assert world.outcome(queued[2]).refusal is None
    assert [world.order("ann", order_id).filled for order_id in (whole, beyond, part)] == [10, 8, 0]
    assert world.balance("ann", QUOTE)[1] == 2 * 41 + 20 * 39


def test_a_price_that_crosses_at_its_turn_leaves_the_order(world: World) -> None:
    order_id = bid(world)
    queued = world.amended("ann", order_id, 50)
    world.placed("ben", "SELL", 5, 50)
    world.records.insert(-2, world.records.pop())
    assert decided(world, queued).refusal is AmendRefusal.WOULD_CROSS
    assert world.order("ann", order_id).price == 40
    assert world.balance("ann", QUOTE)[1] == 400


def test_a_paused_book_refuses_and_so_does_one_that_pauses_before_the_turn(world: World) -> None:
    order_id = bid(world)
    queued = world.amended("ann", order_id, 45)
    world.change_status(BookStatus.PAUSED)
    world.records[-2:] = reversed(world.records[-2:])
    assert decided(world, queued).refusal is AmendRefusal.BOOK_INACTIVE
    tables = world.tables()
    told = world.amend("ann", order_id, 45)
    assert isinstance(told, Refusal)
    assert told.code is RefusalCode.ORDER_BOOK_INACTIVE
    assert world.tables() == tables


def test_a_halted_book_refuses_until_its_halt_is_over(memory_database: Database) -> None:
    """O12: at admission as far as the depth view shows, and at its turn exactly."""
    world = Scenario(lambda _: None, BREAKER).world(memory_database)
    early, late = bid(world), bid(world)
    for price in (50, 70):
        world.placed("ben", "SELL", 10, price)
    assert world.deliver() == []
    world.placed("cat", "BUY", 20, 70)
    queued = world.amended("ann", early, 45)
    assert world.deliver() == []
    assert world.outcome(queued).refusal is AmendRefusal.BOOK_INACTIVE
    amending = Amending(world.database, lambda: world.now_ms // 1000)
    told = amending.amend(INSTANCE, "ann", late, NewTerms(45, None))
    assert isinstance(told, Refusal)
    assert told.code is RefusalCode.ORDER_BOOK_INACTIVE
    world.now_ms += 2_000
    amending = Amending(world.database, lambda: world.now_ms // 1000)
    assert isinstance(amending.amend(INSTANCE, "ann", late, NewTerms(45, None)), Queued)
    world.stream_new_commands()
    assert world.deliver() == []
    assert world.order("ann", late).price == 45
    check_invariants(world, CREDITED)


CONFIG = {"tick_size": 5, "order_size_min": 3, "order_size_max": 50, "lot_size": 2, "min_order_value": 100}


@pytest.mark.parametrize(
    ("price", "quantity", "code"),
    [
        (0, None, RefusalCode.INVALID_PRICE),
        (41, None, RefusalCode.INVALID_PRICE),
        (10**40, None, RefusalCode.INVALID_PRICE),
        (None, 0, RefusalCode.INVALID_QUANTITY),
        (None, 11, RefusalCode.INVALID_QUANTITY),
        (None, 2, RefusalCode.ORDER_TOO_SMALL),
        (5, None, RefusalCode.ORDER_TOO_SMALL),
        (None, 52, RefusalCode.ORDER_TOO_LARGE),
        (None, 4, RefusalCode.INVALID_QUANTITY),
        (10**9, None, RefusalCode.INSUFFICIENT_BALANCE),
    ],
)
def test_terms_that_no_new_order_may_have_change_nothing(
    memory_database: Database, price: int | None, quantity: int | None, code: RefusalCode
) -> None:
    """The last but one is what is filled."""
    world = Scenario(lambda _: None, CONFIG).world(memory_database)
    order_id = bid(world)
    world.placed("ben", "SELL", 4, 40)
    assert world.deliver() == []
    tables = world.tables()
    told = world.amend("ann", order_id, price, quantity)
    assert isinstance(told, Refusal)
    assert told.code is code
    assert world.tables() == tables


def test_an_iceberg_order_has_no_more_slices_than_one_may_have(world: World) -> None:
    order_id = world.placed("ann", "SELL", 40, 50, order_type=OrderType.ICEBERG, step=10)
    told = world.amend("ann", order_id, quantity=101)
    assert isinstance(told, Refusal)
    assert told.member == "step"
    assert decided(world, world.amended("ann", order_id, quantity=100)).refusal is None


def test_parked_orders_have_any_limit_and_a_trailing_one_without_a_price_gets_none(world: World) -> None:
    world.placed("ben", "SELL", 10, 50)
    world.placed("ben", "BUY", 10, 30)
    stopped = stop(world, "ann", "BUY", 10, 55, 60)
    trailing = world.placed("ann", "SELL", 10, order_type=OrderType.TRAILING, distance=2)
    assert world.deliver() == []
    assert decided(world, world.amended("ann", stopped, 70, 12)).refusal is None
    assert world.balance("ann", QUOTE)[1] == 840
    told = world.amend("ann", trailing, 45)
    assert isinstance(told, Refusal)
    assert (told.code, told.member) == (RefusalCode.INVALID_PRICE, "price")
    assert decided(world, world.amended("ann", trailing, quantity=25)).refusal is None
    assert world.balance("ann", BASE)[1] == 25


def test_an_amended_order_that_is_triggered_trades_at_its_new_terms(world: World) -> None:
    stopped = stop(world, "ann", "BUY", 10, 55, 50)
    assert world.deliver() == []
    world.amended("ann", stopped, 51, 6)
    world.placed("ben", "SELL", 20, 50)
    world.placed("cat", "BUY", 1, 50)
    assert world.deliver() == []
    check_invariants(world, CREDITED)
    order = world.order("ann", stopped)
    assert (order.status, order.filled, order.triggered, order.price) == (OrderStatus.FILLED, 6, True, 51)


@pytest.mark.parametrize("force", ["IOC", "FOK", "MARKET", "CEILING"])
def test_an_order_that_ends_at_its_turn_cannot_be_amended_before(world: World, force: str) -> None:
    world.placed("ben", "SELL", 10, 50)
    assert world.deliver() == []
    if force in ("IOC", "FOK"):
        order_id = world.placed("ann", "BUY", 10, 50, force)
    elif force == "MARKET":
        order_id = world.placed("ann", "BUY", 10)
    else:
        order_id = world.placed("ann", "BUY", 0, order_type=OrderType.CEILING, value=100)
    tables = world.tables()
    with pytest.raises(AmendmentUnderWay):
        world.amend("ann", order_id, 60, 20)
    assert world.tables() == tables
    assert world.deliver() == []
    with pytest.raises(NotOpen):
        world.amend("ann", order_id, 60, 20)


@pytest.mark.parametrize("order_id", ["ord_unknown", "amendment/ord_1", "", "another's"])
def test_an_order_that_is_not_the_customers_or_not_open_is_not_amended(world: World, order_id: str) -> None:
    others, gone = world.placed("ben", "BUY", 10, 40), bid(world)
    world.cancel("ann", gone)
    assert world.deliver() == []
    tables = world.tables()
    for name in (others if order_id == "another's" else order_id, gone):
        with pytest.raises(NotOpen):
            world.amend("ann", name, 45)
    assert world.tables() == tables


@pytest.mark.parametrize(
    ("price", "quantity", "adds"),
    [(45, None, True), (None, 11, True), (30, 11, True), (30, None, False), (30, 5, False)],
)
def test_a_frozen_customer_adds_nothing(world: World, price: int | None, quantity: int | None, adds: bool) -> None:
    order_id = bid(world)
    told = world.amending.amend(INSTANCE, "ann", order_id, NewTerms(price, quantity), lambda: True)
    if adds:
        assert isinstance(told, Refusal)
        assert told.code is RefusalCode.CUSTOMER_FROZEN
    else:
        assert isinstance(told, Queued)


def test_terms_that_change_between_reading_and_writing_are_read_again(world: World) -> None:
    """What is set aside follows from the terms that the order really has."""
    order_id = bid(world)
    done: list[Progress] = []

    def overtake(operation: str, call: Callable[[], Any]) -> Any:
        if operation == "transact_write_items" and not done:
            done.append(decided(world, world.amended("ann", order_id, 20)))
        return call()

    client: Any = WatchedClient(world.database._client, overtake)
    told = Amending(Database(client, world.database._prefix)).amend(INSTANCE, "ann", order_id, NewTerms(41, None))
    assert isinstance(told, Queued)
    world.stream_new_commands()
    assert world.balance("ann", QUOTE)[1] == 200 + 211
    assert decided(world, told).refusal is None
    assert world.balance("ann", QUOTE)[1] == 410


def test_an_amendment_that_comes_between_reading_and_writing_is_found(world: World) -> None:
    """There is one under way at most, and of it the whole amount is set aside."""
    order_id = bid(world)
    first: list[Queued] = []

    def overtake(operation: str, call: Callable[[], Any]) -> Any:
        if operation == "transact_write_items" and not first:
            first.append(world.amended("ann", order_id, 45))
        return call()

    client: Any = WatchedClient(world.database._client, overtake)
    with pytest.raises(AmendmentUnderWay):
        Amending(Database(client, world.database._prefix)).amend(INSTANCE, "ann", order_id, NewTerms(41, None))
    world.stream_new_commands()
    assert len(under_way(world)) == 1
    assert decided(world, first[0]).refusal is None


def test_a_slow_matcher_ends_no_newer_amendment(world: World) -> None:
    """It projects the older entry once more when the order is being amended again."""
    order_id = bid(world)
    world.amended("ann", order_id, 45)
    assert world.deliver() == []
    newer = world.amended("ann", order_id, 46)
    state = BookState.empty(world.config.first_rules, world.config.first_terms.status)
    for entry in world.journal.after(world.book, 0):
        Projector(world.database).project(world.config, entry, state.replay(entry), state.traded)
        state.advance(entry, [])
    assert [row["id"] for row in under_way(world)] == [newer.command_id]
    assert decided(world, newer).refusal is None


def test_an_answer_that_is_kept_already_stops_the_amendment(world: World) -> None:
    order_id = bid(world)
    receipt = Put("requests", {"scope": "s", "request": "r"}, "attribute_not_exists(#request)")
    world.database.write(receipt)
    tables = world.tables()
    with pytest.raises(ReceiptExists):
        world.amending.amend(INSTANCE, "ann", order_id, NewTerms(45, None), receipt=lambda _: receipt)
    assert world.tables() == tables


def test_its_outcome_is_there_once_its_entry_is_projected(world: World) -> None:
    order_id = bid(world)
    queued = world.amended("ann", order_id, 45)
    assert world.amending.outcome(queued, 0.0) is None
    assert world.deliver() == []
    assert world.amending.outcome(queued, 0.0) == Progress(ended=2)
    client: Any = WatchedClient(world.database._client, unavailable)
    assert Amending(Database(client, world.database._prefix)).outcome(queued, 0.0) is None


@pytest.mark.parametrize("price", [45, 50])
def test_an_order_may_be_amended_again_from_the_moment_at_which_a_request_is_told_the_outcome(
    world: World, price: int
) -> None:
    """Amended, and refused because it would trade at once."""
    order_id = bid(world)
    queued = world.amended("ann", order_id, price)
    world.placed("ben", "SELL", 5, 50)
    world.records.insert(-2, world.records.pop())
    under_way_when_told: list[list[Row]] = []

    def watch(_operation: str, call: Callable[[], Any]) -> Any:
        answer = call()
        if world.outcome(queued).ended:
            under_way_when_told.append(under_way(world))
        return answer

    client: Any = WatchedClient(world.database._client, watch)
    assert world.deliver(Matcher(Database(client, world.database._prefix), lambda: world.now_ms)) == []
    assert under_way_when_told
    assert not any(under_way_when_told)
