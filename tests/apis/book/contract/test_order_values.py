"""What an order must be worth, and how large it may be (T45 to T47)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.apis.book.routes import BOOKS, CREDIT, DEPTH, ONE_BOOK, ONE_ORDER, SETTINGS
from chalicelib.apis.kit.http import HttpResponse
from chalicelib.domain.ledger.owners import book_key, customer_key
from chalicelib.domain.ledger.tokens import new_token
from chalicelib.support.clock import new_id
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.tokens import Tokens
from tests.apis.book.desk import Desk, data_of, fields_of, json_body, open_desk, outcome_of
from tests.case_tables import cases
from tests.world import BASE, BOOK_ID, INSTANCE, QUOTE, World

SHARE, COIN = "0x" + "5" * 40, "0x" + "6" * 40
WHOLE = 10**8


def open_with(database: Database, quote_decimals: int) -> Desk:
    """Return a desk with a book of 8 base decimals, made over the API, and the world turned to it."""
    desk = open_desk(World(database))
    for address, symbol, decimals in ((SHARE, "S", 8), (COIN, "C", quote_decimals)):
        Tokens(database).register(INSTANCE, new_token(new_id("tok"), address, symbol, symbol, decimals))
    return desk


def make(desk: Desk, **members: Any) -> HttpResponse:
    usual = {"tokenAddress": SHARE, "quoteTokenAddress": COIN, "name": "Shares", "symbol": "S/C"}
    return desk.send("POST", BOOKS, body=json_body(usual | members))


def made(desk: Desk, **members: Any) -> dict[str, Any]:
    """Make a book and return it as it is shown."""
    book: dict[str, Any] = data_of(desk.get(ONE_BOOK, orderBookId=data_of(make(desk, **members), 201)["id"]))
    return book


def changed(desk: Desk, book_id: str = BOOK_ID, **members: Any) -> dict[str, Any]:
    book: dict[str, Any] = data_of(desk.send("PATCH", SETTINGS, body=json_body(members), orderBookId=book_id))
    return book


def worth_of(book: dict[str, Any]) -> tuple[str, str]:
    return book["lotSize"], book["minOrderValue"]


# --- the settings --------------------------------------------------------------------------------------------------

DEFAULTS = cases(
    ("no decimals",    0,  ("100000000", "0")),
    ("2 decimals",     2,  ("100000000", "0")),
    ("3 decimals",     3,  ("100000000", "0")),
    ("4 decimals",     4,  ("1", "100")),
    ("18 decimals",    18, ("1", "100")),
    ("30 decimals",    30, ("1", "100")),
)  # fmt: skip


@pytest.mark.parametrize(("quote_decimals", "expected"), DEFAULTS)
def test_t45_a_new_book_has_a_lot_or_a_least_worth_by_its_quote_token(
    memory_database: Database, quote_decimals: int, expected: tuple[str, str]
) -> None:
    desk = open_with(memory_database, quote_decimals)
    assert worth_of(made(desk)) == expected


def test_t45_null_is_the_default_and_what_is_told_holds(memory_database: Database) -> None:
    desk = open_with(memory_database, 2)
    book = made(desk, lotSize=None, minOrderValue=None)
    assert worth_of(book) == ("100000000", "0")
    assert worth_of(changed(desk, book["id"], lotSize="1", minOrderValue="500")) == ("1", "500")
    assert worth_of(changed(desk, book["id"], tickSize="1")) == ("1", "500")
    assert worth_of(changed(desk, book["id"], lotSize=None)) == ("100000000", "500")
    assert worth_of(changed(desk, book["id"], minOrderValue=None)) == ("100000000", "0")


def test_t45_a_book_from_before_has_neither_until_it_is_given_them(memory_database: Database) -> None:
    """Its row names neither, and not its quote token's decimals."""
    desk = open_desk(World(memory_database))
    name = {"book": book_key(INSTANCE, BOOK_ID), "part": "config"}
    row = memory_database.get("books", name)
    assert row is not None
    old = {key: value for key, value in row.items() if key not in ("lot_size", "min_order_value", "quote_decimals")}
    memory_database.put_many("books", [old])
    assert worth_of(data_of(desk.get(ONE_BOOK, orderBookId=BOOK_ID))) == ("1", "0")
    assert desk.place(quantity="1", price="1").status == 201
    assert worth_of(changed(desk, minOrderValue=None)) == ("1", "100")
    assert outcome_of(desk.place(quantity="1", price="1")) == (400, "ORDER_TOO_SMALL")


BAD = cases(
    ("a lot of zero",           {"lotSize": "0"},                            (400, "INVALID_CONFIG")),
    ("a lot above the maximum", {"lotSize": "11", "maxOrderSize": "10"},     (400, "INVALID_CONFIG")),
    ("a lot that is a number",  {"lotSize": 1},                              ["lotSize"]),
    ("a worth below zero",      {"minOrderValue": "-1"},                     ["minOrderValue"]),
    ("39 digits",               {"lotSize": "1" * 39, "minOrderValue": "1" * 39}, ["lotSize", "minOrderValue"]),
)  # fmt: skip


