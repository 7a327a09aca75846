"""Books: making one, listing them, showing one, changing one (T30 to T33)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chalicelib.apis.book.routes import BOOKS, ONE_BOOK, SETTINGS, TOKENS
from chalicelib.apis.kit.http import HttpResponse
from chalicelib.domain.books.config import SettlementMode
from chalicelib.domain.books.forms import PROTECTION
from chalicelib.tables.dynamodb import Database
from tests.apis.book.desk import Desk, data_of, deactivate, fields_of, is_id, json_body, open_desk, outcome_of
from tests.case_tables import cases
from tests.world import BASE, BOOK_ID, QUOTE, World

SHARE, EURO, NO_TOKEN = "0x" + "aB" * 20, "0x" + "cD" * 20, "0x" + "e" * 40
NEW = {"tokenAddress": SHARE, "quoteTokenAddress": EURO, "name": "Share / Euro", "symbol": "EXS/EUR"}
MADE = (201, None)
CHANGED = (200, None)
WHOLE = [
    "id", "tokenAddress", "quoteTokenAddress", "name", "symbol", "status", "settlementMode", "minOrderSize",
    "maxOrderSize", "tickSize", "makerFeeBps", "takerFeeBps", "tokenType", "stockTokenId", "selfTradePrevention",
    "marketCollarBps", "lotSize", "minOrderValue", "tradingState",
    *PROTECTION.values(),
]  # fmt: skip


@pytest.fixture
def desk(desk: Desk) -> Desk:
    """A desk with two more tokens, of which no book is made yet."""
    for address, symbol in ((SHARE, "EXS"), (EURO, "EUR")):
        desk.post("/custody/api/tokens", tokenAddress=address, symbol=symbol)
    return desk


def make(desk: Desk, **members: Any) -> HttpResponse:
    """POST the usual book with some members changed; a member set to ... is left out."""
    return desk.send("POST", BOOKS, body=json_body(NEW | members))


def change(desk: Desk, members: dict[str, Any], book_id: str = BOOK_ID) -> HttpResponse:
    return desk.send("PATCH", SETTINGS, body=json_body(members), orderBookId=book_id)


def shown(desk: Desk, book_id: str = BOOK_ID) -> dict[str, Any]:
    book: dict[str, Any] = data_of(desk.get(ONE_BOOK, orderBookId=book_id))
    return book


def outcome(response: HttpResponse) -> tuple[int, str | None] | list[str]:
    """Return the faulty fields where there are such, else status and code."""
    return fields_of(response) if outcome_of(response)[1] == "VALIDATION_ERROR" else outcome_of(response)


# --- making one: its members, in their order ---------------------------------------------------------------------

AMOUNTS = ("minOrderSize", "maxOrderSize", "tickSize")
FEES = ("makerFeeBps", "takerFeeBps")
# name, what it is by default, values that are allowed, values that are not
OPTIONAL: list[tuple[str, Any, list[Any], list[Any]]] = [
    *((name, None, ["1", "9" * 38], ["", "-1", "01", "1.5", "9" * 39, 5, True]) for name in AMOUNTS),
    *((name, 0, [0, 1000], [-1, 1001, "5", 1.5, True]) for name in FEES),
    ("tokenType", "LIGHT_TOKEN", ["LIGHT_TOKEN", "STOCK_TOKEN"], ["light_token", "", 1]),
    ("stockTokenId", None, ["x", "x" * 100], ["", "x" * 101, 1]),
    ("selfTradePrevention", "NONE", ["NONE", "CANCEL_TAKER", "CANCEL_MAKER", "CANCEL_BOTH"], ["none", "", 1]),
    ("marketCollarBps", 500, [0, 10_000], [-1, 10_001, "500", 1.5, False]),
    ("priceBandBps", None, [1, 10_000], [0, 10_001, "500", 1.5, False]),
    ("haltBps", None, [], [0, 10_001, "500", 1.5, False]),
    ("haltWindowSeconds", None, [], [0, 3_601, "60", 1.5, False]),
    ("haltSeconds", None, [], [0, 86_401, "60", 1.5, False]),
]
REQUIRED: list[tuple[str, list[Any], list[Any]]] = [
    *((name, [], [..., None, 1, "", "0x" + "a" * 39, "0x" + "a" * 41, "0x" + "g" * 40, "0X" + "a" * 40, "a" * 42])
      for name in ("tokenAddress", "quoteTokenAddress")),
    ("name", ["x", "é" * 64], [..., None, 1, "", "x" * 65]),
    ("symbol", ["x", "é" * 16], [..., None, 1, "", "x" * 17]),
]  # fmt: skip
GOOD = [(name, value) for name, values, _ in REQUIRED for value in values]
GOOD += [(name, value) for name, _, values, _ in OPTIONAL for value in [*values, None, ...]]
BAD = [(name, value) for name, _, values in REQUIRED for value in values]
BAD += [(name, value) for name, _, _, values in OPTIONAL for value in values]


def named(pairs: list[tuple[str, Any]]) -> list[Any]:
    return cases(
        *((f"{name} {'left out' if value is ... else repr(value)[:24]}", name, value) for name, value in pairs)
    )


@pytest.mark.parametrize(("name", "value"), named(GOOD))
def test_a_member_of_a_new_book_that_is_allowed(desk: Desk, name: str, value: Any) -> None:
    made = data_of(make(desk, **{name: value}), 201)
    defaults = {name: default for name, default, _, _ in OPTIONAL}
    assert shown(desk, made["id"])[name] == (defaults[name] if value in (None, ...) else value)


@pytest.mark.parametrize(("name", "value"), named(BAD))
def test_a_member_of_a_new_book_that_is_a_fault(desk: Desk, name: str, value: Any) -> None:
    before = desk.world.tables()
    assert outcome(make(desk, **{name: value})) == [name]
    assert desk.world.tables() == before


def test_all_faulty_members_are_named_in_their_order(desk: Desk) -> None:
    names = [name for name, *_ in REQUIRED] + [name for name, *_ in OPTIONAL]
    assert fields_of(make(desk, **dict.fromkeys(reversed(names), -1))) == names


def test_addresses_are_stored_and_shown_in_lower_case(desk: Desk) -> None:
    made = data_of(make(desk), 201)
    for book in (made, shown(desk, made["id"])):
        assert (book["tokenAddress"], book["quoteTokenAddress"]) == (SHARE.lower(), EURO.lower())


# --- making one: checks and answer -------------------------------------------------------------------------------

# Each has the fault of its own check and that of the next one, so that the order shows. There is a book B/Q.
CHECKS: list[Any] = cases(
    ("schema",                    {"tokenAddress": "x", "tickSize": "0"}, ["tokenAddress"]),
    ("one token twice",           {"tokenAddress": NO_TOKEN, "quoteTokenAddress": NO_TOKEN}, (400, "INVALID_PAIR")),
    ("twice, in another case",    {"quoteTokenAddress": SHARE.lower()}, (400, "INVALID_PAIR")),
    ("base not registered",       {"tokenAddress": NO_TOKEN, "tickSize": "0"}, (400, "TOKEN_NOT_REGISTERED")),
    ("quote not registered",      {"quoteTokenAddress": NO_TOKEN, "tickSize": "0"}, (400, "TOKEN_NOT_REGISTERED")),
    ("T30 minimum above maximum", {"minOrderSize": "2", "maxOrderSize": "1", "symbol": "B/Q"}, (400, "INVALID_CONFIG")),
    ("T30 minimum of zero",       {"minOrderSize": "0"}, (400, "INVALID_CONFIG")),
    ("T30 maximum of zero",       {"maxOrderSize": "0"}, (400, "INVALID_CONFIG")),
    ("T30 tick of zero",          {"tickSize": "0"}, (400, "INVALID_CONFIG")),
    ("T30 minimum is maximum",    {"minOrderSize": "1", "maxOrderSize": "1"}, MADE),
    ("T31 the same pair",         {"tokenAddress": BASE, "quoteTokenAddress": QUOTE}, (409, "ORDER_BOOK_EXISTS")),
    ("T31 the pair turned round", {"tokenAddress": QUOTE, "quoteTokenAddress": BASE}, MADE),
    ("T31 one token of it",       {"tokenAddress": BASE}, MADE),
    ("T31 the same symbol",       {"symbol": "B/Q"}, (409, "ORDER_BOOK_EXISTS")),
    ("T31 in another case",       {"symbol": "b/q"}, (409, "ORDER_BOOK_EXISTS")),
)  # fmt: skip


@pytest.mark.parametrize(("members", "expected"), CHECKS)
def test_the_checks_of_a_new_book_come_one_after_the_other(desk: Desk, members: dict[str, Any], expected: Any) -> None:
    assert outcome(make(desk, **members)) == expected


def test_a_token_that_is_inactive_makes_no_book(desk: Desk) -> None:
    deactivate(desk, EURO.lower())
    assert outcome(make(desk)) == (400, "TOKEN_NOT_REGISTERED")


OTHER_BOOKS: list[Any] = cases(
    ("T31 a paused book keeps its names", {"status": "PAUSED"}, (409, "ORDER_BOOK_EXISTS")),
    ("T31 a closed one gives them back",  {"status": "CLOSED"}, MADE),
)  # fmt: skip


@pytest.mark.parametrize(("settings", "expected"), OTHER_BOOKS)
def test_t31_names_of_a_book_that_is_not_active(desk: Desk, settings: dict[str, Any], expected: Any) -> None:
    first = data_of(make(desk), 201)["id"]
    assert change(desk, settings, first).status == 200
    assert outcome(make(desk)) == expected


def test_t31_a_book_on_chain_takes_no_names(memory_database: Database) -> None:
    desk = open_desk(World(memory_database, settlement_mode=SettlementMode.ON_CHAIN))
    members = {"tokenAddress": BASE, "quoteTokenAddress": QUOTE, "symbol": "B/Q"}
    assert outcome(make(desk, **members)) == MADE
    assert outcome(make(desk, **members)) == (409, "ORDER_BOOK_EXISTS")


def test_t31_a_book_of_another_instance_takes_no_names(desk: Desk) -> None:
    desk.world.books.create(
        replace(
            desk.world.config,
            instance="inst_other001",
            base_asset=SHARE.lower(),
            quote_asset=EURO.lower(),
            symbol="EXS/EUR",
        )
    )
    assert outcome(make(desk)) == MADE


def test_a_new_book_is_answered_with_nine_members(desk: Desk) -> None:
    made = data_of(make(desk, makerFeeBps=5, takerFeeBps=15, minOrderSize="7"), 201)
    assert is_id("ob", made["id"])
    assert list(made.items())[1:] == [
        ("tokenAddress", SHARE.lower()), ("quoteTokenAddress", EURO.lower()), ("name", "Share / Euro"),
        ("symbol", "EXS/EUR"), ("status", "ACTIVE"), ("settlementMode", "OFF_CHAIN"), ("makerFeeBps", 5),
        ("takerFeeBps", 15),
    ]  # fmt: skip


def test_a_new_book_takes_orders_in_the_unit_of_its_base_token(desk: Desk) -> None:
    """The hold of 50 x 10 with three decimals is ceil(0.5)."""
    base = desk.posted(TOKENS, symbol="MILLI", decimals=3)["tokenAddress"]
    pair = {"tokenAddress": base, "quoteTokenAddress": QUOTE, "symbol": "M/Q", "minOrderValue": "0"}
    book_id = data_of(make(desk, **pair), 201)["id"]
    desk.placed(orderBookId=book_id)
    assert desk.world.balance("ann", QUOTE) == (999, 1)


# --- listing them ------------------------------------------------------------------------------------------------

STATUSES = cases(
    ("all of them",   {},                          ["ob_c", "ob_b", "ob_a", BOOK_ID]),
    ("ACTIVE",        {"status": "ACTIVE"},        ["ob_a", BOOK_ID]),
    ("PAUSED",        {"status": "PAUSED"},        ["ob_b"]),
    ("CLOSED",        {"status": "CLOSED"},        ["ob_c"]),
    ("lower case",    {"status": "active"},        None),
    ("another word",  {"status": "OPEN"},          None),
    ("empty",         {"status": ""},              None),
    ("not paged",     {"limit": "1", "offset": "x"}, ["ob_c", "ob_b", "ob_a", BOOK_ID]),
)  # fmt: skip


@pytest.mark.parametrize(("query", "expected"), STATUSES)
def test_books_are_listed_newest_first(desk: Desk, query: dict[str, str], expected: list[str] | None) -> None:
    """ob_b and ob_c are of one moment; ob_chain settles on chain."""
    for book_id, at_ms in (("ob_a", 5), ("ob_b", 7), ("ob_c", 7)):
        asset = f"0x{book_id.encode().hex():0>40}"
        desk.world.books.create(
            replace(desk.world.config, book_id=book_id, symbol=book_id, base_asset=asset, created_at_ms=at_ms)
        )
    chain = {"book_id": "ob_chain", "settlement_mode": SettlementMode.ON_CHAIN, "created_at_ms": 9}
    desk.world.books.create(replace(desk.world.config, **chain))  # type: ignore[arg-type]
    for book_id, status in (("ob_b", "PAUSED"), ("ob_c", "CLOSED")):
        assert change(desk, {"status": status}, book_id).status == 200
    response = desk.get(BOOKS, query)
    if expected is None:
        assert fields_of(response) == ["status"]
    else:
        assert [book["id"] for book in data_of(response)] == expected


def test_a_row_of_books_has_five_members(desk: Desk) -> None:
    (row,) = data_of(desk.get(BOOKS))
    assert list(row.items()) == [
        ("id", BOOK_ID), ("name", "Test"), ("symbol", "B/Q"), ("status", "ACTIVE"), ("settlementMode", "OFF_CHAIN"),
    ]  # fmt: skip


# --- showing one -------------------------------------------------------------------------------------------------


def test_a_book_is_shown_with_its_members_in_their_order(desk: Desk) -> None:
    """The documented one, and what the project adds behind."""
    told = {"name": "Example Share / Euro", "minOrderSize": "1000000000000000", "tickSize": "10000000000000000",
            "makerFeeBps": 5, "takerFeeBps": 15, "tokenType": "STOCK_TOKEN", "stockTokenId": "exs-001"}  # fmt: skip
    book = shown(desk, data_of(make(desk, **told), 201)["id"])
    assert list(book) == WHOLE
    assert {name: book[name] for name in told} == told
    rest = {"maxOrderSize": None, "selfTradePrevention": "NONE", "marketCollarBps": 500, "settlementMode": "OFF_CHAIN"}
    assert {name: book[name] for name in rest} == rest


NOT_SHOWN = cases(
    ("unknown",        "ob_none",  (404, "ORDER_BOOK_NOT_FOUND")),
    ("on chain",       "ob_chain", (400, "WRONG_SETTLEMENT_MODE")),
    ("100 characters", "x" * 100,  (404, "ORDER_BOOK_NOT_FOUND")),
    ("101 characters", "x" * 101,  (400, "INVALID_PARAM")),
)  # fmt: skip


@pytest.mark.parametrize(("book_id", "expected"), NOT_SHOWN)
def test_a_book_that_is_not_shown(desk: Desk, book_id: str, expected: tuple[int, str]) -> None:
    chain = {"book_id": "ob_chain", "settlement_mode": SettlementMode.ON_CHAIN}
    desk.world.books.create(replace(desk.world.config, **chain))  # type: ignore[arg-type]
    assert outcome_of(desk.get(ONE_BOOK, orderBookId=book_id)) == expected


# --- changing one ------------------------------------------------------------------------------------------------

CHANGEABLE = {"status": (["PAUSED", "ACTIVE", "CLOSED"], ["paused", "OPEN", "", 1])}
CHANGEABLE |= {name: (good, bad) for name, _, good, bad in OPTIONAL if name not in ("tokenType", "stockTokenId")}
GOOD_CHANGES = [(name, value) for name, (values, _) in CHANGEABLE.items() for value in values]
BAD_CHANGES = [(name, value) for name, (_, values) in CHANGEABLE.items() for value in values]
BAD_CHANGES += [("allowImport", value) for value in ("true", 1)]


@pytest.mark.parametrize(("name", "value"), named(GOOD_CHANGES))
def test_a_change_is_answered_with_the_whole_book_and_changes_nothing_else(desk: Desk, name: str, value: Any) -> None:
    before = shown(desk)
    changed = data_of(change(desk, {name: value}))
    state = {"tradingState": value} if name == "status" else {}
    assert changed == before | {name: value} | state == shown(desk)
    assert list(changed) == WHOLE


@pytest.mark.parametrize(("name", "value"), named(BAD_CHANGES))
def test_a_change_that_is_a_fault(desk: Desk, name: str, value: Any) -> None:
    before = desk.world.tables()
    assert outcome(change(desk, {name: value})) == [name]
    assert desk.world.tables() == before


def test_each_change_is_a_version_and_one_command_of_the_books_inbox(desk: Desk) -> None:
    before = len(desk.world.inbox_rows())
    for tick in ("5", "5", "6"):
        assert change(desk, {"tickSize": tick}).status == 200
    assert len(desk.world.inbox_rows()) == before + 2
    config = desk.world.books.config(desk.world.book)
    assert config is not None
    assert config.version == 2


def test_all_faulty_changes_are_named_in_their_order(desk: Desk) -> None:
    names = [*CHANGEABLE, "allowImport"]
    assert fields_of(change(desk, dict.fromkeys(reversed(names), -1))) == names


NO_CHANGES: list[Any] = cases(
    ("an empty object",               {}),
    ("allowImport",                   {"allowImport": True}),
    ("null where it means absent",    dict.fromkeys(["status", *FEES, "selfTradePrevention", "marketCollarBps"])),
    ("what cannot be changed",        {"name": "Other", "symbol": "O", "tokenType": "STOCK_TOKEN"}),
    ("what is so already",            {"status": "ACTIVE", "makerFeeBps": 0}),
)  # fmt: skip


@pytest.mark.parametrize("members", NO_CHANGES)
def test_a_change_of_nothing(desk: Desk, members: dict[str, Any]) -> None:
    before = shown(desk)
    assert data_of(change(desk, members)) == before == shown(desk)


@pytest.mark.parametrize("name", cases(*((name, name) for name in AMOUNTS)))
def test_null_removes_a_bound(desk: Desk, name: str) -> None:
    assert data_of(change(desk, {name: "7"}))[name] == "7"
    assert data_of(change(desk, {name: None}))[name] is None


CHANGE_CHECKS: list[Any] = cases(
    ("schema before the book",        "ob_none", {"status": "x"},        ["status"]),
    ("the path before the schema",    "x" * 101, {"status": "x"},        (400, "INVALID_PARAM")),
    ("unknown book",                  "ob_none", {"tickSize": "0"},      (404, "ORDER_BOOK_NOT_FOUND")),
    ("T30 tick of zero",              BOOK_ID,   {"tickSize": "0"},      (400, "INVALID_CONFIG")),
    ("T30 above what there is",       BOOK_ID,   {"minOrderSize": "51"}, (400, "INVALID_CONFIG")),
    ("T30 below what there is",       BOOK_ID,   {"maxOrderSize": "4"},  (400, "INVALID_CONFIG")),
    ("T30 both at once",              BOOK_ID,   {"minOrderSize": "60", "maxOrderSize": "70"}, CHANGED),
)  # fmt: skip


@pytest.mark.parametrize(("book_id", "members", "expected"), CHANGE_CHECKS)
def test_the_checks_of_a_change_come_one_after_the_other(
    desk: Desk, book_id: str, members: dict[str, Any], expected: Any
) -> None:
    assert change(desk, {"minOrderSize": "5", "maxOrderSize": "50"}).status == 200
    assert outcome(change(desk, members, book_id)) == expected


CLOSED_CHANGES = cases(
    ("nothing", {}),
    ("a bound", {"tickSize": "5"}),
    ("opening", {"status": "ACTIVE"}),
    ("closing", {"status": "CLOSED"}),
)


@pytest.mark.parametrize("members", CLOSED_CHANGES)
def test_t32_closed_is_final(desk: Desk, members: dict[str, Any]) -> None:
    assert change(desk, {"status": "CLOSED"}).status == 200
    assert outcome(change(desk, members)) == (400, "INVALID_CONFIG")


def test_a_book_on_chain_can_be_changed_too(memory_database: Database) -> None:
    desk = open_desk(World(memory_database, settlement_mode=SettlementMode.ON_CHAIN))
    assert data_of(change(desk, {"tickSize": "5"}))["settlementMode"] == "ON_CHAIN"


def test_t32_a_paused_book_takes_no_orders_and_keeps_those_that_rest(desk: Desk) -> None:
    order_id = desk.placed()
    desk.match()
    assert change(desk, {"status": "PAUSED"}).status == 200
    assert outcome_of(desk.place(side="SELL")) == (400, "ORDER_BOOK_INACTIVE")
    desk.match()
    assert [(row["id"], row["status"]) for row in desk.rows()] == [(order_id, "OPEN")]
    assert change(desk, {"status": "ACTIVE"}).status == 200
    desk.placed(customerRef="ben", side="SELL")
    desk.match()
    assert desk.rows()[0]["status"] == "FILLED"


def test_t32_closing_cancels_what_rests_and_releases_its_hold(desk: Desk) -> None:
    desk.placed(price="50", quantity="10")
    desk.match()
    assert data_of(change(desk, {"status": "CLOSED"}))["status"] == "CLOSED"
    desk.match()
    assert desk.rows()[0]["status"] == "CANCELLED"
    assert desk.world.balance("ann", QUOTE) == (1000, 0)


def test_t33_sizes_and_ticks_bind_orders_admitted_afterwards(desk: Desk) -> None:
    desk.placed(price="52", quantity="10")
    assert change(desk, {"minOrderSize": "11", "tickSize": "5"}).status == 200
    assert outcome_of(desk.place(price="52", quantity="11")) == (400, "INVALID_PRICE")
    assert outcome_of(desk.place(price="50", quantity="10")) == (400, "ORDER_TOO_SMALL")
    desk.placed(customerRef="ben", side="SELL", price="50", quantity="11")
    desk.match()
    assert desk.rows()[0]["status"] == "FILLED"


def test_t33_fees_bind_trades_executed_afterwards(desk: Desk) -> None:
    """The resting order was admitted without fees; its second trade pays a tenth of what it receives."""
    desk.placed(side="SELL", price="1", quantity="200")
    desk.placed(customerRef="ben", price="1", quantity="100")
    desk.match()
    assert desk.world.balance("ann", QUOTE) == (1100, 0)
    assert change(desk, {"makerFeeBps": 1000}).status == 200
    desk.placed(customerRef="ben", price="1", quantity="100")
    desk.match()
    assert desk.world.balance("ann", QUOTE) == (1190, 0)
