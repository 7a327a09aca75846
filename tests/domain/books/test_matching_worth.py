"""What trades are worth (T45, T46): no trade with an empty leg, no dust at rest, and a minimum for who buys.

One decimal unless a story says otherwise, so 10 base units are one whole: 3 units at a price of 3 are worth 0.9, which
is nothing; 4 are worth 1.
"""

from __future__ import annotations

import pytest

from chalicelib.domain.books.book import Book
from chalicelib.domain.books.events import Accepted, Event, Rested, Traded
from chalicelib.domain.books.forms import decode_terms, encode_terms
from chalicelib.domain.books.matching import place
from chalicelib.domain.books.snapshot import BookState, decode_state, encode_state
from chalicelib.domain.books.vocabulary import (
    BookRules,
    BookStatus,
    BookTerms,
    CloseReason,
    PlaceOrder,
    SelfTradePrevention,
    TimeInForce,
)
from chalicelib.domain.ledger.amounts import Side
from chalicelib.support.consistency import Inconsistent
from tests.domain.books.orders import (
    AT_MS,
    BUY,
    FOK,
    GTC,
    IOC,
    SELL,
    a_book,
    change_to,
    closes,
    decided,
    limit,
    market,
    placed,
    queue,
    rests,
    trades,
)

DUST, BELOW_MINIMUM = CloseReason.DUST, CloseReason.BELOW_MINIMUM