@pytest.mark.parametrize(("members", "expected"), BAD)
@pytest.mark.parametrize("is_new", [True, False])
def test_t30_settings_that_are_refused_change_nothing(
    memory_database: Database, members: dict[str, Any], expected: Any, is_new: bool
) -> None:
    desk = open_with(memory_database, 18)
    before = desk.world.tables()
    if is_new:
        response = make(desk, **members)
    else:
        response = desk.send("PATCH", SETTINGS, body=json_body(members), orderBookId=BOOK_ID)
    assert (fields_of(response) if isinstance(expected, list) else outcome_of(response)) == expected
    assert desk.world.tables() == before


# --- admission -----------------------------------------------------------------------------------------------------

# The book: lots of 5, sizes 10 to 100, a tick of 2, worth 500 at least.
CHECKS = cases(
    ("off-tick before off-lot",         {"price": "51", "quantity": "11"},            "INVALID_PRICE"),
    ("zero before off-lot",             {"quantity": "0"},                            "INVALID_QUANTITY"),
    ("off-lot before too small",        {"quantity": "6"},                            "INVALID_QUANTITY"),
    ("off-lot before too large",        {"quantity": "101"},                          "INVALID_QUANTITY"),
    ("small before worth",              {"quantity": "5", "price": "2"},              "ORDER_TOO_SMALL"),
    ("worth 490",                       {"quantity": "35", "price": "14"},            "ORDER_TOO_SMALL"),
    ("a sell of that worth",            {"quantity": "35", "price": "14", "side": "SELL"}, "ORDER_TOO_SMALL"),
    ("worth 500",                       {"quantity": "50", "price": "10"},            None),
    ("too large before funds",          {"quantity": "105", "price": "5000"},         "ORDER_TOO_LARGE"),
    ("funds last",                      {"quantity": "100", "price": "5000"},         "INSUFFICIENT_BALANCE"),
    ("a market order has no limit",     {"quantity": "15", "orderType": "MARKET", "price": ...}, None),
    ("but a lot",                       {"quantity": "16", "orderType": "MARKET", "price": ...}, "INVALID_QUANTITY"),
)  # fmt: skip


@pytest.mark.parametrize(("members", "code"), CHECKS)
def test_t45_lot_and_worth_stand_beside_size_and_tick(
    memory_database: Database, members: dict[str, Any], code: str | None
) -> None:
    bounds = {"order_size_min": 10, "order_size_max": 100, "tick_size": 2, "lot_size": 5, "min_order_value": 500}
    desk = open_desk(World(memory_database, **bounds))
    before = desk.world.tables()
    assert outcome_of(desk.place(**members)) == ((201, None) if code is None else (400, code))
    assert (desk.world.tables() == before) == (code is not None)


# --- no trade with an empty leg ------------------------------------------------------------------------------------


def ended(desk: Desk, order_id: str, customer: str = "ann") -> tuple[str, str, str | None]:
    order = data_of(desk.get(ONE_ORDER, {"customerRef": customer}, orderId=order_id))
    return order["status"], order["filledQuantity"], order["cancelReason"]


@pytest.mark.parametrize("force", ["GTC", "IOC", "FOK"])
def test_t46_nobody_gets_something_for_nothing(memory_database: Database, force: str) -> None:
    """The example of four thirds: eight decimals of base, none of quote, and a book that was told nothing."""
    desk = open_desk(World(memory_database, base_decimals=8))
    desk.world.credit("ben", BASE, WHOLE)
    desk.placed(customerRef="ben", side="SELL", price="3", quantity=str(WHOLE))
    pieces = [desk.placed(price="3", quantity="33333333", timeInForce=force) for _ in range(4)]
    desk.match()
    reason = "FOK_UNFILLABLE" if force == "FOK" else "DUST"
    assert [ended(desk, piece) for piece in pieces] == [("CANCELLED", "0", reason)] * 4
    assert desk.world.balance("ann", BASE) == (1000, 0)
    assert desk.world.balance("ann", QUOTE) == (1000, 0)
    assert desk.world.balance("ben", BASE) == (1000, WHOLE)


def test_t45_a_book_of_few_quote_decimals_takes_whole_tokens_only(memory_database: Database) -> None:
    desk = open_with(memory_database, 0)
    book = made(desk)["id"]
    piece = desk.place(orderBookId=book, price="3", quantity="33333333")
    assert outcome_of(piece) == (400, "INVALID_QUANTITY")


