"""What a request to place an order may say: the rules of fields, its members, its headers (T15 to T19)."""

from __future__ import annotations

from typing import Any

import pytest
from ulid import ULID

from chalicelib.apis.book.routes import BOOKS, CREDIT, TOKENS, TRADES_OF_BOOK
from tests.apis.book.desk import Desk, data_of, fields_of, is_id, json_body, outcome_of
from tests.case_tables import cases
from tests.waiting import Clock
from tests.world import BASE, BOOK_ID, QUOTE

NINES = "9" * 38
OK = (201, None)


def outcome(desk: Desk, **members: Any) -> tuple[int, str | None] | list[str]:
    """Return what comes of the usual order with these members: its faulty fields, else status and code."""
    response = desk.place(**members)
    return fields_of(response) if outcome_of(response)[1] == "VALIDATION_ERROR" else outcome_of(response)


# --- the rules of fields -----------------------------------------------------------------------------------------

AMOUNTS = cases(
    ("zero",                    "0",         (400, "INVALID_QUANTITY")),
    ("one",                     "1",         OK),
    ("38 digits",               NINES,       (400, "ORDER_TOO_LARGE")),
    ("39 digits",               "1" * 39,    ["quantity"]),
    ("empty",                   "",          ["quantity"]),
    ("a leading zero",          "01",        ["quantity"]),
    ("a sign",                  "-1",        ["quantity"]),
    ("a JSON number",           1,           ["quantity"]),
    ("digits not of ASCII",     "\u0661",        ["quantity"]),
    ("a line end",              "1\n",       ["quantity"]),
    ("an array",                ["1"],       ["quantity"]),
    *((repr(text), text, ["quantity"]) for text in (" 1", "+1", "00", "1.0", "1e3", "0x1", "abc")),
)  # fmt: skip


@pytest.mark.parametrize(("quantity", "expected"), AMOUNTS)
def test_an_amount_is_a_string_of_1_to_38_digits(desk: Desk, quantity: object, expected: Any) -> None:
    assert outcome(desk, quantity=quantity) == expected


REFS = cases(
    ("one character",               "x",            True),
    ("256 characters",              "x" * 256,      True),
    ("256 code points of 4 bytes",  "😀" * 256,     True),
    ("257 characters",              "x" * 257,      False),
    ("empty",                       "",             False),
    ("U+0000",                      "a\x00",        False),
    ("U+001F",                      "a\x1fb",       False),
    ("U+007F",                      "\x7f",         False),
    ("U+0080 is none of them",      "a\x80",        True),
    ("a line end",                  "ann\n",        False),
    ("white space stays",           "  ann ",       True),
    ("a number",                    7,              False),
)  # fmt: skip


@pytest.mark.parametrize(("ref", "is_one"), REFS)
def test_a_ref_is_1_to_256_code_points_without_control_characters(desk: Desk, ref: Any, is_one: bool) -> None:
    if is_one:
        desk.world.credit(ref, QUOTE, 500)
        assert data_of(desk.place(customerRef=ref), 201)["customerRef"] == ref
    else:
        assert fields_of(desk.place(customerRef=ref)) == ["customerRef"]


OTHERS = cases(
    ("another case",            "ann", "Ann"),
    ("white space",             "ann", "ann "),
    ("composed and decomposed", "\u00e9", "e\u0301"),
    ("wide letters",            "a", "\uff41"),
)  # fmt: skip


@pytest.mark.parametrize(("ref", "other"), OTHERS)
def test_two_refs_are_one_only_code_point_by_code_point(desk: Desk, ref: str, other: str) -> None:
    desk.world.credit(ref, QUOTE, 500)
    order = desk.placed(customerRef=ref)
    assert outcome_of(desk.cancel(order, other)) == (404, "ORDER_NOT_FOUND")


IDS = cases(
    ("one character",     "x",           (404, "ORDER_BOOK_NOT_FOUND")),
    ("100 characters",    "x" * 100,     (404, "ORDER_BOOK_NOT_FOUND")),
    ("opaque",            " /\t股%2F",   (404, "ORDER_BOOK_NOT_FOUND")),
    ("101 characters",    "x" * 101,     ["orderBookId"]),
    ("empty",             "",            ["orderBookId"]),
    ("a number",          1,             ["orderBookId"]),
)  # fmt: skip


@pytest.mark.parametrize(("book_id", "expected"), IDS)
def test_an_id_is_1_to_100_characters_of_any_kind(desk: Desk, book_id: object, expected: Any) -> None:
    assert outcome(desk, orderBookId=book_id) == expected


