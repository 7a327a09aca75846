"""Making and changing books over the desk: every member, its bounds and defaults, and which fault comes first."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.apis.book.routes import BOOKS, DEPTH, ONE_BOOK, PLACE, SETTINGS
from chalicelib.apis.kit.http import HttpResponse
from chalicelib.domain.books.config import SettlementMode
from chalicelib.domain.ledger.owners import book_key
from chalicelib.domain.ledger.tokens import new_token
from chalicelib.support.clock import new_id
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.tokens import Tokens
from tests.apis.book.desk import ORDER, Desk, code_of, fields_of, open_desk
from tests.world import BASE, BOOK_ID, INSTANCE, QUOTE, World

SHARE = "0x" + "AbCdEf0123" * 4
SHARE_DECIMALS = 3
NEW_BOOK = {"tokenAddress": SHARE, "quoteTokenAddress": QUOTE, "name": "Share / Quote", "symbol": "S/Q"}


@pytest.fixture
def desk(memory_database: Database) -> Desk:
    desk = open_desk(World(memory_database))
    tokens = Tokens(memory_database)
    tokens.register(INSTANCE, new_token(new_id("tok"), SHARE.lower(), "Share", "S", SHARE_DECIMALS))
    return desk


def make(desk: Desk, headers: dict[str, str] | None = None, **members: Any) -> HttpResponse:
    """POST the usual book with some members changed; a member set to ... is left out."""
    body = {name: value for name, value in (NEW_BOOK | members).items() if value is not ...}
    return desk.send("POST", BOOKS, body=json.dumps(body).encode(), headers=headers)


def change(desk: Desk, book_id: str = BOOK_ID, **members: Any) -> HttpResponse:
    return desk.send("PATCH", SETTINGS, body=json.dumps(members).encode(), orderBookId=book_id)


def data_of(response: HttpResponse, status: int = 200) -> Any:
    assert response.status == status, response.body
    return json.loads(response.body)["data"]


def shown(desk: Desk, book_id: str = BOOK_ID) -> dict[str, Any]:
    book: dict[str, Any] = data_of(desk.get(ONE_BOOK, orderBookId=book_id))
    return book


# --- making a book -----------------------------------------------------------------------------------------------


def test_a_new_book_has_nine_members_and_addresses_in_lower_case(desk: Desk) -> None:
    made = data_of(make(desk, makerFeeBps=5, takerFeeBps=15), 201)
    book_id = made["id"]
    assert book_id.startswith("ob_")
    assert list(made.items()) == list({
        "id": book_id, "tokenAddress": SHARE.lower(), "quoteTokenAddress": QUOTE, "name": "Share / Quote",
        "symbol": "S/Q", "status": "ACTIVE", "settlementMode": "OFF_CHAIN", "makerFeeBps": 5, "takerFeeBps": 15,
    }.items())  # fmt: skip


def test_what_a_new_book_is_not_told_has_its_default(desk: Desk) -> None:
    book = shown(desk, data_of(make(desk), 201)["id"])
    names = (
        "minOrderSize", "maxOrderSize", "tickSize", "makerFeeBps", "takerFeeBps", "tokenType", "stockTokenId",
        "selfTradePrevention", "marketCollarBps",
    )  # fmt: skip
    assert [book[name] for name in names] == [None, None, None, 0, 0, "LIGHT_TOKEN", None, "NONE", 500]


def test_a_new_book_has_what_it_was_told(desk: Desk) -> None:
    told = {
        "minOrderSize": "1", "maxOrderSize": "9" * 38, "tickSize": "7", "makerFeeBps": 1000, "takerFeeBps": 0,
        "tokenType": "STOCK_TOKEN", "stockTokenId": "s" * 100, "selfTradePrevention": "CANCEL_BOTH",
        "marketCollarBps": 10_000, "name": "n" * 64, "symbol": "s" * 16,
    }  # fmt: skip
    book = shown(desk, data_of(make(desk, **told), 201)["id"])
    assert {name: book[name] for name in told} == told


def test_a_new_book_takes_orders_in_the_unit_of_its_base_token(desk: Desk) -> None:
    """The hold of 50 x 10 with three decimals is ceil(0.5)."""
    book_id = data_of(make(desk, minOrderValue="0"), 201)["id"]
    data_of(desk.place(orderBookId=book_id), 201)
    assert desk.world.balance("ann", QUOTE) == (999, 1)
    assert data_of(desk.get(DEPTH, orderBookId=book_id)) == {"orderBookId": book_id, "bids": [], "asks": []}


def test_a_null_counts_as_absent(desk: Desk) -> None:
    optional = [
        "minOrderSize", "maxOrderSize", "tickSize", "makerFeeBps", "takerFeeBps", "tokenType", "stockTokenId",
        "selfTradePrevention", "marketCollarBps",
    ]  # fmt: skip
    assert make(desk, **dict.fromkeys(optional)).status == 201


REQUIRED = list(NEW_BOOK)
BAD_AMOUNTS = ["", "-1", "01", "1.5", "9" * 39, 5, True]
BAD_BPS = [-1, 1001, "5", 1.5, True, 5.0]
FAULTS: list[tuple[str, Any]] = [
    *((name, value) for name in REQUIRED for value in (..., None, 5)),
    *((name, value) for name in REQUIRED[:2] for value in ("0x" + "g" * 40, "0x" + "a" * 39, "0x" + "a" * 41, "")),
    ("tokenAddress", "a" * 42),
    ("tokenAddress", "0X" + "a" * 40),
    ("tokenAddress", BASE + "\n"),
    ("name", ""),
    ("name", "n" * 65),
    ("name", "\ud800"),
    ("symbol", ""),
    ("symbol", "s" * 17),
    *((name, value) for name in ("minOrderSize", "maxOrderSize", "tickSize") for value in BAD_AMOUNTS),
    *((name, value) for name in ("makerFeeBps", "takerFeeBps") for value in BAD_BPS),
    *(("marketCollarBps", value) for value in (-1, 10_001, "500", 1.5, False)),
    *(("tokenType", value) for value in ("light_token", "", 1)),
    *(("stockTokenId", value) for value in ("", "s" * 101, 1)),
    *(("selfTradePrevention", value) for value in ("none", "CANCEL", 1)),
]


@pytest.mark.parametrize(("name", "value"), FAULTS, ids=lambda value: repr(value)[:20])
def test_a_member_that_is_not_what_it_must_be_is_named_and_nothing_is_made(desk: Desk, name: str, value: Any) -> None:
    before = desk.world.tables()
    assert fields_of(make(desk, **{name: value})) == [name]
    assert desk.world.tables() == before


def test_all_faulty_members_are_named_in_the_order_of_the_table(desk: Desk) -> None:
    """T7"""
    wrong = dict.fromkeys([
        "marketCollarBps", "selfTradePrevention", "stockTokenId", "tokenType", "takerFeeBps", "makerFeeBps", "tickSize",
        "maxOrderSize", "minOrderSize", "symbol", "name", "quoteTokenAddress", "tokenAddress",
    ], "")  # fmt: skip
    assert fields_of(make(desk, **wrong)) == list(reversed(wrong))


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"quoteTokenAddress": SHARE.upper().replace("0X", "0x")}, (400, "INVALID_PAIR")),
        ({"tokenAddress": "0x" + "9" * 40}, (400, "TOKEN_NOT_REGISTERED")),
        ({"quoteTokenAddress": "0x" + "9" * 40}, (400, "TOKEN_NOT_REGISTERED")),
        ({"minOrderSize": "0"}, (400, "INVALID_CONFIG")),
        ({"maxOrderSize": "0"}, (400, "INVALID_CONFIG")),
        ({"tickSize": "0"}, (400, "INVALID_CONFIG")),
        ({"minOrderSize": "6", "maxOrderSize": "5"}, (400, "INVALID_CONFIG")),
        ({"tokenAddress": BASE}, (409, "ORDER_BOOK_EXISTS")),
        ({"symbol": "b/q"}, (409, "ORDER_BOOK_EXISTS")),
        ({"tokenAddress": "0x" + "9" * 40, "quoteTokenAddress": "0x" + "9" * 40}, (400, "INVALID_PAIR")),
        ({"tokenAddress": "0x" + "9" * 40, "tickSize": "0"}, (400, "TOKEN_NOT_REGISTERED")),
        ({"tokenAddress": BASE, "tickSize": "0"}, (400, "INVALID_CONFIG")),
        ({"tokenAddress": BASE, "tickSize": "x"}, (400, "VALIDATION_ERROR")),
    ],
)
def test_a_book_that_cannot_be_is_refused_by_the_first_of_its_faults_and_nothing_is_made(
    desk: Desk, members: dict[str, str], code: tuple[int, str]
) -> None:
    """T30, T31"""
    before = desk.world.tables()
    assert code_of(make(desk, **members)) == code
    assert desk.world.tables() == before


def test_a_token_that_is_not_active_makes_no_book(desk: Desk) -> None:
    (row,) = (row for row in desk.world.database.scan("tokens") if row.get("symbol") == "S")
    desk.world.database.put_many("tokens", [row | {"is_active": False}])
    assert code_of(make(desk)) == (400, "TOKEN_NOT_REGISTERED")


def test_a_book_of_the_same_bounds_is_allowed(desk: Desk) -> None:
    assert make(desk, minOrderSize="5", maxOrderSize="5").status == 201


def test_a_paused_book_keeps_its_pair_and_a_closed_one_gives_it_back(desk: Desk) -> None:
    """T31"""
    first = data_of(make(desk), 201)["id"]
    data_of(change(desk, first, status="PAUSED"))
    assert code_of(make(desk)) == (409, "ORDER_BOOK_EXISTS")
    data_of(change(desk, first, status="CLOSED"))
    assert data_of(make(desk), 201)["id"] != first


def test_the_same_request_under_one_key_makes_one_book(desk: Desk) -> None:
    """T14"""
    key = {"idempotency-key": "new-book-1"}
    first, second = make(desk, key), make(desk, key)
    assert (first.status, second.status) == (201, 201)
    assert second.body == first.body
    assert second.headers["Idempotent-Replay"] == "true"
    assert code_of(make(desk, key, name="Other")) == (409, "IDEMPOTENCY_MISMATCH")
    assert len(data_of(desk.get(BOOKS))) == 2


def test_a_refusal_is_replayed_too(desk: Desk) -> None:
    """T13"""
    key = {"idempotency-key": "new-book-1"}
    refused = make(desk, key, tickSize="0")
    assert code_of(refused) == (400, "INVALID_CONFIG")
    assert make(desk, key, tickSize="0").body == refused.body


# --- changing a book ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("minOrderSize", "5"), ("maxOrderSize", "50"), ("tickSize", "7"), ("makerFeeBps", 1000), ("takerFeeBps", 1),
        ("selfTradePrevention", "CANCEL_MAKER"), ("marketCollarBps", 0), ("status", "PAUSED"), ("status", "CLOSED"),
    ],
)  # fmt: skip
def test_a_change_is_answered_with_the_whole_book_and_changes_that_member_alone(
    desk: Desk, name: str, value: Any
) -> None:
    before = shown(desk)
    changed = data_of(change(desk, **{name: value}))
    assert changed == shown(desk) == before | {name: value}
    assert list(changed) == list(before)


def test_all_settings_change_at_once(desk: Desk) -> None:
    members = {
        "status": "PAUSED", "minOrderSize": "5", "maxOrderSize": "50", "tickSize": "7", "makerFeeBps": 3,
        "takerFeeBps": 4, "selfTradePrevention": "CANCEL_TAKER", "marketCollarBps": 9,
    }  # fmt: skip
    before = shown(desk)
    assert data_of(change(desk, **members)) == before | members


@pytest.mark.parametrize("name", ["minOrderSize", "maxOrderSize", "tickSize"])
def test_null_takes_a_bound_away(desk: Desk, name: str) -> None:
    data_of(change(desk, minOrderSize="5", maxOrderSize="50", tickSize="7"))
    bounded = shown(desk)
    assert data_of(change(desk, **{name: None})) == bounded | {name: None}


@pytest.mark.parametrize(
    "members",
    [
        {}, {"status": "ACTIVE"}, {"makerFeeBps": 0}, {"minOrderSize": None}, {"allowImport": True}, {"unknown": 1},
        {"status": None, "makerFeeBps": None, "selfTradePrevention": None, "marketCollarBps": None,
         "allowImport": None},
    ],
)  # fmt: skip
def test_a_change_to_what_is_so_already_changes_nothing(desk: Desk, members: dict[str, Any]) -> None:
    before, tables = shown(desk), desk.world.tables()
    assert data_of(change(desk, **members)) == before
    assert desk.world.tables() == tables


CHANGE_FAULTS: list[tuple[str, Any]] = [
    *(("status", value) for value in ("paused", "OPEN", "", 1, True)),
    *((name, value) for name in ("minOrderSize", "maxOrderSize", "tickSize") for value in BAD_AMOUNTS),
    *((name, value) for name in ("makerFeeBps", "takerFeeBps") for value in BAD_BPS),
    *(("selfTradePrevention", value) for value in ("none", 1)),
    *(("marketCollarBps", value) for value in (-1, 10_001, "500", 1.5)),
    *(("allowImport", value) for value in ("true", 1)),
]


@pytest.mark.parametrize(("name", "value"), CHANGE_FAULTS, ids=lambda value: repr(value)[:20])
def test_a_change_that_is_not_what_it_must_be_is_named_and_changes_nothing(desk: Desk, name: str, value: Any) -> None:
    before = desk.world.tables()
    assert fields_of(change(desk, **{name: value})) == [name]
    assert desk.world.tables() == before


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b'"x"', b"{", b"\xff"])
def test_a_body_that_is_no_object_is_a_fault(desk: Desk, body: bytes) -> None:
    """T11"""
    assert fields_of(desk.send("PATCH", SETTINGS, body=body, orderBookId=BOOK_ID)) == ["body"]
    assert fields_of(desk.send("POST", BOOKS, body=body)) == ["body"]


@pytest.mark.parametrize(
    "members", [{"minOrderSize": "0"}, {"maxOrderSize": "4"}, {"tickSize": "0"}, {"minOrderSize": "51"}]
)
def test_settings_that_contradict_each_other_or_those_that_are_there_are_refused(
    desk: Desk, members: dict[str, str]
) -> None:
    """T30: the resulting settings count."""
    data_of(change(desk, minOrderSize="5", maxOrderSize="50"))
    before = desk.world.tables()
    assert code_of(change(desk, **members)) == (400, "INVALID_CONFIG")
    assert desk.world.tables() == before


def test_two_bounds_that_move_together_may_pass_each_others_old_place(desk: Desk) -> None:
    data_of(change(desk, minOrderSize="5", maxOrderSize="50"))
    assert data_of(change(desk, minOrderSize="60", maxOrderSize="70"))["minOrderSize"] == "60"


@pytest.mark.parametrize("members", [{}, {"status": "ACTIVE"}, {"status": "CLOSED"}, {"tickSize": "5"}])
def test_a_closed_book_takes_no_change_at_all(desk: Desk, members: dict[str, str]) -> None:
    """T32"""
    data_of(change(desk, status="CLOSED"))
    before = desk.world.tables()
    assert code_of(change(desk, **members)) == (400, "INVALID_CONFIG")
    assert desk.world.tables() == before


@pytest.mark.parametrize(
    ("book_id", "code"),
    [
        ("ob_none", (404, "ORDER_BOOK_NOT_FOUND")),
        ("x" * 100, (404, "ORDER_BOOK_NOT_FOUND")),
        ("x" * 101, (400, "INVALID_PARAM")),
        ("%zz", (400, "INVALID_PARAM")),
        ("%00", (400, "INVALID_PARAM")),
    ],
)
def test_a_book_that_there_is_not_is_not_changed(desk: Desk, book_id: str, code: tuple[int, str]) -> None:
    assert code_of(change(desk, book_id, status="PAUSED")) == code
    assert code_of(change(desk, book_id, status="paused"))[1] in ("VALIDATION_ERROR", "INVALID_PARAM")


def test_a_book_that_settles_on_chain_can_be_changed_too(memory_database: Database) -> None:
    desk = open_desk(World(memory_database, settlement_mode=SettlementMode.ON_CHAIN))
    assert data_of(change(desk, tickSize="5"))["settlementMode"] == "ON_CHAIN"


# --- what a change does ------------------------------------------------------------------------------------------


def test_new_sizes_and_ticks_bind_orders_admitted_afterwards(desk: Desk) -> None:
    """T33"""
    desk.placed(price="50", quantity="10")
    data_of(change(desk, tickSize="7", minOrderSize="20"))
    assert code_of(desk.place(price="50", quantity="20")) == (400, "INVALID_PRICE")
    assert code_of(desk.place(price="49", quantity="10")) == (400, "ORDER_TOO_SMALL")
    data_of(change(desk, tickSize=None, minOrderSize=None))
    desk.placed(customerRef="ben", side="SELL", price="50", quantity="10")
    desk.match()
    assert [row["status"] for row in desk.rows()] == ["FILLED"]


def test_new_fees_bind_trades_executed_afterwards(desk: Desk) -> None:
    """T33: of two equal orders the one before the change pays no fee, the one after it a tenth."""
    desk.placed(side="SELL", quantity="300", price="1")
    desk.placed(customerRef="ben", quantity="100", price="1")
    data_of(change(desk, takerFeeBps=1000))
    desk.placed(customerRef="ben", quantity="100", price="1")
    desk.match()
    assert desk.world.balance("ben", BASE) == (1000 + 100 + 90, 0)


def test_a_paused_book_takes_no_orders_at_once_and_a_resumed_one_does(desk: Desk) -> None:
    """T32: nobody has to wait for the matcher."""
    order_id = desk.placed()
    data_of(change(desk, status="PAUSED"))
    assert code_of(desk.place()) == (400, "ORDER_BOOK_INACTIVE")
    data_of(change(desk, status="ACTIVE"))
    desk.placed(customerRef="ben", side="SELL")
    desk.match()
    assert [(row["id"], row["status"]) for row in desk.rows()] == [(order_id, "FILLED")]


def test_closing_cancels_resting_orders_and_releases_their_holds(desk: Desk) -> None:
    """T32"""
    order_id = desk.placed()
    desk.match()
    assert desk.world.balance("ann", QUOTE) == (500, 500)
    data_of(change(desk, status="CLOSED"))
    desk.match()
    assert [(row["id"], row["status"]) for row in desk.rows()] == [(order_id, "CANCELLED")]
    assert desk.world.balance("ann", QUOTE) == (1000, 0)


def test_each_change_is_a_version_and_one_command_of_the_books_inbox(desk: Desk) -> None:
    before = len(desk.world.inbox_rows())
    for tick in ("5", "5", "6"):
        data_of(change(desk, tickSize=tick))
    assert len(desk.world.inbox_rows()) == before + 2
    config = desk.world.books.config(book_key(INSTANCE, BOOK_ID))
    assert config is not None
    assert config.version == 2


def test_an_idempotency_key_is_ignored_by_a_change(desk: Desk) -> None:
    for status in ("PAUSED", "ACTIVE"):
        body = json.dumps({"status": status}).encode()
        response = desk.send("PATCH", SETTINGS, body=body, headers={"idempotency-key": "short"}, orderBookId=BOOK_ID)
        assert data_of(response)["status"] == status


def test_the_seeds_order_is_placed_on_a_book_made_over_the_wire(desk: Desk) -> None:
    book_id = data_of(make(desk, minOrderValue="0"), 201)["id"]
    body = json.dumps(ORDER | {"orderBookId": book_id}).encode()
    assert data_of(desk.send("POST", PLACE, body=body), 201)["orderBookId"] == book_id
