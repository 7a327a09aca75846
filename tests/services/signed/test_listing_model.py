"""Lists equal a naive filter, sort and cut over everything there is, after any commands and at any time.

Commands are drawn from a seed, which the test's name shows; after every few of them lists are asked for that are drawn
too. The naive side knows nothing of what takers' and makers' own rows say: it looks at each order and its fills.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

import pytest

from chalicelib.domain.signed.faults import BadAmount, Conflict, OrderNotFound
from chalicelib.domain.signed.filling import FillRequest
from chalicelib.domain.signed.lifecycle import FINAL, Status
from chalicelib.domain.signed.order import SignedOrder, order_id_of
from chalicelib.domain.signed.paging import Bounds, Paging
from chalicelib.domain.signed.stored import Fill, StoredOrder
from chalicelib.services.signed.desk import Signed
from chalicelib.services.signed.fill_listing import FillQuery, SortFillsBy, TakerFills
from chalicelib.services.signed.listing import OrderFilter, OrderQuery, SortBy, TakerOrders, as_of, open_orders
from chalicelib.services.signed.maker_listing import MakerOrders, MakerQuery, SortMakersBy
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.instruments import Instruments
from tests.services.signed.market import (
    BUY,
    INSTANCE,
    MAKER,
    NOW_S,
    OTHER,
    PRINCIPAL,
    STOCK,
    TAKER,
    UNIT,
    Market,
    open_market,
)

SEEDS = range(8)
COMMANDS, COMMANDS_BETWEEN_LOOKS = 240, 8
TAKERS = (TAKER, OTHER)
MAKERS = (MAKER, PRINCIPAL)
BEFORE_END = [Status.PENDING, Status.LOCKED, Status.PARTIALLY_FILLED, Status.SUSPENDED]
EXAMPLE = OrderQuery(statuses=frozenset({Status.LOCKED, Status.PARTIALLY_FILLED}))
"""What most takers poll for."""
REFUSALS = (Conflict, OrderNotFound, BadAmount)


@dataclass
class Story:
    """What happens at the desk.

    given: the latest reference and tx_hash of each taker for each order. shown: what takers have seen of orders.
    """

    random: Random
    market: Market
    orders: list[SignedOrder] = field(default_factory=list)
    hashes: list[str] = field(default_factory=list)
    fills: list[Fill] = field(default_factory=list)
    given: dict[tuple[str, str], tuple[str | None, str | None]] = field(default_factory=dict)
    shown: set[Status] = field(default_factory=set)

    def happen(self) -> None:
        """Let one thing happen, or be refused."""
        acts: list[Callable[[], object]] = [
            self.create, self.create, self.lock, self.lock, self.lock, self.fill, self.fill, self.fill, self.unlock,
            self.cancel, self.answer_cancel, self.reject, self.suspend, self.resume, self.wait, self.wait, self.sweep,
        ]  # fmt: skip
        with suppress(*REFUSALS):
            self.random.choice(acts if self.hashes else [self.create])()

    def create(self) -> None:
        order = replace(
            BUY,
            maker=self.random.choice(MAKERS),
            principal=self.random.choice(MAKERS),
            is_buy=self.random.random() < 0.5,
            ticker=self.random.choice(["AAPL", "TSLA"]),
            exchange=self.random.choice([0, 1]),
            price=self.random.choice([9, 20, 100]) * UNIT,
            quantity=self.random.choice([2, 5]) * UNIT,
            incentive=self.random.choice([0, 10]),
            deadline=self.market.now_s + self.random.choice([500, 2000, 10**6]),
            nonce=len(self.orders),
        )
        order_hash = f"0x{self.random.getrandbits(256):064x}"
        self.market.desk.create(INSTANCE, self.market.settings, Signed(order, order_hash, "0x" + "ab" * 65))
        self.orders.append(order)
        self.hashes.append(order_hash)

    def lock(self) -> None:
        order_hash, taker = self.some_hash(), self.random.choice(TAKERS)
        reference = self.random.choice([None, f"lock-{self.random.randrange(10**6)}"])
        seconds = self.random.choice([60, 300, 3600])
        self.market.desk.lock(INSTANCE, self.market.settings, order_hash, taker, seconds, reference)
        had_filled = any((fill.order_hash, fill.taker) == (order_hash, taker) for fill in self.fills)
        before = self.given.get((taker, order_hash), (None, None)) if had_filled else (None, None)
        self.given[taker, order_hash] = (reference or before[0], before[1])

    def fill(self) -> None:
        order_hash, taker = self.some_lock()
        tx_hash = self.random.choice([None, f"0x{self.random.getrandbits(256):064x}"])
        block = self.random.choice([None, 7, 8])
        reference = f"fill-{len(self.fills)}"
        request = FillRequest(order_hash, self.random.choice([1, 1, 1, 2, 5]) * UNIT, None, reference, tx_hash, block)
        self.fills.append(self.market.desk.fill(INSTANCE, self.market.settings, taker, request))
        _, tx_before = self.given[taker, order_hash]
        self.given[taker, order_hash] = (reference, tx_hash or tx_before)

    def unlock(self) -> None:
        self.market.desk.unlock(INSTANCE, *self.some_lock())

    def reject(self) -> None:
        self.market.desk.reject(INSTANCE, *self.some_lock(), "no")

    def cancel(self) -> None:
        number = self.hashes.index(self.some_hash())
        self.market.desk.cancel(INSTANCE, order_id_of(self.hashes[number]), self.orders[number].maker)

    def answer_cancel(self) -> None:
        self.market.desk.cancel_result(INSTANCE, *self.some_lock(), self.random.random() < 0.5, "so be it")

    def suspend(self) -> None:
        self.market.desk.suspend(INSTANCE, order_id_of(self.some_hash()))

    def resume(self) -> None:
        self.market.desk.resume(INSTANCE, order_id_of(self.some_hash()))

    def wait(self) -> None:
        self.market.now_s += self.random.choice([1, 30, 200])

    def sweep(self) -> None:
        if self.random.random() < 0.3:
            self.market.desk.sweep()

    def some_hash(self) -> str:
        """Return an order's hash, a young one's more often."""
        return self.random.choice([*self.hashes, *self.hashes[-4:] * 5])

    def some_lock(self) -> tuple[str, str]:
        """Return an order and the taker that has locked it; where none is locked, any."""
        locks = [(order.order_hash, order.state.lock.taker) for order in self.everything() if order.state.lock]
        return self.random.choice(locks or [(self.some_hash(), TAKER)])

    # What there is, naively

    def everything(self) -> list[StoredOrder]:
        found = (self.market.orders.get(INSTANCE, order_id_of(order_hash)) for order_hash in self.hashes)
        return [as_of(stored, self.market.now_s) for stored in found if stored is not None]

    def is_seen(self, order: StoredOrder, taker: str) -> bool:
        lock = order.state.lock
        return (lock is not None and lock.taker == taker) or any(
            fill.taker == taker for fill in self.fills if fill.order_hash == order.order_hash
        )


def within(bounds: Bounds, value: int | None) -> bool:
    if bounds == Bounds():
        return True
    return value is not None and (bounds.least or 0) <= value <= (10**99 if bounds.most is None else bounds.most)


def cut(rows: Iterable[Any], value: Callable[[Any], int | None], tie: Callable[[Any], str], paging: Paging) -> Any:
    """Return the page's rows and the number of all: sorted by a value, ties in the same direction, no value last."""
    is_reversed = not paging.is_ascending
    in_ties = sorted(rows, key=tie, reverse=is_reversed)
    valued = [row for row in in_ties if value(row) is not None]
    valued.sort(key=lambda row: value(row) or 0, reverse=is_reversed)
    ordered = valued + [row for row in in_ties if value(row) is None]
    start = (paging.number - 1) * paging.size
    return ordered[start : start + paging.size], len(ordered)


