"""Who trades with whom, as stories: how each order ends, priority, self-trade prevention.

Books count in whole units and take no fees unless the story is about them. That the rules hold together, in any
mixture, is the claim of test_matching_against_reference.
"""

from __future__ import annotations

import pytest

from chalicelib.domain.books.events import Accepted, Closed
from chalicelib.domain.books.vocabulary import CloseReason, OrderStatus, PlaceOrder, SelfTradePrevention, TimeInForce
from chalicelib.domain.ledger.amounts import Side
from tests.domain.books.orders import (
    BUY,
    FOK,
    GTC,
    IOC,
    SELL,
    a_book,
    closes,
    limit,
    market,
    placed,
    queue,
    rests,
    the_trade,
    trades,
)

NONE, CANCEL_TAKER, CANCEL_MAKER, CANCEL_BOTH = SelfTradePrevention
E18 = 10**18


# --- LIMIT GTC ---------------------------------------------------------------------------------------------------


def test_an_order_that_meets_nobody_rests_whole() -> None:
    book = a_book()
    order = limit("bid", BUY, 100, 5)

    events = placed(book, order)

    assert events[0] == Accepted(order)
    assert rests(events) == [("bid", 5)]
    assert len(events) == 2
    assert queue(book, BUY) == [(100, "bid", 5)]


def test_orders_of_equal_size_and_price_fill_each_other_and_leave_nothing() -> None:
    book = a_book()

    events = placed(book, limit("ask", SELL, 100, 5), limit("bid", BUY, 100, 5))

    assert trades(events) == [("ask", 100, 5)]
    assert closes(events) == []
    assert rests(events) == [("ask", 5)]
    assert queue(book, BUY) == queue(book, SELL) == []


def test_what_a_resting_order_cannot_fill_of_the_incoming_one_rests() -> None:
    book = a_book()

    events = placed(book, limit("ask", SELL, 100, 3), limit("bid", BUY, 100, 5))

    assert trades(events) == [("ask", 100, 3)]
    assert rests(events) == [("ask", 3), ("bid", 2)]
    assert queue(book, BUY) == [(100, "bid", 2)]
    assert queue(book, SELL) == []


def test_what_the_incoming_order_does_not_take_of_a_resting_one_stays() -> None:
    book = a_book()

    events = placed(book, limit("bid", BUY, 100, 5), limit("ask", SELL, 100, 3))

    trade = the_trade(events)
    assert (trade.maker_remaining, trade.taker_remaining) == (2, 0)
    assert queue(book, BUY) == [(100, "bid", 2)]
    assert queue(book, SELL) == []


@pytest.mark.parametrize(("side", "maker_price", "own_price"), [(BUY, 101, 100), (SELL, 100, 101)])
def test_an_order_never_trades_beyond_its_limit(side: Side, maker_price: int, own_price: int) -> None:
    book = a_book()
    opposite = SELL if side is BUY else BUY

    events = placed(book, limit("maker", opposite, maker_price, 5), limit("order", side, own_price, 5))

    assert trades(events) == []
    assert rests(events) == [("maker", 5), ("order", 5)]


@pytest.mark.parametrize(("side", "maker_price", "own_price"), [(BUY, 90, 100), (SELL, 110, 100)])
def test_a_trade_happens_at_the_resting_orders_price(side: Side, maker_price: int, own_price: int) -> None:
    book = a_book()
    opposite = SELL if side is BUY else BUY

    events = placed(book, limit("maker", opposite, maker_price, 5), limit("order", side, own_price, 5))

    assert trades(events) == [("maker", maker_price, 5)]


# --- price, then time --------------------------------------------------------------------------------------------


def test_a_buyer_walks_the_asks_from_the_lowest_up_to_its_limit() -> None:
    book = a_book()
    placed(book, *(limit(f"ask {price}", SELL, price, 1) for price in (102, 100, 103, 101)))

    events = placed(book, limit("bid", BUY, 102, 9))

    assert trades(events) == [("ask 100", 100, 1), ("ask 101", 101, 1), ("ask 102", 102, 1)]
    assert queue(book, SELL) == [(103, "ask 103", 1)]


def test_a_seller_walks_the_bids_from_the_highest_down_to_its_limit() -> None:
    book = a_book()
    placed(book, *(limit(f"bid {price}", BUY, price, 1) for price in (98, 100, 97, 99)))

    events = placed(book, limit("ask", SELL, 98, 9))

    assert trades(events) == [("bid 100", 100, 1), ("bid 99", 99, 1), ("bid 98", 98, 1)]
    assert queue(book, BUY) == [(97, "bid 97", 1)]


