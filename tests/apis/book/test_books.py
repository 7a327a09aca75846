"""Books over the desk: an instance's list of them, and one of them whole."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.apis.book.routes import BOOKS, ONE_BOOK
from chalicelib.apis.kit.http import HttpResponse
from chalicelib.domain.books.config import BookConfig, SettlementMode, TokenType
from chalicelib.domain.books.vocabulary import BookStatus
from chalicelib.tables.dynamodb import Database
from tests.apis.book.desk import Desk, code_of, fields_of, open_desk
from tests.world import BASE, BOOK_ID, INSTANCE, QUOTE, World


@pytest.fixture
def desk(memory_database: Database) -> Desk:
    return open_desk(World(memory_database))


def another(desk: Desk, book_id: str, **settings: Any) -> BookConfig:
    """Make another book of the instance, with a pair and a symbol of its own."""
    own = {"book_id": book_id, "symbol": book_id[-16:], "base_asset": f"0x{book_id.encode().hex():0>40.40}"}
    config = replace(desk.world.config, **(own | settings))
    desk.world.books.create(config)
    return config


def data_of(response: HttpResponse) -> Any:
    assert response.status == 200, response.body
    return json.loads(response.body)["data"]


def test_books_are_listed_newest_first_ties_by_id_and_off_chain_ones_only(desk: Desk) -> None:
    another(desk, "ob_a", created_at_ms=5)
    another(desk, "ob_c", created_at_ms=7)
    another(desk, "ob_b", created_at_ms=7, status=BookStatus.PAUSED)
    another(desk, "ob_chain", created_at_ms=9, settlement_mode=SettlementMode.ON_CHAIN)
    another(desk, "ob_else", created_at_ms=9, instance="inst_other001")
    listed = data_of(desk.get(BOOKS))
    assert [book["id"] for book in listed] == ["ob_c", "ob_b", "ob_a", BOOK_ID]
    assert listed[1] == {
        "id": "ob_b", "name": "Test", "symbol": "ob_b", "status": "PAUSED", "settlementMode": "OFF_CHAIN",
    }  # fmt: skip
    assert [book["id"] for book in data_of(desk.get(BOOKS, {"status": "PAUSED"}))] == ["ob_b"]
    assert data_of(desk.get(BOOKS, {"status": "CLOSED"})) == []


@pytest.mark.parametrize("status", ["", "active", "OPEN", "ACTIVE,PAUSED"])
def test_a_status_that_no_book_can_have_is_a_fault(desk: Desk, status: str) -> None:
    assert fields_of(desk.get(BOOKS, {"status": status})) == ["status"]


def test_a_status_given_twice_is_a_fault(desk: Desk) -> None:
    """T25"""
    assert fields_of(desk.send("GET", BOOKS, query={"status": ["ACTIVE", "ACTIVE"]})) == ["status"]


def test_a_book_is_shown_whole(desk: Desk) -> None:
    another(
        desk, "ob_whole", order_size_min=10**15, tick_size=10**16, maker_fee_bps=5, taker_fee_bps=15,
        token_type=TokenType.STOCK_TOKEN, stock_token_id="exs-001", name="Example Share / Euro", symbol="EXS/EUR",
    )  # fmt: skip
    book = data_of(desk.get(ONE_BOOK, orderBookId="ob_whole"))
    base = book.pop("tokenAddress")
    assert (len(base), base[:2]) == (42, "0x")
    assert list(book.items()) == list({
        "id": "ob_whole", "quoteTokenAddress": QUOTE, "name": "Example Share / Euro", "symbol": "EXS/EUR",
        "status": "ACTIVE", "settlementMode": "OFF_CHAIN", "minOrderSize": "1000000000000000", "maxOrderSize": None,
        "tickSize": "10000000000000000", "makerFeeBps": 5, "takerFeeBps": 15, "tokenType": "STOCK_TOKEN",
        "stockTokenId": "exs-001", "selfTradePrevention": "NONE", "marketCollarBps": 500,
        "lotSize": "1", "minOrderValue": "0",
    }.items())  # fmt: skip


def test_the_first_two_members_of_a_book_are_its_id_and_its_token(desk: Desk) -> None:
    book = data_of(desk.get(ONE_BOOK, orderBookId=BOOK_ID))
    assert list(book)[:3] == ["id", "tokenAddress", "quoteTokenAddress"]
    assert (book["tokenAddress"], book["tokenType"], book["stockTokenId"]) == (BASE, "LIGHT_TOKEN", None)


def test_a_book_that_there_is_not_or_that_settles_elsewhere_is_not_shown(desk: Desk) -> None:
    another(desk, "ob_chain", settlement_mode=SettlementMode.ON_CHAIN)
    another(desk, "ob_else", instance="inst_other001")
    for book_id in ("ob_none", "ob_else"):
        assert code_of(desk.get(ONE_BOOK, orderBookId=book_id)) == (404, "ORDER_BOOK_NOT_FOUND")
    assert code_of(desk.get(ONE_BOOK, orderBookId="ob_chain")) == (400, "WRONG_SETTLEMENT_MODE")
    assert code_of(desk.get(ONE_BOOK, orderBookId="x" * 101)) == (400, "INVALID_PARAM")


def test_books_pass_the_gate_like_every_request(desk: Desk) -> None:
    assert code_of(desk.send("GET", BOOKS, key=None)) == (401, "AUTH_REQUIRED")
    assert code_of(desk.send("GET", ONE_BOOK, key=None, orderBookId=BOOK_ID)) == (401, "AUTH_REQUIRED")
    assert INSTANCE in desk.get(BOOKS).body