def story_of(seed: int, database: Database) -> Story:
    market = open_market(database, (*MAKERS, *TAKERS))
    for ticker in ("AAPL", "TSLA"):
        Instruments(database).add(INSTANCE, 1, ticker, STOCK)
    return Story(Random(seed), market)


@pytest.mark.parametrize("seed", SEEDS)
def test_lists_equal_what_there_is_naively_filtered_sorted_and_cut(seed: int, memory_database: Database) -> None:
    story = story_of(seed, memory_database)
    for number in range(COMMANDS):
        story.happen()
        if number % COMMANDS_BETWEEN_LOOKS == 0:
            look_at_takers_orders(story)
            look_at_unfinished_rows(story)
            look_at_open_orders(story)
            look_at_fills(story)
            look_at_makers_orders(story)
    assert len(story.shown) >= 3, "the story shows too little"
    assert not story.shown & {Status.PENDING, Status.REJECTED}, "no taker sees such orders (K2, K25)"


def look_at_takers_orders(story: Story) -> None:
    for taker in TAKERS:
        drawn = order_query(story.random), order_query(story.random)
        unfinished = replace(order_query(story.random), statuses=frozenset(story.random.sample(BEFORE_END, 2)))
        for query in (OrderQuery(), EXAMPLE, unfinished, *drawn):
            rows = [order for order in story.everything() if story.is_seen(order, taker) and is_wanted(query, order)]
            values: dict[SortBy, Callable[[StoredOrder], int | None]] = {
                SortBy.CREATED_AT: lambda order: order.created_at_s,
                SortBy.PRICE: lambda order: order.order.price,
                SortBy.LOCKED_AT: lambda order: order.state.lock and order.state.lock.locked_at_s,
            }
            expected, total = cut(rows, values[query.sort_by], lambda order: order.order_hash, query.paging)
            page = TakerOrders(story.market.orders, INSTANCE, taker, story.market.now_s).page(query)
            assert [shown.order for shown in page.rows] == expected, query
            assert page.total == total, query
            for shown in page.rows:
                story.shown.add(shown.order.state.status)
                given = (shown.seen.reference_id, shown.seen.tx_hash)
                assert given == story.given[taker, shown.order.order_hash]


