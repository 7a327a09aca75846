"""What an order's life and its money obey: statuses, holds, trades, fees, symbols (T38 to T44)."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.apis.book.routes import BALANCES, DEPTH, ONE_ORDER, TOKENS, TRANSACTIONS
from chalicelib.apis.kit.http import HttpResponse
from chalicelib.domain.books.vocabulary import BookStatus
from chalicelib.tables.dynamodb import Database
from tests.apis.book.desk import TOKEN, Desk, data_of, message_of, open_desk, outcome_of
from tests.case_tables import cases
from tests.waiting import Clock
from tests.world import BASE, BOOK_ID, QUOTE, World

MARKET: dict[str, Any] = {"orderType": "MARKET", "price": ...}


def funds(desk: Desk, customer: str, token: str) -> tuple[int, int]:
    """Return what a customer has available and held, as the ledger shows it."""
    shown = desk.balance(customer, token)
    return int(shown["availableBalance"]), int(shown["lockedBalance"])


def state(desk: Desk, order_id: str, customer: str = "ann") -> tuple[str, str]:
    order = data_of(desk.get(ONE_ORDER, {"customerRef": customer}, orderId=order_id))
    return order["status"], order["filledQuantity"]


# --- statuses ----------------------------------------------------------------------------------------------------


def fill(desk: Desk, quantity: int) -> None:
    desk.placed(customerRef="ben", side="SELL", price="50", quantity=str(quantity))
    desk.match()


def close(desk: Desk, _order_id: str) -> None:
    desk.world.change_status(BookStatus.CLOSED)
    desk.match()


def overtake(desk: Desk, _order_id: str) -> None:
    """Have the book paused before the order's turn."""
    desk.world.change_status(BookStatus.PAUSED)
    assert desk.world.deliver(records=desk.world.records[-1:]) == []
    desk.match()


# EXPIRED is the end of orders with a time to live, which this API cannot place.
STEPS: list[Any] = cases(
    ("OPEN to PARTIALLY_FILLED",             [lambda desk, _: fill(desk, 3)],           ["PARTIALLY_FILLED"]),
    ("OPEN to FILLED",                       [lambda desk, _: fill(desk, 10)],                      ["FILLED"]),
    ("OPEN to CANCELLED",                    [lambda desk, order: desk.cancel(order)],              ["CANCELLED"]),
    ("OPEN to REJECTED",                     [overtake],                                            ["REJECTED"]),
    ("PARTIALLY_FILLED to PARTIALLY_FILLED", [lambda desk, _: fill(desk, 3), lambda desk, _: fill(desk, 3)],
     ["PARTIALLY_FILLED", "PARTIALLY_FILLED"]),
    ("PARTIALLY_FILLED to FILLED",           [lambda desk, _: fill(desk, 3), lambda desk, _: fill(desk, 7)],
     ["PARTIALLY_FILLED", "FILLED"]),
    ("PARTIALLY_FILLED to CANCELLED",        [lambda desk, _: fill(desk, 3), close],
     ["PARTIALLY_FILLED", "CANCELLED"]),
)  # fmt: skip


@pytest.mark.parametrize(("steps", "statuses"), STEPS)
def test_the_statuses_that_follow_each_other(desk: Desk, clock: Clock, steps: list[Any], statuses: list[str]) -> None:
    order_id = desk.placed(price="50", quantity="10")
    assert state(desk, order_id) == ("OPEN", "0")
    clock.meanwhile = desk.match
    seen = []
    for step in steps:
        step(desk, order_id)
        seen.append(state(desk, order_id)[0])
    assert seen == statuses


ENDS: list[Any] = cases(
    ("FILLED",    {"price": "60", "quantity": "5"},                        None),
    ("CANCELLED", {"price": "60", "quantity": "6", "timeInForce": "IOC"},  None),
    ("REJECTED",  {"price": "40"},                                         overtake),
)  # fmt: skip


@pytest.mark.parametrize(("status", "members", "step"), [pytest.param(e.id, *e.values, id=e.id) for e in ENDS])
def test_nothing_follows_the_end(desk: Desk, status: str, members: dict[str, Any], step: Any) -> None:
    desk.rested((5, 60))
    order_id = desk.placed(**members)
    if step:
        step(desk, order_id)
    desk.match()
    ended = state(desk, order_id)
    assert ended[0] == status
    assert outcome_of(desk.cancel(order_id)) == (404, "ORDER_NOT_FOUND")
    close(desk, order_id)
    assert state(desk, order_id) == ended
    assert desk.rows(status="OPEN") == desk.rows(status="PARTIALLY_FILLED") == []


