"""Exports over HTTP: columns, formats, pages, times (T99)."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from chalicelib.apis.book import exports as module
from chalicelib.apis.book.export_rows import BALANCES, ORDERS, TRADES, TRANSACTIONS
from chalicelib.apis.book.routes import EXPORTED_BALANCES, EXPORTED_ORDERS, EXPORTED_TRADES, EXPORTED_TRANSACTIONS
from chalicelib.apis.kit.http import HttpResponse
from chalicelib.domain.ledger.transactions import Withdrawal
from chalicelib.services.books import history
from chalicelib.services.ledger.withdrawals import Withdrawals
from chalicelib.tables.dynamodb import Database
from tests.apis.book.desk import Desk, fields_of, open_desk, outcome_of
from tests.case_tables import cases
from tests.waiting import Clock
from tests.world import BASE, BOOK_ID, INSTANCE, QUOTE, World

COLUMNS = {
    EXPORTED_TRANSACTIONS: TRANSACTIONS,
    EXPORTED_TRADES: TRADES,
    EXPORTED_ORDERS: ORDERS,
    EXPORTED_BALANCES: BALANCES,
}
EVERY = list(COLUMNS)
OF_SPAN = [EXPORTED_TRANSACTIONS, EXPORTED_TRADES, EXPORTED_ORDERS]
ANN = {"customerRef": "ann"}


@pytest.fixture
def trading(clock: Clock, memory_database: Database) -> Desk:  # noqa: ARG001 - no test here waits in earnest
    """A desk with two trades of ann's with ben, a rest, and a withdrawal of fees to ann."""
    desk = open_desk(World(memory_database, maker_fee_bps=500, taker_fee_bps=500))
    desk.rested((60, 5), (40, 5))
    desk.placed(price="5", quantity="120")
    desk.match()
    Withdrawals(memory_database).take(Withdrawal(INSTANCE, BOOK_ID, QUOTE, "ann", 10, "november"))
    return desk


def export(desk: Desk, route: str, **query: str) -> HttpResponse:
    response = desk.get(route, query)
    assert response.status == 200, response.body
    return response


def rows_of(response: HttpResponse) -> list[dict[str, Any]]:
    assert response.headers["Content-Type"] == "application/x-ndjson; charset=utf-8"
    return [json.loads(line) for line in response.body.splitlines()]


@pytest.mark.parametrize("route", EVERY)
def test_t99_csv_and_json_lines_have_the_same_columns_and_cells(trading: Desk, route: str) -> None:
    rows = rows_of(export(trading, route, **ANN))
    assert rows
    assert {tuple(row) for row in rows} == {COLUMNS[route]}
    response = export(trading, route, format="csv", **ANN)
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert response.body.startswith(",".join(COLUMNS[route]) + "\r\n")
    without_moments = [[(name, cell or "") for name, cell in row.items() if name != "at"] for row in rows]
    in_csv = csv.DictReader(io.StringIO(response.body, newline=""))
    assert [[(name, cell) for name, cell in row.items() if name != "at"] for row in in_csv] == without_moments


def test_t99_a_row_of_transactions(trading: Desk) -> None:
    row, *_ = rows_of(export(trading, EXPORTED_TRANSACTIONS, **ANN))
    assert row | {"id": "", "createdAt": ""} == {
        "id": "", "createdAt": "", "type": "transfer", "tokenAddress": QUOTE, "symbol": "Q", "fromCustomerRef": None,
        "toCustomerRef": "ann", "amount": "10", "change": "10", "feeAccount": BOOK_ID, "reference": "november",
        "metadata": None,
    }  # fmt: skip
    assert {row["change"] for row in rows_of(export(trading, EXPORTED_TRANSACTIONS))} == {None}


def test_t99_a_row_of_trades_and_of_orders(trading: Desk) -> None:
    newest, *_ = rows_of(export(trading, EXPORTED_TRADES))
    (order,) = rows_of(export(trading, EXPORTED_ORDERS, **ANN))
    assert newest | {"id": "", "timestamp": "", "sellOrderId": ""} == {
        "id": "", "timestamp": "", "orderBookId": BOOK_ID, "price": "5", "quantity": "40", "notional": "200",
        "buyer": "ann", "seller": "ben", "buyerFee": "2", "sellerFee": "10", "buyOrderId": order["id"],
        "sellOrderId": "", "takerSide": "BUY",
    }  # fmt: skip
    assert order | {"id": "", "createdAt": "", "updatedAt": ""} == {
        "id": "", "createdAt": "", "updatedAt": "", "orderBookId": BOOK_ID, "customerRef": "ann", "side": "BUY",
        "orderType": "LIMIT", "timeInForce": "GTC", "price": "5", "quantity": "120", "filledQuantity": "100",
        "notional": "500", "fee": "5", "status": "PARTIALLY_FILLED", "reason": None, "externalId": None,
    }  # fmt: skip


def test_t99_balances_as_of_now_and_of_an_earlier_time(trading: Desk) -> None:
    base, quote = rows_of(export(trading, EXPORTED_BALANCES, **ANN))
    assert [base[name] for name in ("customerRef", "tokenAddress", "symbol", "balance", "available", "held")] == [
        "ann", BASE, "B", "1095", "1095", "0",
    ]  # fmt: skip
    assert [quote[name] for name in ("balance", "available", "held")] == ["510", "410", "100"]
    withdrawn, *_ = rows_of(export(trading, EXPORTED_TRANSACTIONS, **ANN))
    _, then = rows_of(export(trading, EXPORTED_BALANCES, at=withdrawn["createdAt"], **ANN))
    assert [then[name] for name in ("at", "balance", "available", "held")] == [
        withdrawn["createdAt"],
        "510",
        None,
        None,
    ]
    _, before = rows_of(export(trading, EXPORTED_BALANCES, at="2020-02-29", **ANN))
    assert (before["at"], before["balance"]) == ("2020-02-29T23:59:59.999Z", "0")


