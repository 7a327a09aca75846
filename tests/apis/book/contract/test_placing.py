"""What comes of an order: the checks in their order, the answer, the first match (T20 to T24)."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.apis.book.routes import ONE_ORDER
from chalicelib.domain.books.config import SettlementMode
from chalicelib.domain.books.vocabulary import BookStatus, SelfTradePrevention
from chalicelib.tables.dynamodb import Database
from tests.apis.book.desk import TIME, Desk, data_of, is_id, message_of, open_desk, outcome_of
from tests.case_tables import cases
from tests.waiting import Clock
from tests.world import BOOK_ID, QUOTE, World

PAUSED, CLOSED = {"status": BookStatus.PAUSED}, {"status": BookStatus.CLOSED}
ON_CHAIN = {"settlement_mode": SettlementMode.ON_CHAIN}
BOUNDS = {"order_size_min": 10, "order_size_max": 100, "tick_size": 5}
MARKET: dict[str, Any] = {"orderType": "MARKET", "price": ...}


def shown(desk: Desk, order_id: str, customer: str = "ann") -> tuple[str, str]:
    """Return an order's status and how much of it is filled."""
    order = data_of(desk.get(ONE_ORDER, {"customerRef": customer}, orderId=order_id))
    return order["status"], order["filledQuantity"]


# --- checks, in their order --------------------------------------------------------------------------------------

# Each has the fault of its own check and that of the next one, so that the order shows.
CHECKS: list[Any] = cases(
    ("schema, then book",             {},       {"orderBookId": "ob_none", "quantity": "x"}, 400, "VALIDATION_ERROR"),
    ("book exists",                   {},       {"orderBookId": "ob_none", "price": ...}, 404, "ORDER_BOOK_NOT_FOUND"),
    ("settles off chain",             ON_CHAIN | PAUSED, {}, 400, "WRONG_SETTLEMENT_MODE"),
    ("is not paused",                 PAUSED,   {"price": ...}, 400, "ORDER_BOOK_INACTIVE"),
    ("is not closed",                 CLOSED,   {"price": ...}, 400, "ORDER_BOOK_INACTIVE"),
    ("has a price",                   BOUNDS,   {"price": ..., "quantity": "0"}, 400, "PRICE_REQUIRED"),
    ("price is above zero",           BOUNDS,   {"price": "0", "quantity": "0"}, 400, "INVALID_PRICE"),
    ("price is a multiple of the tick", BOUNDS, {"price": "51", "quantity": "0"}, 400, "INVALID_PRICE"),
    ("quantity is above zero",        BOUNDS,   {"quantity": "0"}, 400, "INVALID_QUANTITY"),
    ("quantity is not too small",     BOUNDS,   {"quantity": "9", "customerRef": "nobody"}, 400, "ORDER_TOO_SMALL"),
    ("quantity is not too large",     BOUNDS,   {"quantity": "101", "customerRef": "nobody"}, 400, "ORDER_TOO_LARGE"),
    ("balance covers the hold",       BOUNDS,   {"quantity": "100"}, 400, "INSUFFICIENT_BALANCE"),
    ("MARKET skips the price checks", BOUNDS,   MARKET | {"price": "51", "quantity": "0"}, 400, "INVALID_QUANTITY"),
    ("MARKET sizes are checked",      BOUNDS,   MARKET | {"quantity": "9"}, 400, "ORDER_TOO_SMALL"),
    ("no tick, no tick check",        {},       {"price": "51"}, 201, None),
    ("no minimum",                    {},       {"quantity": "1"}, 201, None),
    ("no maximum",                    {},       {"price": "1", "quantity": "1000"}, 201, None),
    ("the tick itself",               BOUNDS,   {"price": "5"}, 201, None),
    ("the minimum itself",            BOUNDS,   {"quantity": "10"}, 201, None),
    ("the maximum itself",            BOUNDS,   {"price": "5", "quantity": "100"}, 201, None),
    ("all that is available",         {},       {"price": "50", "quantity": "20"}, 201, None),
)  # fmt: skip