# --- holds -------------------------------------------------------------------------------------------------------

HOLDS: list[Any] = cases(
    ("SELL LIMIT",                        {"side": "SELL", "quantity": "7"},                             7,   BASE),
    ("SELL LIMIT, IOC",                   {"side": "SELL", "quantity": "7", "timeInForce": "IOC"},       7,   BASE),
    ("SELL MARKET",                       MARKET | {"side": "SELL", "quantity": "7"},                    7,   BASE),
    ("LIMIT BUY",                         {"price": "50", "quantity": "7"},                              350, QUOTE),
    ("LIMIT BUY better than the asks",    {"price": "90", "quantity": "7"},                              630, QUOTE),
    ("MARKET BUY",                        MARKET | {"quantity": "4"},                                    294, QUOTE),
    ("MARKET BUY over several levels",    MARKET | {"quantity": "7"},                                    536, QUOTE),
    ("MARKET BUY, all the asks",          MARKET | {"quantity": "99"},                                   788, QUOTE),
)  # fmt: skip


@pytest.mark.parametrize(("members", "hold", "asset"), HOLDS)
def test_what_an_order_holds_when_it_is_admitted(
    memory_database: Database, members: dict[str, Any], hold: int, asset: str
) -> None:
    """Asks: 5 at 70, 5 at 80. Fees are never part of it."""
    desk = open_desk(World(memory_database, maker_fee_bps=1000, taker_fee_bps=1000))
    desk.rested((5, 70), (5, 80))
    desk.placed(**members)
    assert funds(desk, "ann", asset) == (1000 - hold, hold)


COLLARS = cases(("none", 0, 400), ("the default", 500, 420), ("rounded up", 333, 414), ("the most", 10_000, 800))


@pytest.mark.parametrize(("bps", "hold"), COLLARS)
def test_the_cost_of_a_market_buy_is_lifted_by_the_books_collar(memory_database: Database, bps: int, hold: int) -> None:
    desk = open_desk(World(memory_database, market_collar_bps=bps))
    desk.rested((10, 40))
    desk.placed(**MARKET, quantity="10")
    assert funds(desk, "ann", QUOTE)[1] == hold


def test_t38_the_walk_sees_at_least_the_best_hundred_levels(memory_database: Database) -> None:
    desk = open_desk(World(memory_database, market_collar_bps=0))
    desk.world.credit("ann", QUOTE, 10_000)
    desk.rested(*((1, price) for price in range(1, 101)))
    desk.placed(**MARKET, quantity="100")
    assert funds(desk, "ann", QUOTE)[1] == 5050


def test_t38_the_walk_sees_what_was_published_and_not_what_is_queued(desk: Desk) -> None:
    desk.placed(customerRef="ben", side="SELL", price="40", quantity="10")
    order_id = desk.placed(**MARKET, quantity="10")
    assert funds(desk, "ann", QUOTE) == (1000, 0)
    desk.match()
    assert state(desk, order_id) == ("CANCELLED", "0")


def test_t38_the_walk_ignores_self_trade_prevention(memory_database: Database) -> None:
    desk = open_desk(World(memory_database, market_collar_bps=0))
    assert desk.send("PATCH", "/orderbooks/stocks/api/order-books/{orderBookId}", orderBookId=BOOK_ID,
                     body=b'{"selfTradePrevention": "CANCEL_TAKER"}').status == 200  # fmt: skip
    desk.rested((10, 40), customer="ann")
    desk.placed(**MARKET, quantity="10")
    assert funds(desk, "ann", QUOTE)[1] == 400


def test_t38_without_asks_nothing_is_held_and_the_order_ends_cancelled(desk: Desk) -> None:
    """Even for a customer without an account."""
    order_id = desk.placed(**MARKET, customerRef="nobody")
    assert funds(desk, "nobody", QUOTE) == (0, 0)
    desk.match()
    assert state(desk, order_id, "nobody") == ("CANCELLED", "0")