def test_at_one_price_the_order_that_came_first_trades_first() -> None:
    book = a_book()
    placed(book, limit("late in the alphabet", SELL, 100, 2), limit("early in the alphabet", SELL, 100, 2))

    events = placed(book, limit("bid", BUY, 100, 3))

    assert trades(events) == [("late in the alphabet", 100, 2), ("early in the alphabet", 100, 1)]


def test_a_partly_filled_order_keeps_its_place_in_the_queue() -> None:
    book = a_book()
    placed(book, limit("first", SELL, 100, 5), limit("second", SELL, 100, 5))

    events = placed(book, limit("bid 1", BUY, 100, 2), limit("bid 2", BUY, 100, 4))

    assert trades(events) == [("first", 100, 2), ("first", 100, 3), ("second", 100, 1)]


def test_what_rests_of_a_taker_goes_behind_those_who_waited_at_its_price() -> None:
    book = a_book()
    placed(book, limit("waiting", BUY, 101, 1), limit("ask", SELL, 102, 1))

    placed(book, limit("taker", BUY, 102, 2), limit("behind", BUY, 102, 1))

    assert queue(book, BUY) == [(102, "taker", 1), (102, "behind", 1), (101, "waiting", 1)]


# --- post-only ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("side", "touching", "clear"), [(BUY, 100, 99), (SELL, 100, 101)])
def test_a_post_only_order_rests_whole_when_it_would_not_trade(side: Side, touching: int, clear: int) -> None:
    book = a_book()
    placed(book, limit("other", SELL if side is BUY else BUY, touching, 5))

    events = placed(book, limit("post-only", side, clear, 5, post_only=True))

    assert rests(events) == [("post-only", 5)]


@pytest.mark.parametrize("side", Side)
def test_a_post_only_order_that_would_trade_is_cancelled_with_nothing_filled(side: Side) -> None:
    book = a_book()
    placed(book, limit("other", SELL if side is BUY else BUY, 100, 1))
    before = book.state()
    order = limit("post-only", side, 100, 5, post_only=True)

    events = placed(book, order)

    assert trades(events) == []
    assert rests(events) == []
    assert closes(events) == [("post-only", CloseReason.POST_ONLY_WOULD_CROSS, 5, order.hold)]
    assert book.state() == before


# --- IOC and MARKET ----------------------------------------------------------------------------------------------


def takers(side: Side, quantity: int) -> list[tuple[PlaceOrder, CloseReason]]:
    """Every order that takes what there is at 100 and never rests, with the reason that its remainder is closed for."""
    return [
        (limit("taker", side, 100, quantity, IOC), CloseReason.IOC_REMAINDER),
        (market("taker", side, quantity, GTC), CloseReason.MARKET_REMAINDER),
        (market("taker", side, quantity, IOC), CloseReason.MARKET_REMAINDER),
    ]


@pytest.mark.parametrize(("taker", "_reason"), takers(BUY, 3) + takers(SELL, 3))
def test_an_ioc_or_market_order_that_finds_enough_is_filled(taker: PlaceOrder, _reason: CloseReason) -> None:
    book = a_book()
    placed(book, limit("maker", SELL if taker.side is BUY else BUY, 100, 5))

    events = placed(book, taker)

    assert trades(events) == [("maker", 100, 3)]
    assert closes(events) == []
    assert rests(events) == []


@pytest.mark.parametrize(("taker", "reason"), takers(BUY, 5) + takers(SELL, 5))
def test_the_remainder_of_an_ioc_or_market_order_is_cancelled_and_its_filled_part_kept(
    taker: PlaceOrder, reason: CloseReason
) -> None:
    book = a_book()
    placed(book, limit("maker", SELL if taker.side is BUY else BUY, 100, 3))

    events = placed(book, taker)

    spent = 300 if taker.side is BUY else 3
    assert trades(events) == [("maker", 100, 3)]
    assert events[-1] == Closed(taker, OrderStatus.CANCELLED, reason, remaining=2, released=taker.hold - spent)
    assert book.open_orders == {}


@pytest.mark.parametrize("side", Side)
def test_an_ioc_order_takes_nothing_beyond_its_limit_but_a_market_order_takes_any_price(side: Side) -> None:
    far = 1000 if side is BUY else 1
    makers = limit("near", SELL if side is BUY else BUY, 100, 1), limit("far", SELL if side is BUY else BUY, far, 1)
    ioc_book, market_book = a_book(), a_book()
    placed(ioc_book, *makers)
    placed(market_book, *makers)

    assert trades(placed(ioc_book, limit("taker", side, 100, 2, IOC))) == [("near", 100, 1)]
    assert trades(placed(market_book, market("taker", side, 2))) == [("near", 100, 1), ("far", far, 1)]


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("time_in_force", [GTC, IOC])
def test_a_market_order_against_an_empty_side_ends_cancelled(side: Side, time_in_force: TimeInForce) -> None:
    """T22: it is admitted, and GTC makes no difference: a MARKET order never rests."""
    book = a_book()
    order = market("taker", side, 5, time_in_force)
    placed(book, limit("own side", side, 100, 1))

    events = placed(book, order)

    assert events[0] == Accepted(order)
    assert closes(events) == [("taker", CloseReason.MARKET_REMAINDER, 5, order.hold)]
    assert list(book.open_orders) == ["own side"]