@pytest.mark.parametrize(("config", "members", "status", "code"), CHECKS)
def test_the_checks_of_an_order_come_one_after_the_other(
    memory_database: Database, config: dict[str, Any], members: dict[str, Any], status: int, code: str | None
) -> None:
    desk = open_desk(World(memory_database, **config))
    before = desk.world.tables()
    assert outcome_of(desk.place(**members)) == (status, code)
    assert (desk.world.tables() == before) == (code is not None)


REQUIRED: list[Any] = cases(
    ("a LIMIT BUY, its hold",     {"quantity": "21"},                                     1050, 1000),
    ("a LIMIT SELL, its hold",    {"side": "SELL", "quantity": "1001"},                   1001, 1000),
    ("a MARKET SELL, its hold",   MARKET | {"side": "SELL", "quantity": "1001"},          1001, 1000),
    ("a MARKET BUY, its cost",    MARKET | {"quantity": "21"},                            1050, 1000),
    ("no account yet",            {"customerRef": "nobody"},                              500,  0),
    ("as much as can be",         {"price": "9" * 28, "quantity": "10"},                  int("9" * 28) * 10, 1000),
)  # fmt: skip


@pytest.mark.parametrize(("members", "required", "available"), REQUIRED)
def test_a_hold_that_is_not_covered_says_what_is_required_and_what_there_is(
    desk: Desk, members: dict[str, Any], required: int, available: int
) -> None:
    desk.rested((30, 50))
    message = message_of(desk.place(**members))
    assert message == f"Insufficient balance: required {required}, available {available}"


# --- 201 ---------------------------------------------------------------------------------------------------------

EXPECTED: list[Any] = cases(
    ("id",             lambda value: is_id("ord", value)),
    ("orderBookId",    lambda value: value == BOOK_ID),
    ("customerRef",    lambda value: value == "ann"),
    ("side",           lambda value: value == "SELL"),
    ("orderType",      lambda value: value == "LIMIT"),
    ("price",          lambda value: value == "105"),
    ("quantity",       lambda value: value == "3"),
    ("filledQuantity", lambda value: value == "0"),
    ("status",         lambda value: value == "OPEN"),
    ("timeInForce",    lambda value: value == "GTC"),
    ("createdAt",      lambda value: TIME.fullmatch(value) is not None),
)  # fmt: skip


@pytest.mark.parametrize(
    ("position", "name", "is_right"),
    [
        pytest.param(number, case.id, case.values[0], id=f"{number + 1} {case.id}")
        for number, case in enumerate(EXPECTED)
    ],
)
def test_an_order_that_is_placed_has_eleven_members_in_their_order(
    desk: Desk, position: int, name: str, is_right: Any
) -> None:
    data = data_of(desk.place(side="SELL", price="105", quantity="3"), 201)
    assert len(data) == 11
    assert list(data)[position] == name
    assert is_right(data[name])


def test_an_order_that_is_placed_has_its_hold_and_stands_in_the_next_list(desk: Desk) -> None:
    order_id = desk.placed(price="50", quantity="3")
    assert desk.world.balance("ann", QUOTE) == (850, 150)
    assert [row["id"] for row in desk.rows()] == [order_id]
    assert len(desk.world.inbox_rows()) == 1, "it has its place in the book's sequence"


KINDS: list[Any] = cases(
    ("T20 LIMIT that would trade", {"price": "60"}),
    ("T20 IOC",                    {"timeInForce": "IOC"}),
    ("T20 FOK",                    {"timeInForce": "FOK"}),
    ("T20 MARKET",                 MARKET),
    ("T20 MARKET SELL",            MARKET | {"side": "SELL"}),
)  # fmt: skip


@pytest.mark.parametrize("members", KINDS)
def test_t20_without_a_wait_the_order_is_shown_as_admitted(desk: Desk, clock: Clock, members: dict[str, Any]) -> None:
    desk.rested((5, 60))
    response = desk.place(**members)
    data = data_of(response, 201)
    assert (data["status"], data["filledQuantity"]) == ("OPEN", "0")
    assert clock.slept_s == 0
    assert "Preference-Applied" not in response.headers


RESULTS: list[Any] = cases(
    ("T21 rests",            {"price": "40"},                                    "OPEN",             "0"),
    ("T21 filled in part",   {"price": "60", "quantity": "8"},                   "PARTIALLY_FILLED", "5"),
    ("T21 filled",           {"price": "60", "quantity": "5"},                   "FILLED",           "5"),
    ("T21 cancelled",        {"price": "60", "quantity": "8", "timeInForce": "FOK"}, "CANCELLED",    "0"),
)  # fmt: skip