def bid(order_id: str, price: int, quantity: int, force: TimeInForce = GTC, of: str | None = None) -> PlaceOrder:
    return limit(order_id, BUY, price, quantity, force, of=of, hold=-(-price * quantity // 10))


def ask(order_id: str, price: int, quantity: int, force: TimeInForce = GTC, of: str | None = None) -> PlaceOrder:
    return limit(order_id, SELL, price, quantity, force, of=of)


def with_old_dust(*orders: PlaceOrder) -> Book:
    """A book in which these orders rest, whatever they are worth: as journals from before T46 leave them."""
    old = a_book(base_decimals=1)
    for order in orders:
        old.apply(Accepted(order))
        old.apply(Rested(order, order.quantity, order.quantity))
    return old


def test_an_order_that_is_worth_one_unit_is_no_dust_to_a_post_only_order() -> None:
    """It stays, and the post-only order, which would trade with it, goes."""
    book = a_book(base_decimals=1)
    placed(book, ask("ask", 5, 2))
    order = limit("post-only", BUY, 5, 10, hold=5, post_only=True)
    placed(book, order)
    assert list(book.open_orders) == ["ask"]


# --- something for nothing --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("force", [GTC, IOC])
def test_a_buyer_who_chooses_the_pieces_gets_nothing_for_nothing(force: TimeInForce) -> None:
    """Eight decimals of base, none of quote: a third of a token at 3 pays floor(0.99999999)."""
    book = a_book(base_decimals=8)
    placed(book, limit("ask", SELL, 3, 10**8))

    events = placed(book, limit("piece", BUY, 3, 33_333_333, force, hold=1))

    assert trades(events) == []
    assert closes(events) == [("piece", DUST, 33_333_333, 1)]
    assert queue(book, SELL) == [(3, "ask", 10**8)]


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("force", [GTC, IOC, FOK])
@pytest.mark.parametrize("is_market", [False, True])
def test_no_order_of_any_kind_makes_a_trade_with_an_empty_leg(side: Side, force: TimeInForce, is_market: bool) -> None:
    book = a_book(base_decimals=1)
    other = ask("maker", 3, 20) if side is BUY else bid("maker", 3, 20)
    taker = market("taker", side, 3, force) if is_market else (bid if side is BUY else ask)("taker", 3, 3, force)

    events = placed(book, other, taker)

    assert trades(events) == []
    reason = CloseReason.FOK_UNFILLABLE if force is FOK else DUST
    assert [close[:3] for close in closes(events)] == [("taker", reason, 3)]
    assert len(book.open_orders) == 1


def test_a_piece_that_is_worth_one_unit_trades() -> None:
    book = a_book(base_decimals=1)

    events = placed(book, ask("ask", 3, 20), bid("bid", 3, 4))

    (trade,) = (event for event in events if isinstance(event, Traded))
    assert (trade.quantity, trade.notional) == (4, 1)


# --- dust is closed where it comes to be ------------------------------------------------------------------------------


def test_what_a_trade_leaves_of_a_maker_is_closed_when_it_is_dust() -> None:
    book = a_book(base_decimals=1)

    events = placed(book, ask("ask", 3, 10), bid("bid", 3, 7))

    assert trades(events) == [("ask", 3, 7)]
    assert closes(events) == [("ask", DUST, 3, 3)]
    assert book.open_orders == {}


def test_a_buying_maker_gets_back_what_its_dust_held() -> None:
    book = a_book(base_decimals=1)

    events = placed(book, bid("bid", 3, 10), ask("ask", 3, 7))

    assert trades(events) == [("bid", 3, 7)]
    assert closes(events) == [("bid", DUST, 3, 1)]


def test_what_a_trade_leaves_of_a_maker_stays_when_it_is_worth_a_unit() -> None:
    book = a_book(base_decimals=1)

    placed(book, ask("ask", 3, 10), bid("bid", 3, 6))

    assert queue(book, SELL) == [(3, "ask", 4)]


@pytest.mark.parametrize("side", list(Side))
def test_an_order_that_would_rest_as_dust_is_closed(side: Side) -> None:
    book = a_book(base_decimals=1)

    events = placed(book, (bid if side is BUY else ask)("order", 3, 3))

    assert [close[:3] for close in closes(events)] == [("order", DUST, 3)]
    assert rests(events) == []


def test_what_is_left_of_a_taker_is_closed_when_it_would_rest_as_dust() -> None:
    book = a_book(base_decimals=1)

    events = placed(book, ask("ask", 3, 10), bid("bid", 3, 13))

    assert trades(events) == [("ask", 3, 10)]
    assert closes(events) == [("bid", DUST, 3, 1)]


def test_a_takers_rest_that_buys_nothing_at_the_next_price_goes_no_further() -> None:
    """At its own price the rest of 3 would be worth a unit; it may not rest there, for it would cross the 3."""
    book = a_book(base_decimals=1)

    events = placed(book, ask("one", 3, 10), ask("two", 3, 10), bid("bid", 9, 13))

    assert trades(events) == [("one", 3, 10)]
    assert closes(events) == [("bid", DUST, 3, 3)]
    assert queue(book, SELL) == [(3, "two", 10)]


def test_ioc_that_meets_nobody_ends_as_before() -> None:
    assert closes(placed(a_book(base_decimals=1), bid("bid", 3, 3, IOC))) == [("bid", CloseReason.IOC_REMAINDER, 3, 1)]


# --- dust from before -------------------------------------------------------------------------------------------------


def test_dust_from_before_is_closed_when_it_is_met() -> None:
    book = with_old_dust(ask("dust", 3, 2), ask("ask", 3, 10), ask("behind", 4, 1))

    events = placed_on_old(book, bid("bid", 4, 4))

    assert closes(events) == [("dust", DUST, 2, 2)]
    assert trades(events) == [("ask", 3, 4)]
    assert queue(book, SELL) == [(3, "ask", 6), (4, "behind", 1)]


def test_dust_from_before_is_closed_when_it_is_met_behind_a_trade() -> None:
    book = with_old_dust(ask("ask", 3, 10), ask("dust", 4, 2), ask("behind", 4, 10))

    events = placed_on_old(book, bid("bid", 4, 15))

    assert closes(events) == [("dust", DUST, 2, 2)]
    assert trades(events) == [("ask", 3, 10), ("behind", 4, 5)]


def test_a_book_with_dust_is_sound_only_where_it_may_have_some() -> None:
    book = with_old_dust(ask("dust", 3, 2))
    book.check(dust_may_rest=True)
    with pytest.raises(Inconsistent, match=r"^dust rests$"):
        book.check()


def test_post_only_does_not_cross_dust() -> None:
    book = with_old_dust(ask("dust", 3, 2))

    events = placed(book, limit("bid", BUY, 3, 10, post_only=True, hold=3))

    assert closes(events) == [("dust", DUST, 2, 2)]
    assert rests(events) == [("bid", 10)]


def test_a_fok_order_passes_over_dust_and_closes_none_where_it_fails() -> None:
    book = with_old_dust(ask("dust", 3, 2), ask("ask", 3, 10))
    before = book.state()

    assert closes(placed_on_old(book, bid("bid", 3, 11, FOK))) == [("bid", CloseReason.FOK_UNFILLABLE, 11, 4)]
    assert book.state() == before

    assert trades(placed_on_old(book, bid("again", 3, 10, FOK))) == [("ask", 3, 10)]


def test_a_fok_order_whose_last_bite_would_be_empty_fails() -> None:
    """13 are there, and the last 3 of them would be for nothing."""
    book = a_book(base_decimals=1)
    placed(book, ask("one", 3, 10), ask("two", 3, 10))

    assert closes(placed(book, bid("bid", 3, 13, FOK))) == [("bid", CloseReason.FOK_UNFILLABLE, 13, 4)]
    assert len(trades(placed(book, bid("fine", 3, 14, FOK)))) == 2


def test_a_fok_order_that_skips_its_own_cheap_order_may_fill_behind_it() -> None:
    """3 would be worth nothing at the own 3, and a unit at 4."""
    book = a_book(base_decimals=1, self_trade_prevention=SelfTradePrevention.CANCEL_MAKER)

    events = placed(book, ask("own", 3, 10, of="ann"), ask("ask", 4, 10), bid("bid", 4, 3, FOK, of="ann"))

    assert trades(events) == [("ask", 4, 3)]
    assert [close[:2] for close in closes(events)] == [("own", CloseReason.SELF_TRADE_PREVENTED)]


def test_a_snapshot_with_dust_from_before_can_be_read() -> None:
    old = with_old_dust(ask("dust", 3, 2))
    written = encode_state("book", BookState(old))

    assert decode_state("book", old.rules, written).book.state() == old.state()


def placed_on_old(book: Book, *commands: PlaceOrder) -> list[Event]:
    return [event for command in commands for event in place(book, command, AT_MS)]


# --- budgets ----------------------------------------------------------------------------------------------------------


def test_a_budget_that_pays_for_nothing_ends_there() -> None:
    """A budget of 1 buys 3 at most at 3, which are worth nothing."""
    book = a_book(base_decimals=1)

    events = placed(book, ask("ask", 3, 20), market("taker", BUY, 20, budget=1))

    assert trades(events) == []
    assert closes(events) == [("taker", CloseReason.MARKET_REMAINDER, 20, 1)]


def test_a_budget_takes_whole_lots() -> None:
    """Lots of one whole: a budget of 14 at 3 pays for 46 units, and takes 40."""
    book = a_book(base_decimals=1, lot_size=10)

    events = placed(book, ask("ask", 3, 100), market("taker", BUY, 100, budget=14))

    (trade,) = (event for event in events if isinstance(event, Traded))
    assert (trade.quantity, trade.notional) == (40, 12)
    assert closes(events) == [("taker", CloseReason.MARKET_REMAINDER, 60, 2)]


def test_a_budget_that_pays_for_less_than_a_lot_buys_nothing() -> None:
    book = a_book(base_decimals=1, lot_size=10)

    events = placed(book, ask("ask", 3, 100), market("taker", BUY, 100, budget=2))

    assert closes(events) == [("taker", CloseReason.MARKET_REMAINDER, 100, 2)]


# --- the minimum ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("force", [GTC, IOC, FOK])
def test_a_buy_that_is_worth_less_than_the_minimum_at_the_best_ask_is_cancelled(force: TimeInForce) -> None:
    """10 at a limit of 9 are worth 9, at the best ask of 3 only 3."""
    book = a_book(base_decimals=1, min_order_value=4)

    events = placed(book, ask("ask", 3, 100), bid("bid", 9, 10, force))

    assert trades(events) == []
    assert closes(events) == [("bid", BELOW_MINIMUM, 10, 9)]


def test_a_market_buy_is_measured_at_the_best_ask_too() -> None:
    book = a_book(base_decimals=1, min_order_value=4)
    placed(book, ask("ask", 3, 100))

    assert closes(placed(book, market("small", BUY, 13, budget=9))) == [("small", BELOW_MINIMUM, 13, 9)]
    assert trades(placed(book, market("enough", BUY, 14, budget=9))) == [("ask", 3, 14)]


def test_a_buy_that_is_worth_just_the_minimum_trades() -> None:
    book = a_book(base_decimals=1, min_order_value=4)
    placed(book, ask("ask", 4, 100))

    assert trades(placed(book, bid("bid", 4, 10))) == [("ask", 4, 10)]


def test_an_order_by_value_of_just_the_minimum_trades_though_its_quantity_was_rounded_down() -> None:
    """4 at 3 pay for 13 units (R25), which are worth 3.9; one more would be more than 4."""
    book = a_book(base_decimals=1, min_order_value=4)
    placed(book, ask("ask", 3, 100))

    assert trades(placed(book, market("value", BUY, 13, budget=4, value=4))) == [("ask", 3, 13)]
    assert closes(placed(book, market("moved", BUY, 12, budget=4, value=4))) == [("moved", BELOW_MINIMUM, 12, 4)]


def test_what_cannot_trade_is_not_below_the_minimum() -> None:
    """A BUY that rests, one that is post-only, a FOK order that cannot fill: each ends as without a minimum."""
    book = a_book(base_decimals=1, min_order_value=4)
    placed(book, ask("ask", 3, 100))

    assert rests(placed(book, bid("rests", 2, 10))) == [("rests", 10)]
    post_only = limit("post-only", BUY, 3, 10, post_only=True, hold=3)
    assert closes(placed(book, post_only)) == [("post-only", CloseReason.POST_ONLY_WOULD_CROSS, 10, 3)]
    assert closes(placed(book, bid("fok", 3, 101, FOK))) == [("fok", CloseReason.FOK_UNFILLABLE, 101, 31)]


def test_sells_and_what_is_left_after_a_trade_have_no_minimum() -> None:
    book = a_book(base_decimals=1, min_order_value=4)

    placed(book, bid("bid", 3, 20), ask("sell", 3, 4))

    assert queue(book, BUY) == [(3, "bid", 16)]
    placed(book, ask("again", 3, 10))
    assert queue(book, BUY) == [(3, "bid", 6)]


def test_the_minimum_takes_effect_at_its_turn() -> None:
    book = a_book(base_decimals=1)
    placed(book, ask("ask", 3, 100), bid("before", 3, 10))

    decided(book, change_to(BookStatus.ACTIVE, 1, rules=BookRules(min_order_value=4)))

    assert closes(placed(book, bid("after", 3, 10))) == [("after", BELOW_MINIMUM, 10, 3)]


# --- terms ------------------------------------------------------------------------------------------------------------


def test_terms_without_a_lot_and_a_minimum_mean_neither() -> None:
    old = {"version": 2, "status": "ACTIVE", "makerFeeBps": 0, "takerFeeBps": 5, "selfTradePrevention": "NONE"}

    terms = decode_terms(old)

    assert (terms.lot_size, terms.min_order_value) == (1, 0)
    assert encode_terms(terms) == old


def test_terms_with_them_are_read_as_they_were_written() -> None:
    terms = BookTerms(3, BookStatus.ACTIVE, 0, 0, SelfTradePrevention.NONE, 10**8, 100)

    assert encode_terms(terms) == {
        "version": 3, "status": "ACTIVE", "makerFeeBps": 0, "takerFeeBps": 0, "selfTradePrevention": "NONE",
        "lotSize": "100000000", "minOrderValue": "100",
    }  # fmt: skip
    assert decode_terms(encode_terms(terms)) == terms