def look_at_unfinished_rows(story: Story) -> None:
    """They are those of the orders whose end has not been written, whatever the clock says."""
    stored = [story.market.orders.get(INSTANCE, order_id_of(order_hash)) for order_hash in story.hashes]
    live = {one.order_hash for one in stored if one is not None and one.state.status not in FINAL}
    for taker in TAKERS:
        filled = {fill.order_hash for fill in story.fills if fill.taker == taker}
        assert {seen.order_hash for seen in story.market.orders.unfinished_seen(INSTANCE, taker)} == live & filled


def is_wanted(query: OrderQuery, order: StoredOrder) -> bool:
    order_filter, facts = query.order_filter, order.order
    return (
        (not query.statuses or order.state.status in query.statuses)
        and (order_filter.ticker is None or facts.ticker == order_filter.ticker)
        and (order_filter.exchange is None or facts.exchange == order_filter.exchange)
        and (order_filter.is_buy is None or facts.is_buy == order_filter.is_buy)
        and within(query.created, order.created_at_s)
    )


def look_at_open_orders(story: Story) -> None:
    order_filter = order_query(story.random).order_filter
    now_s = story.market.now_s
    expected, _ = cut(
        (
            order
            for order in story.everything()
            if order.state.status in (Status.PENDING, Status.PARTIALLY_FILLED) and order.state.lock is None
            and is_wanted(OrderQuery(order_filter=order_filter), order)
        ),
        lambda order: order.created_at_s,
        lambda order: order.order_hash,
        Paging(1, 500, is_ascending=True),
    )  # fmt: skip
    assert open_orders(story.market.orders, INSTANCE, order_filter, now_s) == expected


def look_at_fills(story: Story) -> None:
    values: dict[SortFillsBy, Callable[[Fill], int]] = {
        SortFillsBy.CREATED_AT: lambda fill: fill.created_at_s,
        SortFillsBy.QUANTITY: lambda fill: fill.quantity,
        SortFillsBy.AMOUNT: lambda fill: fill.amount,
    }
    for taker in TAKERS:
        for query in (FillQuery(), fill_query(story), fill_query(story)):
            rows = [
                fill
                for fill in story.fills
                if fill.taker == taker
                and query.taker in (None, taker)
                and query.order_id in (None, fill.order_id)
                and query.order_hash in (None, fill.order_hash)
                and query.tx_hash in (None, fill.tx_hash)
                and (not query.statuses or fill.status in query.statuses)
                and within(query.quantity, fill.quantity)
                and within(query.amount, fill.amount)
                and within(query.incentive, fill.incentive)
                and within(query.block_number, fill.block_number)
                and within(query.created, fill.created_at_s)
            ]
            expected, total = cut(rows, values[query.sort_by], lambda fill: fill.fill_id, query.paging)
            page = TakerFills(story.market.orders, INSTANCE, taker).page(query)
            assert (page.rows, page.total) == (expected, total), query


def look_at_makers_orders(story: Story) -> None:
    values: dict[SortMakersBy, Callable[[StoredOrder], int]] = {
        SortMakersBy.CREATED_AT: lambda order: order.created_at_s,
        SortMakersBy.PRICE: lambda order: order.order.price,
        SortMakersBy.QUANTITY: lambda order: order.order.quantity,
        SortMakersBy.INCENTIVE: lambda order: order.order.incentive,
        SortMakersBy.DEADLINE: lambda order: order.order.deadline,
    }
    for maker in MAKERS:
        query = maker_query(story)
        rows = [
            order
            for order in story.everything()
            if order.order.maker == maker
            and query.order_hash in (None, order.order_hash)
            and query.nonce in (None, order.order.nonce)
            and query.principal in (None, order.order.principal)
            and (query.ticker is None or (query.ticker in order.order.ticker and query.is_ticker_part)
                 or query.ticker == order.order.ticker)
            and query.exchange in (None, order.order.exchange)
            and query.is_buy in (None, order.order.is_buy)
            and within(query.price, order.order.price)
            and within(query.filled, order.state.filled)
            and within(query.deadline, order.order.deadline)
            and within(query.created, order.created_at_s)
            and (not query.statuses or order.state.status in query.statuses)
        ]  # fmt: skip
        expected, total = cut(rows, values[query.sort_by], lambda order: order.order_hash, query.paging)
        orders = MakerOrders(story.market.orders, INSTANCE, maker, story.market.now_s)
        found, counted = orders.up_to_page(query)
        assert (found[query.paging.offset :], counted) == (expected, total), query
        for each in map(orders.with_fills, found[query.paging.offset :]):
            made = [fill for fill in story.fills if fill.order_hash == each.order.order_hash]
            made.sort(key=lambda fill: (fill.created_at_s, fill.fill_id), reverse=True)
            has_fills = each.order.state.status in (Status.PARTIALLY_FILLED, Status.FILLED)
            assert each.fills == (made if has_fills else None)