# --- FOK ---------------------------------------------------------------------------------------------------------


def fill_or_kill(side: Side, quantity: int, limit_price: int) -> list[PlaceOrder]:
    return [limit("taker", side, limit_price, quantity, FOK), market("taker", side, quantity, FOK)]


@pytest.mark.parametrize("taker", fill_or_kill(BUY, 5, 101) + fill_or_kill(SELL, 5, 100))
def test_a_fok_order_fills_when_the_depth_is_exactly_enough(taker: PlaceOrder) -> None:
    book = a_book()
    best, next_best = (100, 101) if taker.side is BUY else (101, 100)
    maker_side = SELL if taker.side is BUY else BUY
    placed(book, *(limit(f"maker {price}", maker_side, price, size) for price, size in ((best, 2), (next_best, 3))))

    events = placed(book, taker)

    assert trades(events) == [(f"maker {best}", best, 2), (f"maker {next_best}", next_best, 3)]
    assert closes(events) == []
    assert rests(events) == []
    assert book.open_orders == {}


@pytest.mark.parametrize("taker", fill_or_kill(BUY, 6, 101) + fill_or_kill(SELL, 6, 100))
def test_a_fok_order_for_one_unit_more_than_the_depth_is_cancelled_with_nothing_filled(taker: PlaceOrder) -> None:
    book = a_book()
    maker_side = SELL if taker.side is BUY else BUY
    placed(book, limit("one", maker_side, 100, 2), limit("two", maker_side, 101, 3))
    before = book.state()

    events = placed(book, taker)

    assert trades(events) == []
    assert rests(events) == []
    assert closes(events) == [("taker", CloseReason.FOK_UNFILLABLE, 6, taker.hold)]
    assert book.state() == before


@pytest.mark.parametrize("side", Side)
def test_a_fok_limit_order_does_not_count_depth_beyond_its_limit(side: Side) -> None:
    book = a_book()
    beyond = 101 if side is BUY else 99
    maker_side = SELL if side is BUY else BUY
    placed(book, limit("within", maker_side, 100, 4), limit("beyond", maker_side, beyond, 9))

    events = placed(book, limit("taker", side, 100, 5, FOK))

    assert [reason for _, reason, *_ in closes(events)] == [CloseReason.FOK_UNFILLABLE]


@pytest.mark.parametrize("taker", fill_or_kill(BUY, 1, 100) + fill_or_kill(SELL, 1, 100))
def test_a_fok_order_against_an_empty_side_is_unfillable(taker: PlaceOrder) -> None:
    assert closes(placed(a_book(), taker)) == [("taker", CloseReason.FOK_UNFILLABLE, 1, taker.hold)]


# --- self-trade prevention (T24) ---------------------------------------------------------------------------------

OWN_ASK_IN_THE_MIDDLE = (
    limit("stranger 1", SELL, 100, 2),
    limit("own", SELL, 101, 3, of="ann"),
    limit("stranger 2", SELL, 102, 4),
)


@pytest.mark.parametrize(
    ("prevention", "traded", "closed", "rested"),
    [
        (NONE, [("stranger 1", 100, 2), ("own", 101, 3), ("stranger 2", 102, 4)], [], [("bid", 1)]),
        (CANCEL_TAKER, [("stranger 1", 100, 2)], ["bid"], []),
        (CANCEL_MAKER, [("stranger 1", 100, 2), ("stranger 2", 102, 4)], ["own"], [("bid", 4)]),
        (CANCEL_BOTH, [("stranger 1", 100, 2)], ["own", "bid"], []),
    ],
)
def test_an_order_that_meets_one_of_its_own_customer_does_what_the_book_says(
    prevention: SelfTradePrevention,
    traded: list[tuple[str, int, int]],
    closed: list[str],
    rested: list[tuple[str, int]],
) -> None:
    """T24: NONE lets them trade; the other modes cancel one of the two, or both. Earlier fills stay."""
    book = a_book(self_trade_prevention=prevention)
    placed(book, *OWN_ASK_IN_THE_MIDDLE)

    events = placed(book, limit("bid", BUY, 102, 10, of="ann"))

    assert trades(events) == traded
    assert rests(events) == rested
    # The own ask holds its 3; the bid paid 200 of its 1020.
    expected = {"own": (3, 3), "bid": (8, 816)}
    assert closes(events) == [(order, CloseReason.SELF_TRADE_PREVENTED, *expected[order]) for order in closed]
    assert ("own" in book.open_orders) == (prevention is CANCEL_TAKER)