NULLS = cases(
    ("orderBookId",   "orderBookId",  ["orderBookId"]),
    ("customerRef",   "customerRef",  ["customerRef"]),
    ("side",          "side",         ["side"]),
    ("orderType",     "orderType",    ["orderType"]),
    ("price",         "price",        (400, "PRICE_REQUIRED")),
    ("quantity",      "quantity",     ["quantity"]),
    ("timeInForce",   "timeInForce",  OK),
    ("postOnly",      "postOnly",     OK),
)  # fmt: skip


@pytest.mark.parametrize(("member", "expected"), NULLS)
def test_null_is_absent_for_an_optional_member_and_a_fault_for_a_required_one(
    desk: Desk, member: str, expected: Any
) -> None:
    assert outcome(desk, **{member: None}) == expected
    assert outcome(desk, **{member: ...}) == expected


def test_t15_generated_ids_are_a_prefix_and_a_ulid_and_ascend(desk: Desk) -> None:
    orders = [desk.placed(quantity="1", price="1") for _ in range(30)]
    assert all(is_id("ord", order) for order in orders)
    assert orders == sorted(set(orders))
    book = {"tokenAddress": QUOTE, "quoteTokenAddress": BASE, "name": "n", "symbol": "s"}
    assert is_id("ob", data_of(desk.send("POST", BOOKS, body=json_body(book)), 201)["id"])
    assert is_id("tok", data_of(desk.post(TOKENS), 201)["id"])
    assert is_id("txn", data_of(desk.post(CREDIT))["transactionId"])
    desk.rested((2, 1))
    (trade, *_) = data_of(desk.get(TRADES_OF_BOOK, orderBookId=BOOK_ID))
    assert is_id("trade", trade["id"])


def test_t15_the_time_of_an_order_is_that_of_its_id(desk: Desk) -> None:
    shown = data_of(desk.place(), 201)
    at = ULID.from_str(shown["id"].removeprefix("ord_")).datetime
    assert shown["createdAt"] == at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


# --- the members of the body, in their order ---------------------------------------------------------------------

MARKET: dict[str, Any] = {"orderType": "MARKET", "price": ...}
MEMBERS: list[Any] = cases(
    ("orderBookId missing",           {"orderBookId": ...},              ["orderBookId"]),
    ("customerRef missing",           {"customerRef": ...},              ["customerRef"]),
    ("side missing",                  {"side": ...},                     ["side"]),
    ("side BUY",                      {"side": "BUY"},                   OK),
    ("side SELL",                     {"side": "SELL"},                  OK),
    ("side in lower case",            {"side": "buy"},                   ["side"]),
    ("side with a space",             {"side": "BUY "},                  ["side"]),
    ("side of another type",          {"side": True},                    ["side"]),
    ("orderType missing",             {"orderType": ...},                ["orderType"]),
    ("orderType LIMIT",               {"orderType": "LIMIT"},            OK),
    ("orderType MARKET",              MARKET,                            OK),
    ("orderType STOP comes later",    {"orderType": "STOP"},             ["orderType"]),
    ("orderType in lower case",       {"orderType": "limit"},            ["orderType"]),
    ("price missing with MARKET",     MARKET,                            OK),
    ("T17 price missing with LIMIT",  {"price": ...},                    (400, "PRICE_REQUIRED")),
    ("T17 only after the book checks", {"price": ..., "orderBookId": "x"}, (404, "ORDER_BOOK_NOT_FOUND")),
    ("T17 price empty",               {"price": ""},                     ["price"]),
    ("T17 price negative",            {"price": "-1"},                   ["price"]),
    ("T17 price with a fraction",     {"price": "1.5"},                  ["price"]),
    ("T17 price with leading zeros",  {"price": "007"},                  ["price"]),
    ("T17 price as a number",         {"price": 100},                    ["price"]),
    ("T17 price of 39 digits",        {"price": "1" * 39},               ["price"]),
    ("T17 price as an object",        {"price": {}},                     ["price"]),
    ("T16 MARKET, price of zero",     MARKET | {"price": "0"},           OK),
    ("T16 MARKET, price no amount",   MARKET | {"price": "x"},           OK),
    ("T16 MARKET, price a number",    MARKET | {"price": -1.5},          OK),
    ("T16 MARKET, price a long number", MARKET | {"price": 10**400},     OK),
    ("T16 MARKET, price an object",   MARKET | {"price": {"a": [None]}}, OK),
    ("quantity missing",              {"quantity": ...},                 ["quantity"]),
    ("timeInForce GTC",               {"timeInForce": "GTC"},            OK),
    ("timeInForce IOC",               {"timeInForce": "IOC"},            OK),
    ("timeInForce FOK",               {"timeInForce": "FOK"},            OK),
    ("timeInForce GTD",               {"timeInForce": "GTD"},            ["timeInForce"]),
    ("timeInForce in lower case",     {"timeInForce": "gtc"},            ["timeInForce"]),
    ("timeInForce empty",             {"timeInForce": ""},               ["timeInForce"]),
    ("T18 postOnly with LIMIT, GTC",  {"postOnly": True},                OK),
    ("T18 postOnly false with IOC",   {"postOnly": False, "timeInForce": "IOC"}, OK),
    ("T18 postOnly with IOC",         {"postOnly": True, "timeInForce": "IOC"},  ["postOnly"]),
    ("T18 postOnly with FOK",         {"postOnly": True, "timeInForce": "FOK"},  ["postOnly"]),
    ("T18 postOnly with MARKET",      MARKET | {"postOnly": True},       ["postOnly"]),
    ("postOnly as a text",            {"postOnly": "true"},              ["postOnly"]),
    ("postOnly as a number",          {"postOnly": 1},                   ["postOnly"]),
    ("all of them at once",           {"orderBookId": 1, "customerRef": 1, "side": 1, "orderType": 1, "price": 1,
                                       "quantity": 1, "timeInForce": 1, "postOnly": 1},
     ["orderBookId", "customerRef", "side", "orderType", "price", "quantity", "timeInForce", "postOnly"]),
)  # fmt: skip


