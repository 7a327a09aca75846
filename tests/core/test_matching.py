"""What matching does, as stories: the table of 4.1.4, self-trade prevention, budgets, holds and fees.

Books count in whole units and take no fees unless the story is about them. That the rules hold together, in any
mixture, is the claim of test_matching_against_reference.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from chalicelib.core.events import Accepted, Closed, Event, Traded
from chalicelib.core.ledger import market_buy_cost, market_buy_hold
from chalicelib.core.matching import InvalidCommand, place, reject
from chalicelib.core.vocabulary import CloseReason, OrderStatus, PlaceOrder, SelfTradePrevention, Side, TimeInForce
from tests.core.orders import BUY, FOK, GTC, IOC, SELL, a_book, closes, limit, market, placed, queue, rests, trades

NONE, CANCEL_TAKER, CANCEL_MAKER, CANCEL_BOTH = SelfTradePrevention
E18 = 10**18


def the_trade(events: list[Event]) -> Traded:
    """The only trade among the events."""
    (trade,) = (event for event in events if isinstance(event, Traded))
    return trade


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


# --- the budget of a MARKET BUY (T38, T39) -----------------------------------------------------------------------


def asks_of_the_vectors() -> tuple[PlaceOrder, PlaceOrder]:
    return limit("ask 100", SELL, 100, 2), limit("ask 110", SELL, 110, 3)


def test_a_market_buy_for_more_than_the_depth_takes_all_and_gets_the_collar_back() -> None:
    """A known value: quantity 10, available 1000."""
    book = a_book()
    placed(book, *asks_of_the_vectors())
    cost = market_buy_cost(book.asks.depth(100), 10, 0)
    budget = market_buy_hold(cost, available=1000, collar_bps=500)

    events = placed(book, market("taker", BUY, 10, budget=budget))

    assert (cost, budget) == (530, 557)
    assert trades(events) == [("ask 100", 100, 2), ("ask 110", 110, 3)]
    assert closes(events) == [("taker", CloseReason.MARKET_REMAINDER, 5, 27)]


def test_a_market_buy_whose_book_became_dearer_buys_what_its_budget_pays() -> None:
    """A known value: 4 admitted at a cost of 420 with 430 available; at its turn there are only 4 at 120."""
    book = a_book()
    placed(book, limit("dearer", SELL, 120, 4))

    events = placed(book, market("taker", BUY, 4, budget=430))

    assert trades(events) == [("dearer", 120, 3)]
    assert closes(events) == [("taker", CloseReason.MARKET_REMAINDER, 1, 70)]
    assert queue(book, SELL) == [(120, "dearer", 1)]


def test_a_filled_market_buy_gets_back_what_it_did_not_spend() -> None:
    """A known value: quantity 4, hold 441, cost 420; the last fill releases the rest (T42)."""
    book = a_book()
    placed(book, *asks_of_the_vectors())

    events = placed(book, market("taker", BUY, 4, budget=441))

    assert [event.released for event in events if isinstance(event, Traded)] == [0, 21]
    assert closes(events) == []


def test_a_market_buy_with_an_exact_budget_fills() -> None:
    """T39: the bound is what the budget pays, not less."""
    book = a_book()
    placed(book, *asks_of_the_vectors())

    events = placed(book, market("taker", BUY, 4, budget=420))

    assert trades(events) == [("ask 100", 100, 2), ("ask 110", 110, 2)]
    assert closes(events) == []


def test_a_market_buy_without_a_budget_buys_nothing() -> None:
    """T38: no asks at admission mean a hold of 0; asks that arrived since are not for it."""
    book = a_book()
    placed(book, limit("arrived since", SELL, 1, 1))

    events = placed(book, market("taker", BUY, 1, budget=0))

    assert trades(events) == []
    assert closes(events) == [("taker", CloseReason.MARKET_REMAINDER, 1, 0)]


@pytest.mark.parametrize("prevention", SelfTradePrevention)
def test_a_market_buy_that_can_pay_for_nothing_more_meets_no_own_order(prevention: SelfTradePrevention) -> None:
    """T39 before T24: where the budget buys 0 it stops, so there is no trade to prevent and nobody is cancelled."""
    book = a_book(self_trade_prevention=prevention)
    placed(book, limit("stranger", SELL, 100, 1), limit("own", SELL, 101, 1, of="ann"))

    events = placed(book, market("taker", BUY, 5, of="ann", budget=150))

    assert trades(events) == [("stranger", 100, 1)]
    assert closes(events) == [("taker", CloseReason.MARKET_REMAINDER, 4, 50)]
    assert queue(book, SELL) == [(101, "own", 1)]


def test_a_market_buy_asks_each_maker_once_so_rounding_gives_nothing_away() -> None:
    """T39: of one maker at most floor(H_left * 10^bd / p).

    One decimal, price 7, budget 1: it buys 1, for floor(0.7) = 0. The budget of 1 is untouched, but buying again and
    again for nothing would empty the maker.
    """
    book = a_book(base_decimals=1)
    placed(book, limit("ask", SELL, 7, 15))

    events = placed(book, market("taker", BUY, 15, budget=1))

    assert trades(events) == [("ask", 7, 1)]
    assert closes(events) == [("taker", CloseReason.MARKET_REMAINDER, 14, 1)]
    assert queue(book, SELL) == [(7, "ask", 14)]


def test_a_tiny_budget_takes_one_step_of_a_huge_maker() -> None:
    """T39 with 18 decimals: without the bound on each maker this book would trade seven thousand times for nothing."""
    book = a_book(base_decimals=18)
    placed(book, limit("ask", SELL, 7, 1000 * E18))

    events = placed(book, market("taker", BUY, 1000 * E18, budget=1))

    assert trades(events) == [("ask", 7, E18 // 7)]


@pytest.mark.parametrize(("budget", "fills"), [(420, True), (419, False)])
def test_the_budget_is_part_of_the_fok_test_of_a_market_buy(budget: int, fills: bool) -> None:
    """T39: 4 units cost 200 + 220."""
    book = a_book()
    placed(book, *asks_of_the_vectors())
    before = book.state()

    events = placed(book, market("taker", BUY, 4, FOK, budget=budget))

    if fills:
        assert trades(events) == [("ask 100", 100, 2), ("ask 110", 110, 2)]
    else:
        assert closes(events) == [("taker", CloseReason.FOK_UNFILLABLE, 4, 419)]
        assert book.state() == before


def test_the_fok_test_of_a_market_buy_spends_what_each_trade_pays_rounded_down() -> None:
    """T39, T41: one decimal, 3 at 5 and 3 at 5: each pays floor(1.5) = 1, so a budget of 2 has 1 left for 2 of the 3.

    With a budget of 3 the second trade has 2 left, which pays for the 3.
    """
    outcomes = []
    for budget in (2, 3):
        book = a_book(base_decimals=1)
        placed(book, limit("one", SELL, 5, 3), limit("two", SELL, 5, 3))
        outcomes.append(trades(placed(book, market("taker", BUY, 6, FOK, budget=budget))))

    assert outcomes == [[], [("one", 5, 3), ("two", 5, 3)]]


def test_a_market_sell_has_no_budget() -> None:
    book = a_book()
    placed(book, limit("bid", BUY, 1_000_000, 2))

    assert trades(placed(book, market("taker", SELL, 2))) == [("bid", 1_000_000, 2)]


# --- payments, releases (T41, T42) -------------------------------------------------------------------------------


def test_an_order_at_a_round_price_holds_exactly_its_cost() -> None:
    """A known value: 18 decimals."""
    book = a_book(base_decimals=18)

    placed(book, limit("bid", BUY, 100 * E18, 5 * E18, hold=500 * E18))

    assert book.open_orders["bid"].hold == 500 * E18


def test_a_hold_rounds_up_a_payment_rounds_down_and_the_difference_is_released() -> None:
    """A known value: 8 decimals."""
    book = a_book(base_decimals=8)

    events = placed(book, limit("ask", SELL, 4260000, 2347418), limit("bid", BUY, 4260000, 2347418, hold=100001))

    trade = the_trade(events)
    assert (trade.notional, trade.released) == (100000, 1)


@pytest.mark.parametrize("bid_is_maker", [True, False])
def test_the_hold_of_a_bid_follows_its_open_quantity_from_fill_to_fill(bid_is_maker: bool) -> None:
    """A known value: one decimal: hold 11; pays 3, hold 7, 1 released; pays 7, nothing left."""
    book = a_book(base_decimals=1)
    bid = limit("bid", BUY, 7, 15, hold=11)
    asks = limit("ask 1", SELL, 7, 5), limit("ask 2", SELL, 7, 10)

    events = placed(book, bid, *asks) if bid_is_maker else placed(book, *asks, bid)

    first, second = (event for event in events if isinstance(event, Traded))
    assert (first.notional, first.released) == (3, 1)
    assert (second.notional, second.released) == (7, 0)


@pytest.mark.parametrize("bid_is_maker", [True, False])
def test_what_stays_held_for_the_open_quantity_is_rounded_up(bid_is_maker: bool) -> None:
    """T42, one decimal: of 15 at 7 one is filled and pays floor(0.7); the open 14 need ceil(9.8)."""
    book = a_book(base_decimals=1)
    bid, ask = limit("bid", BUY, 7, 15, hold=11), limit("ask", SELL, 7, 1)

    events = placed(book, bid, ask) if bid_is_maker else placed(book, ask, bid)

    trade = the_trade(events)
    assert (trade.notional, trade.released) == (0, 1)
    assert book.open_orders["bid"].hold == 10


def test_a_better_price_releases_what_the_buyer_saved_at_once() -> None:
    """A known value: hold 500, pays 180, hold 300, 20 released."""
    book = a_book()

    events = placed(book, limit("ask", SELL, 90, 2), limit("bid", BUY, 100, 5))

    trade = the_trade(events)
    assert (trade.notional, trade.released) == (180, 20)
    assert book.open_orders["bid"].hold == 300


def test_a_seller_who_gets_a_better_price_releases_nothing_of_the_buyers_hold() -> None:
    book = a_book()

    events = placed(book, limit("bid", BUY, 100, 5), limit("ask", SELL, 90, 2))

    trade = the_trade(events)
    assert (trade.notional, trade.released) == (200, 0)
    assert book.open_orders["bid"].hold == 300


@pytest.mark.parametrize(("side", "released"), [(BUY, 300), (SELL, 3)])
def test_a_close_after_a_partial_fill_releases_what_the_rest_held(side: Side, released: int) -> None:
    """T42: the hold of 500 (or 5) less the part that was filled, price improvement released before."""
    book = a_book()
    maker = limit("maker", SELL, 90, 2) if side is BUY else limit("maker", BUY, 110, 2)

    events = placed(book, maker, limit("taker", side, 100, 5, IOC))

    assert closes(events) == [("taker", CloseReason.IOC_REMAINDER, 3, released)]


def test_an_own_order_cancelled_after_a_partial_fill_releases_only_what_it_still_holds() -> None:
    """T24, T42."""
    book = a_book(self_trade_prevention=CANCEL_MAKER)
    placed(book, limit("own", BUY, 100, 5, of="ann"), limit("stranger", SELL, 100, 2))

    events = placed(book, limit("ask", SELL, 100, 1, of="ann"))

    assert closes(events) == [("own", CloseReason.SELF_TRADE_PREVENTED, 3, 300)]


# --- fees (5.4) --------------------------------------------------------------------------------------------------


def test_each_side_pays_the_fee_of_its_role_out_of_what_it_receives() -> None:
    """A known value: the taker buys at 15 bps of base, the maker sells at 5 bps of quote."""
    book = a_book(base_decimals=18, maker_fee_bps=5, taker_fee_bps=15)

    events = placed(
        book,
        limit("ask", SELL, 100 * E18, 2 * E18),
        limit("bid", BUY, 100 * E18, 2 * E18, hold=200 * E18),
    )

    trade = the_trade(events)
    assert trade.notional == 200000000000000000000
    assert trade.taker_fee == 3000000000000000
    assert trade.maker_fee == 100000000000000000


def test_a_selling_taker_pays_its_fee_in_quote_and_the_buying_maker_in_base() -> None:
    book = a_book(maker_fee_bps=100, taker_fee_bps=200)

    events = placed(book, limit("bid", BUY, 10, 1000), limit("ask", SELL, 10, 1000))

    trade = the_trade(events)
    assert (trade.maker_fee, trade.taker_fee) == (1000 // 100, 10_000 // 50)


@pytest.mark.parametrize(("quantity", "fee"), [(19, 0), (20, 1), (39, 1)])
def test_fees_are_rounded_down(quantity: int, fee: int) -> None:
    """500 bps is one in twenty."""
    book = a_book(maker_fee_bps=500, taker_fee_bps=500)

    events = placed(book, limit("ask", SELL, 1, quantity), limit("bid", BUY, 1, quantity))

    trade = the_trade(events)
    assert (trade.maker_fee, trade.taker_fee) == (fee, fee)


# --- commands that admission cannot have made --------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [
        limit("too little", BUY, 100, 5, hold=499),
        limit("too much", BUY, 100, 5, hold=501),
        limit("too little", SELL, 100, 5, hold=4),
        limit("too much", SELL, 100, 5, hold=6),
        replace(market("too little", SELL, 5), hold=4),
        market("negative", BUY, 5, budget=-1),
        limit("nothing", BUY, 100, 0),
        limit("nothing", SELL, 100, 0),
        market("nothing", BUY, 0),
        market("nothing", SELL, 0),
        limit("less than nothing", SELL, 100, -1),
        limit("resting", BUY, 100, 5),
        market("resting", BUY, 5),
        market("resting", SELL, 5),
        replace(limit("at no price", SELL, 100, 5), price=None),
        replace(market("at a price", SELL, 5, GTC), price=100),
        limit("for nothing", SELL, 0, 5),
        limit("below nothing", SELL, -1, 5),
        limit("for nothing", BUY, 0, 5),
        limit("post-only but not resting", SELL, 100, 5, IOC, post_only=True),
        replace(market("post-only at any price", SELL, 5), post_only=True),
    ],
    ids=lambda command: f"{command.order_type} {command.side} {command.order_id}",
)
def test_a_command_that_contradicts_itself_or_the_book_is_refused_and_changes_nothing(command: PlaceOrder) -> None:
    """A wrong hold, no quantity, an id that rests already, or parts that do not go together."""
    book = a_book()
    placed(book, limit("resting", SELL, 100, 5), limit("bid", BUY, 99, 5))
    before = book.state()

    with pytest.raises(InvalidCommand, match=command.order_id):
        place(book, command)

    assert book.state() == before
    book.check()


@pytest.mark.parametrize(("hold", "valid"), [(10, False), (11, True), (12, False)])
def test_the_only_valid_hold_of_a_limit_buy_is_its_cost_rounded_up(hold: int, valid: bool) -> None:
    """15 at 7 with one decimal cost 10.5."""
    book, command = a_book(base_decimals=1), limit("bid", BUY, 7, 15, hold=hold)

    if valid:
        assert rests(placed(book, command)) == [("bid", 15)]
    else:
        with pytest.raises(InvalidCommand, match=f"bid holds {hold}, needs 11"):
            place(book, command)


@pytest.mark.parametrize("order", [limit("order", BUY, 100, 5), limit("order", SELL, 100, 5), market("order", BUY, 5)])
def test_a_rejected_command_closes_with_its_whole_hold_released(order: PlaceOrder) -> None:
    assert reject(order) == [
        Accepted(order),
        Closed(order, OrderStatus.REJECTED, CloseReason.INTERNAL_ERROR, 5, order.hold),
    ]


def test_replaying_a_rejection_leaves_no_trace_in_the_book() -> None:
    book = a_book()
    placed(book, limit("resting", SELL, 100, 5))
    before = book.state()

    for event in reject(limit("order", BUY, 100, 5)):
        book.apply(event)

    book.check()
    assert book.state() == before