def overtaken(desk: Desk, dearer: list[tuple[int, int]], **members: Any) -> str:
    """Have cat place a MARKET BUY against cheap asks that are gone by its turn, dearer ones in their place."""
    cheap = desk.rested((100, 1))
    for quantity, price in dearer:
        desk.placed(customerRef="ben", side="SELL", quantity=str(quantity), price=str(price))
    assert outcome_of(desk.cancel(cheap[0], "ben")) == (503, "CANCEL_PENDING")
    order_id = desk.placed(**MARKET, customerRef="cat", **members)
    desk.match()
    return order_id


@pytest.fixture
def fine(clock: Clock, memory_database: Database) -> Desk:  # noqa: ARG001
    """A desk whose base token has 1 decimal: a price is for 10 base units; cat has 7 quote base units and no collar."""
    desk = open_desk(World(memory_database, base_decimals=1, market_collar_bps=0))
    desk.world.credit("cat", QUOTE, 7)
    return desk


def test_t39_a_market_buy_spends_no_more_than_it_holds(fine: Desk) -> None:
    """It holds ceil(1 x 20 / 10) = 2. Of an ask at 9 that buys floor(2 x 10 / 9) = 2, for floor(1.8) = 1."""
    order_id = overtaken(fine, [(20, 9)], quantity="20")
    assert state(fine, order_id, "cat") == ("CANCELLED", "2")
    assert funds(fine, "cat", QUOTE) == (6, 0)
    assert funds(fine, "cat", BASE) == (2, 0)


def test_t39_it_stops_when_the_budget_pays_for_nothing(fine: Desk) -> None:
    order_id = overtaken(fine, [(10, 11)], quantity="10")
    assert state(fine, order_id, "cat") == ("CANCELLED", "0")


def test_t39_the_bound_is_part_of_the_fok_test(fine: Desk) -> None:
    order_id = overtaken(fine, [(10, 9)], quantity="10", timeInForce="FOK")
    assert state(fine, order_id, "cat") == ("CANCELLED", "0")


def test_t39_the_bound_is_reckoned_anew_for_each_maker(fine: Desk) -> None:
    """It holds 3. The first maker's 2 cost floor(1.8) = 1; the 2 that are left buy floor(20 / 9) = 2 of the next."""
    order_id = overtaken(fine, [(2, 9), (10, 9)], quantity="30")
    assert state(fine, order_id, "cat") == ("CANCELLED", "4")


def test_t40_orders_never_hold_more_together_than_there_is(desk: Desk) -> None:
    """Admitted one after the other, before any had its turn; tests/services/books/test_races.py has the races."""
    answers = [desk.place(price="50", quantity="6") for _ in range(4)]
    assert [answer.status for answer in answers] == [201, 201, 201, 400]
    assert message_of(answers[-1]) == "Insufficient balance: required 300, available 100"
    assert funds(desk, "ann", QUOTE) == (100, 900)


# --- trades and fees ---------------------------------------------------------------------------------------------

# A trade of 30 at 7: n is 210. What each side receives, less its fee in bps.
FEES: list[Any] = cases(
    ("none",                              0,    0,    "BUY",  30, 210, 0, 0),
    ("the incoming buyer pays taker",     0,    1000, "BUY",  27, 210, 3, 0),
    ("the resting seller pays maker",     1000, 0,    "BUY",  30, 189, 0, 21),
    ("the incoming seller pays taker",    0,    1000, "SELL", 30, 189, 0, 21),
    ("the resting buyer pays maker",      1000, 0,    "SELL", 27, 210, 3, 0),
    ("rounded down",                      99,   99,   "BUY",  30, 208, 0, 2),
)  # fmt: skip


@pytest.mark.parametrize(("maker", "taker", "incoming", "bought", "earned", "base_fee", "quote_fee"), FEES)
def test_what_a_trade_pays_and_what_is_kept_of_it(
    memory_database: Database,
    maker: int,
    taker: int,
    incoming: str,
    bought: int,
    earned: int,
    base_fee: int,
    quote_fee: int,
) -> None:
    desk = open_desk(World(memory_database, maker_fee_bps=maker, taker_fee_bps=taker))
    sides = [{"customerRef": "ann", "side": "BUY"}, {"customerRef": "ben", "side": "SELL"}]
    for members in sides if incoming == "SELL" else sides[::-1]:
        desk.placed(price="7", quantity="30", **members)
    desk.match()
    assert (funds(desk, "ann", BASE), funds(desk, "ann", QUOTE)) == ((1000 + bought, 0), (790, 0))
    assert (funds(desk, "ben", BASE), funds(desk, "ben", QUOTE)) == ((970, 0), (1000 + earned, 0))
    assert (desk.world.fees(BASE), desk.world.fees(QUOTE)) == (base_fee, quote_fee)