def test_t46_what_a_trade_leaves_as_dust_is_closed_and_shown_nowhere(memory_database: Database) -> None:
    desk = open_desk(World(memory_database, base_decimals=1))
    maker = desk.placed(customerRef="ben", side="SELL", price="3", quantity="10")
    taker = desk.placed(price="3", quantity="7")
    desk.match()
    assert ended(desk, maker, "ben") == ("CANCELLED", "7", "DUST")
    assert ended(desk, taker) == ("FILLED", "7", None)
    assert data_of(desk.get(DEPTH, orderBookId=BOOK_ID))["asks"] == []
    assert desk.world.balance("ben", BASE) == (993, 0)


def test_t45_a_buy_below_the_minimum_at_the_best_ask_of_its_turn_is_cancelled(memory_database: Database) -> None:
    """At its limit of 50 it is worth 500; at the ask of 5 it would be 50."""
    desk = open_desk(World(memory_database, min_order_value=100))
    desk.placed(customerRef="ben", side="SELL", price="5", quantity="100")
    order_id = desk.placed(price="50", quantity="10")
    desk.match()
    assert ended(desk, order_id) == ("CANCELLED", "0", "BELOW_MINIMUM")
    assert desk.world.balance("ann", QUOTE) == (1000, 0)


def test_t33_a_new_minimum_is_for_the_orders_behind_it(memory_database: Database) -> None:
    desk = open_desk(World(memory_database))
    desk.placed(customerRef="ben", side="SELL", price="5", quantity="100")
    before = desk.placed(price="50", quantity="3")
    changed(desk, minOrderValue="100")
    after = desk.placed(price="50", quantity="10")
    desk.match()
    assert ended(desk, before) == ("FILLED", "3", None)
    assert ended(desk, after) == ("CANCELLED", "0", "BELOW_MINIMUM")


# --- how large an order may be -------------------------------------------------------------------------------------

BOUNDS = cases(
    ("the highest price",         {"price": "9" * 28},                              "INSUFFICIENT_BALANCE"),
    ("one more",                  {"price": "1" + "0" * 28},                        "INVALID_PRICE"),
    ("one more, for a sell",      {"price": "1" + "0" * 28, "side": "SELL"},        "INVALID_PRICE"),
    ("38 digits",                 {"price": "9" * 38},                              "INVALID_PRICE"),
    ("the largest quantity",      {"quantity": "9" * 10},                           "INSUFFICIENT_BALANCE"),
    ("one more of it",            {"quantity": "1" + "0" * 10},                     "ORDER_TOO_LARGE"),
    ("for a market order",        {"quantity": "1" + "0" * 10, "orderType": "MARKET", "price": ...}, "ORDER_TOO_LARGE"),
    ("price before quantity",     {"price": "9" * 38, "quantity": "0"},             "INVALID_PRICE"),
)  # fmt: skip


@pytest.mark.parametrize(("members", "code"), BOUNDS)
def test_t47_prices_and_quantities_have_a_highest_value(desk: Desk, members: dict[str, Any], code: str) -> None:
    """No base decimals, 18 of the quote token."""
    before = desk.world.tables()
    assert outcome_of(desk.place(**members)) == (400, code)
    assert desk.world.tables() == before


def test_t47_what_an_orders_trades_come_to_is_stored_however_often_money_goes_round(memory_database: Database) -> None:
    """The largest sell there is at the highest price, bought by halves with the same money."""
    desk = open_desk(World(memory_database))
    price, quantity = 10**28 - 1, 10**10 - 1
    desk.world.credit("ben", BASE, quantity)
    desk.world.credit("ann", QUOTE, 10**38 - 1 - 2000)
    sell = desk.placed(customerRef="ben", side="SELL", price=str(price), quantity=str(quantity))
    for part in (quantity // 2, quantity - quantity // 2):
        desk.placed(price=str(price), quantity=str(part))
        desk.match()
        desk.world.move("ben", "ann", QUOTE, price * part)
    assert ended(desk, sell, "ben") == ("FILLED", str(quantity), None)
    row = memory_database.get("orders", {"owner": customer_key(INSTANCE, "ben"), "order_id": sell})
    assert row is not None
    assert row["notional"] == price * quantity < 10**38
    assert json.loads(desk.place(price=str(price), quantity="1").body)["success"]


def test_t47_an_account_may_come_to_hold_all_there_is(memory_database: Database) -> None:
    """A credit beyond 38 digits is refused; what moves between accounts stays within what was credited."""
    desk = open_desk(World(memory_database))
    desk.world.credit("ben", QUOTE, 10**38 - 1 - 2000)
    credit = {"tokenAddress": QUOTE, "customerRef": "ben", "amount": "1"}
    assert fields_of(desk.send("POST", CREDIT, body=json_body(credit))) == ["amount"]
    desk.placed(customerRef="ben", side="SELL", price="50", quantity="20")
    bought = desk.placed(price="50", quantity="20")
    desk.match()
    assert ended(desk, bought) == ("FILLED", "20", None)
    assert desk.world.balance("ben", QUOTE) == (10**38 - 1, 0)
    assert desk.world.balance("ann", QUOTE) == (0, 0)