@pytest.mark.parametrize(("members", "status", "filled"), RESULTS)
def test_t21_with_a_wait_it_is_shown_as_first_matched(
    desk: Desk, clock: Clock, members: dict[str, Any], status: str, filled: str
) -> None:
    desk.rested((5, 60))
    clock.after(1, desk.match)
    response = desk.place(headers={"prefer": "wait=30"}, **members)
    data = data_of(response, 201)
    assert (data["status"], data["filledQuantity"]) == (status, filled)
    assert response.headers["Preference-Applied"] == "wait=10"
    assert 1 < clock.slept_s < 1.5
    assert len(data) == 11


def test_t21_a_result_that_does_not_come_in_time_leaves_it_as_admitted(desk: Desk, clock: Clock) -> None:
    response = desk.place(headers={"prefer": "wait=2"})
    assert data_of(response, 201)["status"] == "OPEN"
    assert "Preference-Applied" not in response.headers
    assert clock.slept_s == pytest.approx(2)


# --- what matching does ------------------------------------------------------------------------------------------

# Resting: ben sells 5 at 60, then 5 at 60 again, then 5 at 70. The order is ann's.
FIRST_MATCH: list[Any] = cases(
    ("LIMIT GTC filled",                  {"price": "60", "quantity": "10"},                "FILLED",           "10"),
    ("LIMIT GTC in part",                 {"price": "60", "quantity": "12"},                "PARTIALLY_FILLED", "10"),
    ("LIMIT GTC not at all",              {"price": "59"},                                  "OPEN",             "0"),
    ("postOnly that does not cross",      {"price": "59", "postOnly": True},                "OPEN",             "0"),
    ("postOnly that would trade",         {"price": "60", "quantity": "12", "postOnly": True}, "CANCELLED",     "0"),
    ("LIMIT IOC filled",                  {"price": "60", "quantity": "10", "timeInForce": "IOC"}, "FILLED",    "10"),
    ("LIMIT IOC in part",                 {"price": "60", "quantity": "12", "timeInForce": "IOC"}, "CANCELLED", "10"),
    ("MARKET IOC filled",                 MARKET | {"quantity": "12", "timeInForce": "IOC"}, "FILLED",          "12"),
    ("MARKET IOC in part",                MARKET | {"quantity": "16", "timeInForce": "IOC"}, "CANCELLED",       "15"),
    ("T22 MARKET GTC filled",             MARKET | {"quantity": "12"},                      "FILLED",           "12"),
    ("T22 MARKET GTC in part",            MARKET | {"quantity": "16"},                      "CANCELLED",        "15"),
    ("T22 MARKET against an empty side",  MARKET | {"side": "SELL"},                        "CANCELLED",        "0"),
    ("LIMIT FOK filled",                  {"price": "60", "quantity": "10", "timeInForce": "FOK"}, "FILLED",    "10"),
    ("LIMIT FOK not",                     {"price": "60", "quantity": "11", "timeInForce": "FOK"}, "CANCELLED", "0"),
    ("MARKET FOK filled",                 MARKET | {"quantity": "15", "timeInForce": "FOK"}, "FILLED",          "15"),
    ("MARKET FOK not",                    MARKET | {"quantity": "16", "timeInForce": "FOK"}, "CANCELLED",       "0"),
)  # fmt: skip


@pytest.mark.parametrize(("members", "status", "filled"), FIRST_MATCH)
def test_how_the_first_match_of_an_order_ends(desk: Desk, members: dict[str, Any], status: str, filled: str) -> None:
    desk.rested((5, 60), (5, 60), (5, 70))
    desk.world.credit("ann", QUOTE, 1000)
    order_id = desk.placed(**members)
    desk.match()
    assert shown(desk, order_id) == (status, filled)


@pytest.mark.parametrize("time_in_force", cases(("GTC", "GTC"), ("left out", ...)))
def test_t22_a_market_order_keeps_the_time_in_force_that_it_came_with(desk: Desk, time_in_force: Any) -> None:
    order_id = desk.placed(orderType="MARKET", timeInForce=time_in_force)
    desk.match()
    assert data_of(desk.get(ONE_ORDER, {"customerRef": "ann"}, orderId=order_id))["timeInForce"] == "GTC"


