"""What trades move, as stories: budgets, payments, releases and fees; and commands that must not be there.

Books count in whole units and take no fees unless the story is about them. That the rules hold together, in any
mixture, is the claim of test_matching_against_reference.
"""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from chalicelib.domain.books.events import Accepted, Closed, Traded
from chalicelib.domain.books.matching import InvalidCommand, place, reject
from chalicelib.domain.books.vocabulary import CloseReason, OrderStatus, PlaceOrder, SelfTradePrevention
from chalicelib.domain.ledger.amounts import Side
from chalicelib.domain.ledger.holds import market_buy_cost, market_buy_hold
from tests.domain.books.orders import (
    AT_MS,
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

    One decimal, price 7, budget 2: it buys 2, for floor(1.4) = 1. A second bite of 1 would cost nothing.
    """
    book = a_book(base_decimals=1)
    placed(book, limit("ask", SELL, 7, 15))

    events = placed(book, market("taker", BUY, 15, budget=2))

    assert trades(events) == [("ask", 7, 2)]
    assert closes(events) == [("taker", CloseReason.MARKET_REMAINDER, 13, 1)]
    assert queue(book, SELL) == [(7, "ask", 13)]


def test_a_tiny_budget_takes_one_step_of_a_huge_maker() -> None:
    """T39 with 18 decimals: a budget of 2 pays floor(1.99...) once, and not the 1 that is left over again."""
    book = a_book(base_decimals=18)
    placed(book, limit("ask", SELL, 7, 1000 * E18))

    events = placed(book, market("taker", BUY, 1000 * E18, budget=2))

    assert trades(events) == [("ask", 7, 2 * E18 // 7)]
    assert the_trade(events).notional == 1


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


@pytest.mark.parametrize(("missing", "fills"), [(0, True), (1, False)])
@pytest.mark.parametrize("quantities", [(10**20,), (10**20, 1), (1, 10**20), (10**20, 10**20)], ids=str)
def test_the_fok_test_of_a_market_buy_is_exact_to_the_unit_for_amounts_of_any_size(
    quantities: tuple[int, ...], missing: int, fills: bool
) -> None:
    """Twenty digits are more than a float keeps."""
    book = a_book()
    placed(book, *(limit(f"ask {number}", SELL, 1, quantity) for number, quantity in enumerate(quantities)))
    cost = sum(quantities)

    events = placed(book, market("taker", BUY, cost, FOK, budget=cost - missing))

    assert sum(quantity for _, _, quantity in trades(events)) == (cost if fills else 0)


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
    """T42, one decimal: of 15 at 7 three are filled and pay floor(2.1); the open 12 need ceil(8.4)."""
    book = a_book(base_decimals=1)
    bid, ask = limit("bid", BUY, 7, 15, hold=11), limit("ask", SELL, 7, 3)

    events = placed(book, bid, ask) if bid_is_maker else placed(book, ask, bid)

    trade = the_trade(events)
    assert (trade.notional, trade.released) == (2, 0)
    assert book.open_orders["bid"].hold == 9


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


# --- fees --------------------------------------------------------------------------------------------------------


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
        place(book, command, AT_MS)

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
            place(book, command, AT_MS)


@pytest.mark.parametrize("reason", [CloseReason.INTERNAL_ERROR, CloseReason.BOOK_INACTIVE])
@pytest.mark.parametrize("order", [limit("order", BUY, 100, 5), limit("order", SELL, 100, 5), market("order", BUY, 5)])
def test_a_rejected_command_closes_with_its_whole_hold_released(order: PlaceOrder, reason: CloseReason) -> None:
    assert reject(order, reason) == [
        Accepted(order),
        Closed(order, OrderStatus.REJECTED, reason, 5, order.hold),
    ]


def test_replaying_a_rejection_leaves_no_trace_in_the_book() -> None:
    book = a_book()
    placed(book, limit("resting", SELL, 100, 5))
    before = book.state()

    for event in reject(limit("order", BUY, 100, 5), CloseReason.INTERNAL_ERROR):
        book.apply(event)

    book.check()
    assert book.state() == before
