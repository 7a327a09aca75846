"""What a taker sees, and that a list is right also when something happens while it is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.signed.faults import OrderNotFound, StateForbids
from chalicelib.domain.signed.lifecycle import Status
from chalicelib.domain.signed.paging import Bounds, Page, Paging, page_of
from chalicelib.ops.verify.verifier import Verifier
from chalicelib.services.signed.fill_listing import FillQuery, TakerFills
from chalicelib.services.signed.listing import OrderFilter, OrderQuery, SortBy, TakerOrders, open_orders
from tests.faults import FaultyClient, WatchedClient, after_another
from tests.in_memory import database_of, empty_tables
from tests.memory import MemoryDynamoDB
from tests.services.signed.market import BUY, INSTANCE, OTHER, STOCK, TAKER, UNIT, Market, hash_of, open_market

UNFINISHED = OrderQuery(statuses=frozenset({Status.LOCKED, Status.PARTIALLY_FILLED}))
LOCKED, SEEN_BEFORE, LATER = (replace(BUY, nonce=nonce) for nonce in (11, 12, 13))


def listed(market: Market, query: OrderQuery | None = None, taker: str = TAKER) -> tuple[list[str], int]:
    """Return the hashes on the page, and the number of all."""
    page = TakerOrders(market.orders, INSTANCE, taker, market.now_s).page(query or OrderQuery())
    return [shown.order.order_hash for shown in page.rows], page.total


def is_shown(market: Market, taker: str = TAKER) -> bool:
    """Tell whether the taker is shown the usual order: by itself and in every kind of list alike."""
    orders = TakerOrders(market.orders, INSTANCE, taker, market.now_s)
    queries = (OrderQuery(), OrderQuery(order_filter=OrderFilter("AAPL")), OrderQuery(sort_by=SortBy.LOCKED_AT))
    answers = {bool(listed(market, query, taker)[1]) for query in queries}
    try:
        answers.add(orders.one(hash_of(BUY)).order == BUY)
    except OrderNotFound:
        answers.add(False)
    assert len(answers) == 1, "the lists and the single order agree"
    return answers.pop()


def test_an_order_is_shown_to_the_taker_that_holds_its_lock_and_to_no_other(market: Market) -> None:
    market.create()
    assert not is_shown(market)
    market.lock()
    assert is_shown(market)
    assert not is_shown(market, OTHER)


def test_a_taker_is_known_in_any_letter_case(market: Market) -> None:
    market.create()
    market.lock()
    assert is_shown(market, "0x" + TAKER[2:].upper())


@pytest.mark.parametrize("end", ["unlocked", "lapsed", "swept", "rejected", "cancelled", "suspended"])
def test_an_order_whose_lock_ended_without_a_fill_is_shown_no_more(market: Market, end: str) -> None:
    market.create()
    market.lock(seconds=60)
    if end in ("lapsed", "swept"):
        market.now_s += 60
    ends: dict[str, Callable[[], object]] = {
        "unlocked": market.unlock,
        "lapsed": lambda: None,
        "swept": market.desk.sweep,
        "rejected": lambda: market.desk.reject(INSTANCE, hash_of(BUY), TAKER, None),
        "cancelled": lambda: (market.cancel(), market.unlock()),
        "suspended": lambda: market.desk.suspend(INSTANCE, market.stored_id()),
    }
    ends[end]()
    assert not is_shown(market)


def test_a_lock_is_shown_until_the_second_of_its_end(market: Market) -> None:
    market.create()
    market.lock(seconds=60)
    market.now_s += 59
    assert is_shown(market)


@pytest.mark.parametrize("sort_by", list(SortBy))
@pytest.mark.parametrize("order_filter", [OrderFilter(), OrderFilter("AAPL")])
def test_an_order_whose_lock_has_lapsed_is_not_counted_on_other_pages_either(
    market: Market, sort_by: SortBy, order_filter: OrderFilter
) -> None:
    for order in (LOCKED, LATER):
        market.create(order)
        market.lock(order, seconds=60 if order is LOCKED else 600)
        market.now_s += 30
    query = OrderQuery(Paging(1, 1), sort_by, order_filter=order_filter)
    assert listed(market, query) == ([hash_of(LATER)], 1)


def test_an_order_with_a_fill_of_the_taker_is_shown_for_ever(market: Market) -> None:
    market.create()
    market.lock(seconds=60)
    market.fill(UNIT)
    market.now_s += 60
    assert is_shown(market)
    market.lock(taker=OTHER)
    assert is_shown(market)
    market.fill(9 * UNIT, "r2", taker=OTHER)
    assert is_shown(market)
    assert is_shown(market, OTHER)


STATES: dict[str, tuple[Status, Callable[[Market], object]]] = {
    "locked": (Status.LOCKED, lambda market: market.lock()),
    "locked, filled in part by another": (
        Status.PARTIALLY_FILLED,
        lambda market: (
            market.lock(taker=OTHER),
            market.fill(UNIT, taker=OTHER),
            market.unlock(taker=OTHER),
            market.lock(),
        ),
    ),
    "filled in part": (Status.PARTIALLY_FILLED, lambda market: (market.lock(), market.fill(UNIT))),
    "filled in part and given back": (
        Status.PARTIALLY_FILLED,
        lambda market: (market.lock(), market.fill(UNIT), market.unlock()),
    ),
    "filled": (Status.FILLED, lambda market: (market.lock(), market.fill(10 * UNIT))),
    "cancelled": (
        Status.CANCELLED,
        lambda market: (market.lock(), market.fill(UNIT), market.unlock(), market.cancel()),
    ),
    "expired": (
        Status.EXPIRED,
        lambda market: (market.lock(), market.fill(UNIT), setattr(market, "now_s", BUY.deadline)),
    ),
    "suspended": (
        Status.SUSPENDED,
        lambda market: (market.lock(), market.fill(UNIT), market.desk.suspend(INSTANCE, market.stored_id())),
    ),
}


@pytest.mark.parametrize(("status", "reach"), STATES.values(), ids=STATES)
def test_an_order_is_found_by_its_status_and_by_no_other(
    market: Market, status: Status, reach: Callable[[Market], object]
) -> None:
    market.create()
    reach(market)
    found = {each for each in Status if listed(market, OrderQuery(statuses=frozenset({each})))[1]}
    assert found == {status}


ENDS: dict[str, Callable[[Market], object]] = {
    "last fill": lambda market: market.fill(8 * UNIT, "last"),
    "last fill by another": lambda market: (
        market.unlock(),
        market.lock(taker=OTHER),
        market.fill(8 * UNIT, "last", taker=OTHER),
    ),
    "cancelled": lambda market: (market.unlock(), market.cancel()),
    "cancel granted": lambda market: (
        market.cancel(),
        market.desk.cancel_result(INSTANCE, hash_of(BUY), TAKER, True, None),
    ),
    "asked for and given back": lambda market: (market.cancel(), market.unlock()),
    "asked for, then the lock ended": lambda market: (market.cancel(), wait(market, 600), market.desk.sweep()),
    "expired": lambda market: (wait(market, BUY.deadline), market.desk.sweep()),
    "expired, met by a command": lambda market: (wait(market, BUY.deadline), attempt_to_cancel(market)),
    "resumed after the deadline": lambda market: (
        market.desk.suspend(INSTANCE, market.stored_id()),
        wait(market, BUY.deadline),
        market.desk.resume(INSTANCE, market.stored_id()),
    ),
}


def wait(market: Market, seconds: int) -> None:
    market.now_s += seconds


def attempt_to_cancel(market: Market) -> None:
    with pytest.raises(StateForbids):
        market.cancel()


def unfinished(market: Market, taker: str) -> list[str]:
    return [seen.order_hash for seen in market.orders.unfinished_seen(INSTANCE, taker)]


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_an_order_that_ends_is_among_no_takers_unfinished_ones_any_more(
    market: Market, end: Callable[[Market], object]
) -> None:
    market.create()
    for taker in (OTHER, TAKER):
        market.lock(taker=taker)
        market.fill(UNIT, f"of {taker}", taker=taker)
        if taker is OTHER:
            market.unlock(taker=taker)
    assert unfinished(market, OTHER) == unfinished(market, TAKER) == [hash_of(BUY)]
    end(market)
    assert unfinished(market, OTHER) == unfinished(market, TAKER) == []
    assert market.stored().unfinished_takers == ()


def test_an_order_that_is_filled_at_once_is_never_among_the_unfinished_ones(market: Market) -> None:
    market.create()
    market.lock()
    market.fill(10 * UNIT)
    assert unfinished(market, TAKER) == []


@pytest.mark.parametrize("status", [Status.PARTIALLY_FILLED, Status.LOCKED, Status.SUSPENDED])
def test_what_the_clock_has_ended_is_not_shown_as_unfinished_though_nobody_has_written_that(
    market: Market, status: Status
) -> None:
    market.create()
    market.lock()
    market.fill(UNIT)
    market.now_s = BUY.deadline
    assert unfinished(market, TAKER) == [hash_of(BUY)]
    assert listed(market, OrderQuery(statuses=frozenset({status}))) == ([], 0)


def test_of_an_order_with_more_takers_than_it_can_name_some_rows_stay_and_show_nothing(market: Market) -> None:
    order = replace(BUY, quantity=60 * UNIT)
    takers = [f"0x{number:040x}" for number in range(0xB000, 0xB000 + 54)]
    market.create(order)
    for number, taker in enumerate(takers):
        market.fund(taker, STOCK, 60 * UNIT)
        market.lock(order, taker)
        market.fill(UNIT, f"r{number}", order, taker)
        market.unlock(order, taker)
    assert [listed(market, UNFINISHED, taker)[1] for taker in takers] == [1] * 54
    Verifier(market.database).verify(None)
    market.lock(order, takers[0])
    market.fill(6 * UNIT, "last", order, takers[0])
    assert [len(unfinished(market, taker)) for taker in takers] == [0] * 50 + [1] * 4
    assert [listed(market, UNFINISHED, taker)[1] for taker in takers] == [0] * 54
    Verifier(market.database).verify(None)


def test_the_unfinished_ones_show_the_latest_reference_and_hash(market: Market) -> None:
    market.create()
    market.lock()
    market.fill(UNIT, "r1", tx_hash="0x1")
    market.fill(UNIT, "r2")
    market.unlock()
    market.lock(reference="r3")
    page = TakerOrders(market.orders, INSTANCE, TAKER, market.now_s).page(UNFINISHED)
    assert [(shown.seen.reference_id, shown.seen.tx_hash) for shown in page.rows] == [("r3", "0x1")]


def test_an_order_whose_id_is_that_of_another_hash_is_not_found(market: Market) -> None:
    """An id has fewer digits than a hash."""
    market.create()
    market.lock()
    other_hash = hash_of(BUY)[:-1] + "0"
    assert other_hash != hash_of(BUY)
    with pytest.raises(OrderNotFound):
        TakerOrders(market.orders, INSTANCE, TAKER, market.now_s).one(other_hash)


def test_open_orders_are_500_at_most_and_the_oldest_ones(market: Market) -> None:
    for nonce in range(502):
        market.create(replace(BUY, nonce=nonce, incentive=0, price=UNIT, quantity=UNIT))
        market.now_s += 1
    market.lock(replace(BUY, nonce=0, incentive=0, price=UNIT, quantity=UNIT))
    found = open_orders(market.orders, INSTANCE, OrderFilter(), market.now_s)
    assert [stored.order.nonce for stored in found] == list(range(1, 501))


# --- while it is read


Work = Callable[[Market], object]
WORKS: dict[str, Work] = {
    "filled in part": lambda market: market.fill(UNIT, "now", LOCKED),
    "filled in whole": lambda market: market.fill(10 * UNIT, "now", LOCKED),
    "filled in part and given back, then another's": lambda market: (
        market.fill(UNIT, "now", LOCKED),
        market.unlock(LOCKED),
        market.lock(LOCKED, OTHER),
    ),
    "given back": lambda market: market.unlock(LOCKED),
    "given back, then another's": lambda market: (market.unlock(LOCKED), market.lock(LOCKED, OTHER)),
    "filled by another": lambda market: (
        market.unlock(LOCKED),
        market.lock(LOCKED, OTHER),
        market.fill(10 * UNIT, "now", LOCKED, OTHER),
    ),
    "the rest of another cancelled": lambda market: market.cancel(SEEN_BEFORE),
    "the rest of another filled": lambda market: (
        market.lock(SEEN_BEFORE),
        market.fill(9 * UNIT, "now", SEEN_BEFORE),
    ),
    "another order locked": lambda market: market.lock(LATER),
    "another order locked and filled": lambda market: (market.lock(LATER), market.fill(UNIT, "now", LATER)),
}
QUERIES = {
    "all": OrderQuery(),
    "oldest first, one a page": OrderQuery(Paging(1, 1, is_ascending=True)),
    "second page": OrderQuery(Paging(2, 1)),
    "by price": OrderQuery(sort_by=SortBy.PRICE),
    "by lock": OrderQuery(sort_by=SortBy.LOCKED_AT),
    "of a side": OrderQuery(order_filter=OrderFilter(is_buy=True)),
    "of two statuses": OrderQuery(statuses=frozenset({Status.LOCKED, Status.PARTIALLY_FILLED, Status.FILLED})),
    "of what has not ended": UNFINISHED,
    "of what has not ended, by lock": replace(UNFINISHED, sort_by=SortBy.LOCKED_AT),
    "created since": OrderQuery(created=Bounds(0)),
}


@pytest.fixture(scope="module")
def before() -> MemoryDynamoDB:
    """Tables in which the taker has locked an order and filled another, of three."""
    client = empty_tables()
    market = open_market(database_of(client))
    for order in (LOCKED, SEEN_BEFORE, LATER):
        market.create(order)
    market.lock(SEEN_BEFORE)
    market.fill(UNIT, "before", SEEN_BEFORE)
    market.unlock(SEEN_BEFORE)
    market.lock(LOCKED)
    return client


def market_over(client: Any) -> Market:
    return Market(database_of(client))


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
@pytest.mark.parametrize("work", WORKS.values(), ids=WORKS)
def test_a_list_shows_what_was_before_or_what_was_after_whatever_happens_between_its_calls(
    before: MemoryDynamoDB, work: Work, query: OrderQuery
) -> None:
    after = before.clone()
    work(market_over(after))
    either = [listed(market_over(before), query), listed(market_over(after), query)]
    call, has_struck = 0, True
    while has_struck:
        call += 1
        client = before.clone()
        aside = market_over(client)
        faulty = FaultyClient(client, after_another(lambda aside=aside: work(aside)))  # type: ignore[misc]
        faulty.strike_at(call)
        found = listed(market_over(faulty), query)
        has_struck = faulty.has_struck
        assert found in either, f"at call {call}"
    assert call > 2, "there was something to come between"


@pytest.mark.parametrize("work", WORKS.values(), ids=WORKS)
def test_no_order_is_shown_under_a_lock_that_the_taker_may_not_know_of(before: MemoryDynamoDB, work: Work) -> None:
    for call in range(1, 8):
        client = before.clone()
        aside = market_over(client)
        faulty = FaultyClient(client, after_another(lambda aside=aside: work(aside)))  # type: ignore[misc]
        faulty.strike_at(call)
        market = market_over(faulty)
        for shown in TakerOrders(market.orders, INSTANCE, TAKER, market.now_s).page(OrderQuery()).rows:
            lock = shown.order.state.lock
            has_fill = aside.orders.has_filled(INSTANCE, TAKER, shown.order)
            assert lock is None or lock.is_held_by(TAKER) or has_fill


def test_a_taker_that_fills_all_the_time_gets_a_list_all_the_same_each_order_once(before: MemoryDynamoDB) -> None:
    """Something comes between all the time, so the total may be behind; but no order is there twice."""
    client = before.clone()
    aside = market_over(client)
    orders = [replace(BUY, nonce=nonce, incentive=0, price=UNIT, quantity=UNIT) for nonce in range(100, 150)]

    def fill_the_last_one_and_lock_the_next(_operation: str, call: Callable[[], Any]) -> Any:
        order = orders.pop()
        aside.create(order)
        aside.lock(order)
        if len(orders) < 49:
            aside.fill(UNIT, "now", replace(order, nonce=order.nonce + 1))
        return call()

    hashes, _ = listed(market_over(WatchedClient(client, fill_the_last_one_and_lock_the_next)))
    assert len(hashes) == len(set(hashes))
    assert {hash_of(LOCKED), hash_of(SEEN_BEFORE)} < set(hashes)


def test_fills_are_counted_as_they_are_listed_when_one_is_made_in_between(before: MemoryDynamoDB) -> None:
    for call in (1, 2, 3):
        client = before.clone()
        aside = market_over(client)
        faulty = FaultyClient(client, after_another(lambda aside=aside: aside.fill(UNIT, "now", LOCKED)))  # type: ignore[misc]
        faulty.strike_at(call)
        page = TakerFills(market_over(faulty).orders, INSTANCE, TAKER).page(FillQuery())
        assert faulty.has_struck
        assert page.total == len(page.rows)


# --- pages and bounds


@pytest.mark.parametrize(
    ("total", "size", "pages"), [(0, 20, 0), (1, 20, 1), (20, 20, 1), (21, 20, 2), (50, 20, 3), (5, 2, 3)]
)
def test_there_are_as_many_pages_as_it_takes(total: int, size: int, pages: int) -> None:
    assert Page([], total, Paging(1, size)).pages == pages


@pytest.mark.parametrize("is_ascending", [True, False])
def test_the_pages_together_are_all_rows_in_order(is_ascending: bool) -> None:
    rows = [5, 3, 9, 1, 7]
    pages = [page_of(rows, lambda row: row, Paging(number, 2, is_ascending)) for number in (1, 2, 3, 4, 10**30)]
    assert [row for page in pages for row in page.rows] == sorted(rows, reverse=not is_ascending)
    assert {page.total for page in pages} == {5}


@pytest.mark.parametrize(
    ("end", "calls"), [(Paging(1, 20), 1), (Paging(50, 20), 1), (Paging(51, 20), 2), (Paging(501, 20), 11)]
)
def test_rows_up_to_a_pages_end_are_read_in_few_calls_and_none_beyond(end: Paging, calls: int) -> None:
    assert calls - 1 < end.end / end.rows_at_a_time <= calls
    assert end.rows_at_a_time * calls - end.end < calls


@pytest.mark.parametrize(
    ("bounds", "value", "holds"),
    [
        (Bounds(), None, True),
        (Bounds(), 5, True),
        (Bounds(5), 5, True),
        (Bounds(5), 4, False),
        (Bounds(None, 5), 5, True),
        (Bounds(None, 5), 6, False),
        (Bounds(0), None, False),
        (Bounds(6, 5), 5, False),
    ],
)
def test_both_ends_of_bounds_are_inside_and_no_value_is_in_none(bounds: Bounds, value: int | None, holds: bool) -> None:
    assert bounds.hold(value) == holds
