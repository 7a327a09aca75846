"""What the book desk reads for its answers: open orders, pages of the journal. Reading changes nothing."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.apis.book import order_schema
from chalicelib.apis.book.routes import DEPTH, ONE_ORDER, TRADES_OF_BOOK, TRADES_OF_CUSTOMER
from chalicelib.support.clock import iso
from tests.apis.book.desk import Desk, data_of, outcome_of
from tests.world import BOOK_ID, NOW_MS


def test_open_orders_are_listed_newest_first_page_by_page(desk: Desk) -> None:
    orders = [desk.placed(quantity="1") for _ in range(7)][::-1]
    assert [row["id"] for row in desk.rows(status="OPEN")] == orders
    for limit in range(1, 8):
        assert [row["id"] for row in desk.rows(status="OPEN", limit=str(limit))] == orders[:limit]
    assert [row["id"] for row in desk.rows(status="OPEN", offset="3", limit="3")] == orders[3:6]


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ({}, 50), ({"limit": "1"}, 10), ({"limit": "30", "offset": "25"}, 55), ({"offset": "5000"}, 842),
        ({"status": "OPEN", "limit": "20"}, 20), ({"status": "FILLED", "limit": "1"}, 100),
        ({"orderBookId": "ob", "limit": "1"}, 100),
    ],
)  # fmt: skip
def test_as_many_rows_are_read_at_a_time_as_are_needed(query: dict[str, str], rows: int) -> None:
    """A filter that may pass over most rows reads many at a time, whatever the page."""
    assert order_schema.list_query({name: [value] for name, value in query.items()}).rows_at_a_time == rows


def test_a_books_trades_are_its_tape_newest_first(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several trades in one entry, several entries, and more entries than are read at a time."""
    monkeypatch.setattr("chalicelib.tables.journal.PAGE_ENTRIES", 2)
    for price in ("50", "51", "52"):
        desk.placed(side="SELL", price=price, quantity="2")
    desk.match()
    for quantity in ("1", "2", "3"):
        desk.placed(customerRef="ben", price="60", quantity=quantity)
        desk.match()
    tape: list[dict[str, Any]] = data_of(desk.get(TRADES_OF_BOOK, orderBookId=BOOK_ID))
    assert [(row["price"], row["quantity"]) for row in tape] == [
        ("52", "2"), ("51", "1"), ("51", "1"), ("50", "1"), ("50", "1"),
    ]  # fmt: skip
    assert list(tape[0]) == ["id", "orderBookId", "price", "quantity", "timestamp"]
    assert (tape[0]["orderBookId"], tape[0]["timestamp"]) == (BOOK_ID, iso(NOW_MS))
    assert [row["id"] for row in tape] == [
        row["id"] for row in data_of(desk.get(TRADES_OF_CUSTOMER, customerRef="ann"))
    ]
    assert data_of(desk.get(TRADES_OF_BOOK, {"limit": "2", "offset": "1"}, orderBookId=BOOK_ID)) == tape[1:3]
    assert data_of(desk.get(TRADES_OF_BOOK, {"offset": "5"}, orderBookId=BOOK_ID)) == []


@pytest.mark.parametrize(
    ("route", "parameters"),
    [(DEPTH, {"orderBookId": BOOK_ID}), (TRADES_OF_CUSTOMER, {"customerRef": "ann"}), (ONE_ORDER, {"orderId": "x"})],
)
def test_showing_passes_the_gate_and_changes_nothing(desk: Desk, route: str, parameters: dict[str, str]) -> None:
    before = desk.world.tables()
    assert outcome_of(desk.send("GET", route, key=None, **parameters)) == (401, "AUTH_REQUIRED")
    desk.get(route, {"customerRef": "ann"}, **parameters)
    after = desk.world.tables()
    assert {name: rows for name, rows in after.items() if name != "requests"} == {
        name: rows for name, rows in before.items() if name != "requests"
    }