def test_t41_what_the_buyer_pays_the_seller_gets_rounded_down(fine: Desk) -> None:
    """15 units at 7 for 10 of them: 10.5."""
    fine.rested((15, 7))
    fine.placed(price="7", quantity="15")
    fine.match()
    assert (funds(fine, "ann", QUOTE), funds(fine, "ben", QUOTE)) == ((990, 0), (1010, 0))


def test_t42_what_a_trade_leaves_over_goes_back_at_once(desk: Desk) -> None:
    desk.rested((3, 40))
    desk.placed(price="50", quantity="10")
    assert funds(desk, "ann", QUOTE) == (500, 500)
    desk.match()
    assert funds(desk, "ann", QUOTE) == (1000 - 120 - 350, 350)


CLOSES: list[Any] = cases(
    ("T42 filled better than its limit", {"price": "90", "quantity": "3"}, 880),
    ("T42 IOC with a rest",              {"price": "50", "quantity": "9", "timeInForce": "IOC"}, 880),
    ("T42 MARKET with a rest",           MARKET | {"quantity": "9"}, 880),
    ("T42 FOK that fails",               {"price": "50", "quantity": "9", "timeInForce": "FOK"}, 1000),
    ("T42 postOnly that would trade",    {"price": "50", "quantity": "9", "postOnly": True}, 1000),
)  # fmt: skip


@pytest.mark.parametrize(("members", "left"), CLOSES)
def test_t42_when_an_order_closes_all_that_is_left_of_its_hold_goes_back(
    desk: Desk, members: dict[str, Any], left: int
) -> None:
    desk.rested((3, 40))
    desk.placed(**members)
    desk.match()
    assert funds(desk, "ann", QUOTE) == (left, 0)


def test_t43_customers_and_fees_together_have_what_was_credited(memory_database: Database) -> None:
    """As the ledger shows it: balances, and the rows of fees; the fee account itself is shown nowhere."""
    desk = open_desk(World(memory_database, base_decimals=1, maker_fee_bps=123, taker_fee_bps=456))
    for price, quantity in ((7, 150), (9, 33), (11, 101)):
        desk.placed(customerRef="ben", side="SELL", price=str(price), quantity=str(quantity))
        desk.placed(price=str(price + 1), quantity=str(quantity - 1))
    desk.match()
    for token in (BASE, QUOTE):
        rows = data_of(desk.get(TRANSACTIONS, {"type": "fee", "tokenAddress": token}))["transactions"]
        kept = sum(int(row["amount"]) for row in rows)
        assert kept == desk.world.fees(token) > 0
        assert sum(sum(funds(desk, who, token)) for who in ("ann", "ben")) + kept == 2000
    customers = {row["fromCustomerRef"] for row in data_of(desk.get(TRANSACTIONS))["transactions"]}
    assert customers <= {None, "ann", "ben"}
    assert data_of(desk.get(BALANCES, customerRef="fees"))["balances"] == []


def test_depth_and_holds_agree(desk: Desk) -> None:
    desk.rested((3, 40), (4, 41))
    asks = data_of(desk.get(DEPTH, orderBookId=BOOK_ID))["asks"]
    assert sum(int(ask["quantity"]) for ask in asks) == funds(desk, "ben", BASE)[1]


# --- symbols -----------------------------------------------------------------------------------------------------

# T44. That a book is seen on the other surface by its symbol can be tried once that surface is served.
SYMBOLS: list[Any] = cases(
    ("T44 the same",                    "B",      409),
    ("T44 in another case",             "b",      409),
    ("T44 another one",                 "BB",     201),
    ("T44 with a space",                "B ",     201),
    ("T44 a letter beyond A to Z",      "\u1e04",     201),
)  # fmt: skip


@pytest.mark.parametrize(("symbol", "status"), SYMBOLS)
def test_t44_a_tokens_symbol_is_its_own_whatever_its_case(desk: Desk, symbol: str, status: int) -> None:
    response: HttpResponse = desk.post(TOKENS, **TOKEN | {"symbol": symbol})
    assert response.status == status
    assert status == 201 or outcome_of(response) == (409, "TOKEN_EXISTS")