# --- what is asked for; each filter in every third query or so


def order_query(random: Random) -> OrderQuery:
    def sometimes(draw: Callable[[], Any], otherwise: Any = None) -> Any:
        return draw() if random.random() < 0.3 else otherwise

    order_filter = OrderFilter(
        sometimes(lambda: random.choice(["AAPL", "TSLA"])),
        sometimes(lambda: random.choice([0, 1])),
        sometimes(lambda: random.random() < 0.5),
    )
    some = random.choice([list(Status), BEFORE_END])
    statuses = sometimes(lambda: frozenset(random.sample(some, random.randint(1, 3))), frozenset())
    return OrderQuery(
        paging_of(random),
        random.choice(list(SortBy)),
        statuses,
        order_filter,
        sometimes(lambda: span_of(random), Bounds()),
    )


def fill_query(story: Story) -> FillQuery:
    random = story.random

    def sometimes(draw: Callable[[], Any], otherwise: Any = None) -> Any:
        return draw() if random.random() < 0.2 else otherwise

    some = story.fills or [None]
    return FillQuery(
        paging=paging_of(random),
        sort_by=random.choice(list(SortFillsBy)),
        order_id=sometimes(lambda: getattr(random.choice(some), "order_id", None)),
        order_hash=sometimes(lambda: getattr(random.choice(some), "order_hash", None)),
        taker=sometimes(lambda: random.choice(TAKERS)),
        tx_hash=sometimes(lambda: getattr(random.choice(some), "tx_hash", None)),
        quantity=sometimes(lambda: Bounds(2 * UNIT, random.choice([None, 2 * UNIT])), Bounds()),
        amount=sometimes(lambda: Bounds(None, 100 * UNIT), Bounds()),
        incentive=sometimes(lambda: Bounds(1, 5), Bounds()),
        block_number=sometimes(lambda: Bounds(0, random.choice([None, 7])), Bounds()),
        statuses=sometimes(lambda: frozenset({Status.FILLED}), frozenset()),
        created=sometimes(lambda: span_of(random), Bounds()),
    )


def maker_query(story: Story) -> MakerQuery:
    random = story.random

    def sometimes(draw: Callable[[], Any], otherwise: Any = None) -> Any:
        return draw() if random.random() < 0.15 else otherwise

    return MakerQuery(
        paging=paging_of(random),
        sort_by=random.choice(list(SortMakersBy)),
        order_hash=sometimes(lambda: random.choice([*story.hashes, "0x" + "00" * 32])),
        principal=sometimes(lambda: random.choice(MAKERS)),
        ticker=sometimes(lambda: random.choice(["AAPL", "TSLA", "A", "TS"])),
        is_ticker_part=random.random() < 0.5,
        exchange=sometimes(lambda: 1),
        is_buy=sometimes(lambda: random.random() < 0.5),
        nonce=sometimes(lambda: random.randrange(len(story.orders) + 1)),
        price=sometimes(lambda: Bounds(20 * UNIT, random.choice([None, 50 * UNIT])), Bounds()),
        filled=sometimes(lambda: Bounds(1, None), Bounds()),
        deadline=sometimes(lambda: Bounds(story.market.now_s, NOW_S + 10**5), Bounds()),
        created=sometimes(lambda: span_of(random), Bounds()),
        statuses=sometimes(lambda: frozenset(random.sample(list(Status), 3)), frozenset()),
    )


def paging_of(random: Random) -> Paging:
    return Paging(random.choice([1, 1, 2, 3, 50]), random.choice([1, 2, 3, 100]), random.random() < 0.5)


def span_of(random: Random) -> Bounds:
    """Return bounds about the time in which the stories play; sometimes they are the wrong way round."""
    least, most = (NOW_S + random.randrange(4000) for _ in range(2))
    return Bounds(random.choice([None, least]), random.choice([None, most]))