@pytest.mark.parametrize(("members", "expected"), MEMBERS)
def test_a_member_of_an_order(desk: Desk, members: dict[str, Any], expected: Any) -> None:
    assert outcome(desk, **members) == expected


@pytest.mark.parametrize("price", cases(("missing", ...), ("a number", 5), ("a good one", "50"), ("an object", {})))
def test_t16_the_price_of_a_market_order_is_shown_as_null(desk: Desk, price: object) -> None:
    assert data_of(desk.place(orderType="MARKET", price=price), 201)["price"] is None


def test_t18_post_only_is_never_echoed(desk: Desk) -> None:
    assert "postOnly" not in data_of(desk.place(postOnly=True), 201)
    assert "postOnly" not in desk.rows()[0]


DEFAULTS = cases(
    ("timeInForce", {"timeInForce": ...}, "GTC"), ("of a MARKET order", MARKET | {"timeInForce": ...}, "GTC")
)


@pytest.mark.parametrize(("members", "shown"), DEFAULTS)
def test_what_an_order_leaves_out_has_its_default(desk: Desk, members: dict[str, Any], shown: str) -> None:
    assert data_of(desk.place(**members), 201)["timeInForce"] == shown


# --- headers -----------------------------------------------------------------------------------------------------

PREFER = cases(
    ("T19 seconds",                     "wait=5",                   5),
    ("T19 the most",                    "wait=10",                  10),
    ("T19 above the most",              "wait=11",                  10),
    ("T19 far above it",                "wait=" + "9" * 5000,       10),
    ("T19 zero",                        "wait=0",                   None),
    ("T19 negative",                    "wait=-1",                  None),
    ("T19 a fraction",                  "wait=1.5",                 None),
    ("T19 a word",                      "wait=long",                None),
    ("T19 nothing",                     "wait=",                    None),
    ("T19 another preference",          "respond-async",            None),
    ("T19 beside another one",          "respond-async, wait=3",    3),
    ("T19 the first of several",        "wait=2, wait=5",           2),
    ("T19 names have no case",          "Wait=3",                   3),
    ("T19 with a parameter",            "wait=3; foo=bar",          3),
    ("T19 another name that ends so",   "await=3",                  None),
    ("T19 quoted",      'foo="a, wait=3", wait=5',  5),
)  # fmt: skip


@pytest.mark.parametrize(("header", "waited_s"), PREFER)
def test_t19_the_seconds_that_an_order_waits_for_its_match(
    desk: Desk, clock: Clock, header: str, waited_s: int | None
) -> None:
    """It is matched at the last moment: half a second before the wait ends, as its answer tells."""
    clock.after((waited_s or 0) - 0.5, desk.match)
    response = desk.place(headers={"prefer": header})
    assert response.status == 201
    assert response.headers.get("Preference-Applied") == (None if waited_s is None else f"wait={waited_s}")
    assert clock.slept_s <= (waited_s or 0)


@pytest.mark.parametrize(("header", "waited_s"), PREFER[:4] + PREFER[10:12])
def test_t19_an_order_waits_that_long_and_no_longer(desk: Desk, clock: Clock, header: str, waited_s: int) -> None:
    response = desk.place(headers={"prefer": header})
    assert clock.slept_s == pytest.approx(waited_s)
    assert "Preference-Applied" not in response.headers
