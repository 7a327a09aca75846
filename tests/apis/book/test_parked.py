"""A parked book at the book desk: it shows PAUSED wherever a book shows, and takes neither orders nor cancels (T53)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.apis.book.routes import BOOKS, DEPTH, ONE_BOOK, SETTINGS, TRADES_OF_BOOK
from chalicelib.apis.kit.http import HttpResponse
from chalicelib.domain.books.vocabulary import BookStatus
from chalicelib.tables.dynamodb import Database
from tests.apis.book.desk import Desk, open_desk, outcome_of
from tests.apis.parked import park
from tests.world import BOOK_ID, World


@pytest.fixture
def desk(memory_database: Database) -> Desk:
    """A desk whose book is parked while an order of ann rests in it."""
    desk = open_desk(World(memory_database))
    desk.placed()
    desk.match()
    park(desk.world)
    return desk


def data_of(response: HttpResponse) -> Any:
    assert response.status == 200, response.body
    return json.loads(response.body)["data"]


def change(desk: Desk, status: str) -> Any:
    return data_of(desk.send("PATCH", SETTINGS, body=json.dumps({"status": status}).encode(), orderBookId=BOOK_ID))


def test_every_read_of_the_book_shows_paused(desk: Desk) -> None:
    assert data_of(desk.get(ONE_BOOK, orderBookId=BOOK_ID))["status"] == "PAUSED"
    assert [row["status"] for row in data_of(desk.get(BOOKS))] == ["PAUSED"]
    assert len(data_of(desk.get(BOOKS, {"status": "PAUSED"}))) == 1
    assert data_of(desk.get(BOOKS, {"status": "ACTIVE"})) == []


def test_what_stands_in_the_book_can_be_read_as_ever(desk: Desk) -> None:
    assert len(data_of(desk.get(DEPTH, orderBookId=BOOK_ID))["bids"]) == 1
    assert data_of(desk.get(TRADES_OF_BOOK, orderBookId=BOOK_ID)) == []
    assert [row["status"] for row in desk.rows()] == ["OPEN"]


@pytest.mark.parametrize("kind", [{"orderType": "LIMIT"}, {"orderType": "MARKET", "price": ...}])
def test_an_order_is_refused_and_changes_nothing(desk: Desk, kind: dict[str, Any]) -> None:
    before = desk.world.tables()
    assert outcome_of(desk.place(side="SELL", **kind)) == (400, "ORDER_BOOK_INACTIVE")
    assert desk.world.tables() == before


def test_a_cancel_is_answered_503_and_changes_nothing(desk: Desk) -> None:
    (order,) = desk.rows()
    before = desk.world.tables()
    response = desk.cancel(str(order["id"]))
    assert outcome_of(response) == (503, "SERVICE_UNAVAILABLE")
    assert dict(response.headers)["Retry-After"]
    assert desk.world.tables() == before


def test_a_cancel_of_an_order_that_is_not_live_is_told_so(desk: Desk) -> None:
    assert outcome_of(desk.cancel("ord_01JHMZ3V5R2X4Y6Z8A0B1C2D3E")) == (404, "ORDER_NOT_FOUND")


def test_a_cancel_that_was_queued_before_is_not_joined(memory_database: Database) -> None:
    desk = open_desk(World(memory_database))
    order_id = desk.placed()
    assert desk.world.cancel("ann", order_id)
    park(desk.world)
    assert outcome_of(desk.cancel(order_id)) == (503, "SERVICE_UNAVAILABLE")


def test_settings_can_be_asked_for_and_take_effect_with_the_release(desk: Desk) -> None:
    assert change(desk, "PAUSED")["status"] == "PAUSED"
    assert change(desk, "ACTIVE")["status"] == "PAUSED"
    config = desk.world.books.config(desk.world.book)
    assert config is not None
    assert (config.status, config.is_parked) == (BookStatus.ACTIVE, True)
    assert change(desk, "CLOSED")["status"] == "CLOSED"