@pytest.mark.parametrize("form", ["csv", "jsonl"])
@pytest.mark.parametrize("route", EVERY)
def test_t99_pages_put_together_are_the_whole(trading: Desk, route: str, form: str) -> None:
    whole = export(trading, route, format=form, **ANN)
    assert "X-Next-Cursor" not in whole.headers
    pages, after = [], {}
    while True:
        page = export(trading, route, format=form, limit="1", **ANN, **after)
        pages.append(page.body)
        if "X-Next-Cursor" not in page.headers:
            break
        after = {"after": page.headers["X-Next-Cursor"]}
    without_moments = [text for text in (whole.body, "".join(pages)) if route != EXPORTED_BALANCES]
    assert len(set(without_moments)) <= 1
    assert len("".join(pages).splitlines()) == len(whole.body.splitlines())
    assert len(pages) == len(whole.body.splitlines()) - (form == "csv")


def test_t99_a_page_ends_where_its_bytes_do(trading: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    fitting = module.fitting
    monkeypatch.setattr(module, "fitting", lambda lines, exact: fitting(lines, exact, 700))
    first = export(trading, EXPORTED_TRANSACTIONS)
    rows = rows_of(first)
    assert len(rows) == 2
    assert first.headers["X-Next-Cursor"] == rows[-1]["id"]


@pytest.mark.parametrize("route", OF_SPAN)
def test_t99_a_span_includes_both_ends(trading: Desk, route: str) -> None:
    time_of = "timestamp" if route == EXPORTED_TRADES else "createdAt"
    rows = rows_of(export(trading, route, **ANN))
    moment = rows[-1][time_of]
    of_moment = [row for row in rows if row[time_of] == moment]
    assert rows_of(export(trading, route, **ANN, **{"from": moment, "to": moment})) == of_moment
    assert export(trading, route, to="2020-01-01", **ANN).body == ""
    assert export(trading, route, format="csv", **{"from": "2099-01-01"}, **ANN).body.count("\r\n") == 1
    assert export(trading, route, **{"from": "2021-01-01", "to": "2020-01-01"}, **ANN).body == ""


FAULTY = cases(
    ("a format", EXPORTED_TRADES, {"format": "xls"}, ["format"]),
    ("a customer", EXPORTED_TRADES, {"customerRef": ""}, ["customerRef"]),
    ("no customer for orders", EXPORTED_ORDERS, {}, ["customerRef"]),
    ("no customer for balances", EXPORTED_BALANCES, {}, ["customerRef"]),
    ("times", EXPORTED_TRADES, {"from": "x", "to": "2025-02-30"}, ["from", "to"]),
    ("a moment", EXPORTED_BALANCES, ANN | {"at": "noon"}, ["at"]),
    ("a moment to come", EXPORTED_BALANCES, ANN | {"at": "2099-01-01"}, ["at"]),
    ("a limit", EXPORTED_TRADES, {"limit": "0"}, ["limit"]),
    ("a cursor", EXPORTED_TRADES, {"after": "x"}, ["after"]),
    ("a cursor of another export", EXPORTED_TRADES, {"after": "txn_01JHMR6K204D9DMWM0Y7FCREPF"}, ["after"]),
    ("a cursor of balances", EXPORTED_BALANCES, ANN | {"after": "0x1"}, ["after"]),
    ("all", EXPORTED_ORDERS, {"format": "", "limit": "x", "after": ""}, ["format", "customerRef", "limit", "after"]),
)


@pytest.mark.parametrize(("route", "query", "fields"), FAULTY)
def test_t99_what_is_faulty_is_named(desk: Desk, route: str, query: dict[str, str], fields: list[str]) -> None:
    assert fields_of(desk.get(route, query)) == fields


def test_t114_a_date_that_is_not_over_yet_counts_as_now(trading: Desk) -> None:
    today = datetime.now(UTC).date().isoformat()
    shown, now = (rows_of(export(trading, EXPORTED_BALANCES, **ANN, **at)) for at in ({"at": today}, {}))
    assert [row["balance"] for row in shown] == [row["balance"] for row in now]


def test_t99_a_moment_behind_too_many_rows_is_refused(trading: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "ROWS_MAX", 2)
    assert fields_of(trading.get(EXPORTED_BALANCES, ANN | {"at": "2020-01-01"})) == ["at"]


def test_t99_what_a_customer_wrote_is_no_formula(trading: Desk) -> None:
    trading.world.move("ann", "=cmd|' /C calc'!A0", QUOTE, 1, reference="+1")
    response = export(trading, EXPORTED_TRANSACTIONS, format="csv", limit="1")
    row = next(csv.DictReader(io.StringIO(response.body, newline="")))
    assert (row["toCustomerRef"], row["reference"], row["amount"]) == ("'=cmd|' /C calc'!A0", "'+1", "1")


def test_t99_an_export_has_the_headers_of_every_answer(trading: Desk) -> None:
    response = export(trading, EXPORTED_TRADES)
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["X-Request-Id"]
    assert outcome_of(trading.send("GET", EXPORTED_TRADES, key=None)) == (401, "AUTH_REQUIRED")