def test_price_comes_before_time_and_a_trade_is_at_the_resting_orders_price(desk: Desk) -> None:
    dear, first, second = desk.rested((5, 70), (5, 60), (5, 60))
    desk.placed(price="80", quantity="7")
    desk.match()
    assert [shown(desk, order, "ben") for order in (first, second, dear)] == [
        ("FILLED", "5"), ("PARTIALLY_FILLED", "2"), ("OPEN", "0"),
    ]  # fmt: skip
    assert desk.world.balance("ann", QUOTE) == (1000 - 7 * 60, 0)


def test_a_limit_sell_trades_at_its_price_and_above(desk: Desk) -> None:
    for price in ("49", "50", "51"):
        desk.placed(price=price, quantity="1")
    order_id = desk.placed(customerRef="ben", side="SELL", price="50", quantity="3")
    desk.match()
    assert shown(desk, order_id, "ben") == ("PARTIALLY_FILLED", "2")


def test_t23_an_order_whose_turn_finds_the_book_paused_is_rejected(desk: Desk) -> None:
    order_id = desk.placed(price="50", quantity="10")
    desk.world.change_status(BookStatus.PAUSED)
    pause = desk.world.records[-1:]
    assert desk.world.deliver(records=pause) == []
    desk.match()
    assert shown(desk, order_id) == ("REJECTED", "0")
    assert desk.world.balance("ann", QUOTE) == (1000, 0)


# T24. ben rests 5 at 60; ann rests 5 at 60 behind it, then ben 5 at 70. ann's next order buys at 70.
SELF_TRADES: list[Any] = cases(
    ("T24 NONE",                 "NONE",         "12", "GTC", ("FILLED", "12"),           ("FILLED", "5")),
    ("T24 CANCEL_TAKER",         "CANCEL_TAKER", "12", "GTC", ("CANCELLED", "5"),         ("OPEN", "0")),
    ("T24 CANCEL_MAKER",         "CANCEL_MAKER", "12", "GTC", ("PARTIALLY_FILLED", "10"), ("CANCELLED", "0")),
    ("T24 CANCEL_BOTH",          "CANCEL_BOTH",  "12", "GTC", ("CANCELLED", "5"),         ("CANCELLED", "0")),
    ("T24 FOK, NONE",            "NONE",         "15", "FOK", ("FILLED", "15"),           ("FILLED", "5")),
    ("T24 FOK, CANCEL_TAKER",    "CANCEL_TAKER", "6",  "FOK", ("CANCELLED", "0"),         ("OPEN", "0")),
    ("T24 FOK up to the own one", "CANCEL_TAKER", "5", "FOK", ("FILLED", "5"),            ("OPEN", "0")),
    ("T24 FOK, CANCEL_MAKER",    "CANCEL_MAKER", "10", "FOK", ("FILLED", "10"),           ("CANCELLED", "0")),
    ("T24 a failing FOK cancels nothing", "CANCEL_MAKER", "11", "FOK", ("CANCELLED", "0"), ("OPEN", "0")),
    ("T24 FOK, CANCEL_BOTH",     "CANCEL_BOTH",  "6",  "FOK", ("CANCELLED", "0"),         ("OPEN", "0")),
)  # fmt: skip


@pytest.mark.parametrize(("prevention", "quantity", "time_in_force", "taker", "own"), SELF_TRADES)
def test_t24_orders_of_one_customer_meet(
    memory_database: Database,
    prevention: str,
    quantity: str,
    time_in_force: str,
    taker: tuple[str, str],
    own: tuple[str, str],
) -> None:
    desk = open_desk(World(memory_database, self_trade_prevention=SelfTradePrevention(prevention)))
    desk.rested((5, 60))
    (maker,) = desk.rested((5, 60), customer="ann")
    desk.rested((5, 70))
    desk.world.credit("ann", QUOTE, 1000)
    order_id = desk.placed(price="70", quantity=quantity, timeInForce=time_in_force)
    desk.match()
    assert shown(desk, order_id) == taker
    assert shown(desk, maker) == own