@pytest.mark.parametrize("prevention", SelfTradePrevention)
def test_an_own_order_that_is_not_reached_is_left_alone(prevention: SelfTradePrevention) -> None:
    """T24: neither one behind the last fill nor one beyond the limit is met."""
    book = a_book(self_trade_prevention=prevention)
    placed(book, *OWN_ASK_IN_THE_MIDDLE)

    filled = placed(book, limit("filled before", BUY, 101, 2, of="ann"))
    resting = placed(book, limit("stops below", BUY, 100, 2, of="ann"))

    assert trades(filled) == [("stranger 1", 100, 2)]
    assert rests(resting) == [("stops below", 2)]
    assert closes(filled + resting) == []
    assert queue(book, SELL) == [(101, "own", 3), (102, "stranger 2", 4)]


def test_a_seller_is_kept_from_its_own_bid_too() -> None:
    """T24, and the hold of a cancelled bid goes back in quote."""
    book = a_book(self_trade_prevention=CANCEL_MAKER)
    placed(book, limit("own", BUY, 100, 3, of="ann"), limit("stranger", BUY, 100, 3))

    events = placed(book, limit("ask", SELL, 100, 3, of="ann"))

    assert closes(events) == [("own", CloseReason.SELF_TRADE_PREVENTED, 3, 300)]
    assert trades(events) == [("stranger", 100, 3)]


def test_an_order_that_cancels_all_it_met_rests_whole() -> None:
    """T24: CANCEL_MAKER goes on after the own order, to the end of what the limit allows."""
    book = a_book(self_trade_prevention=CANCEL_MAKER)
    placed(book, limit("own 1", SELL, 100, 1, of="ann"), limit("own 2", SELL, 101, 1, of="ann"))

    events = placed(book, limit("bid", BUY, 101, 5, of="ann"))

    assert [order for order, *_ in closes(events)] == ["own 1", "own 2"]
    assert queue(book, BUY) == [(101, "bid", 5)]
    assert queue(book, SELL) == []


@pytest.mark.parametrize("prevention", SelfTradePrevention)
def test_a_post_only_order_that_touches_an_own_order_is_cancelled_as_any_other(prevention: SelfTradePrevention) -> None:
    """It would cross, so it does not rest; and it never takes, so no own order is cancelled for it."""
    book = a_book(self_trade_prevention=prevention)
    placed(book, limit("own", SELL, 100, 1, of="ann"))

    events = placed(book, limit("bid", BUY, 100, 1, of="ann", post_only=True))

    assert closes(events) == [("bid", CloseReason.POST_ONLY_WOULD_CROSS, 1, 100)]
    assert queue(book, SELL) == [(100, "own", 1)]


def test_the_fok_test_counts_who_stands_behind_an_own_order_at_one_price() -> None:
    book = a_book(self_trade_prevention=CANCEL_MAKER)
    placed(book, limit("own", SELL, 100, 3, of="ann"), limit("behind", SELL, 100, 4))
    events = placed(book, limit("taker", BUY, 100, 4, FOK, of="ann"))
    assert trades(events) == [("behind", 100, 4)]


@pytest.mark.parametrize("market_order", [False, True])
@pytest.mark.parametrize(
    ("prevention", "fillable", "unfillable"),
    [(NONE, 9, 10), (CANCEL_TAKER, 2, 3), (CANCEL_MAKER, 6, 7), (CANCEL_BOTH, 2, 3)],
)
def test_the_fok_test_counts_what_self_trade_prevention_leaves(
    prevention: SelfTradePrevention, fillable: int, unfillable: int, market_order: bool
) -> None:
    """T24: own orders are skipped under CANCEL_MAKER; under CANCEL_TAKER and CANCEL_BOTH the first one ends the count.

    The book offers 2, then an own 3, then 4. A failing FOK cancels no resting order.
    """
    for quantity, fills in ((fillable, True), (unfillable, False)):
        book = a_book(self_trade_prevention=prevention)
        placed(book, *OWN_ASK_IN_THE_MIDDLE)
        before = book.state()
        fok_market = market("taker", BUY, quantity, FOK, of="ann")
        order = fok_market if market_order else limit("taker", BUY, 102, quantity, FOK, of="ann")

        events = placed(book, order)

        if fills:
            assert sum(size for _, _, size in trades(events)) == quantity
            assert [closed for closed, *_ in closes(events)] == (["own"] if prevention is CANCEL_MAKER else [])
        else:
            assert closes(events) == [("taker", CloseReason.FOK_UNFILLABLE, quantity, order.hold)]
            assert book.state() == before
