"""The ledger over the desk, for tests: its requests in short, and what its tables must not have lost."""

from __future__ import annotations

import json
from typing import Any

from chalicelib.apis.book.routes import BALANCES, CREDIT, DEBIT, ONE_BALANCE, TOKENS, TRANSACTIONS, TRANSFER
from chalicelib.apis.kit.http import HttpResponse
from tests.apis.book.desk import Desk
from tests.world import BASE

TOKEN = {"tokenAddress": "0x" + "d" * 40, "name": "Gold", "symbol": "XAU"}
CHANGE = {"tokenAddress": BASE, "customerRef": "ann", "amount": "10"}
MOVE = {"tokenAddress": BASE, "fromCustomerRef": "ann", "toCustomerRef": "ben", "amount": "10"}
USUAL = {TOKENS: TOKEN, CREDIT: CHANGE, DEBIT: CHANGE, TRANSFER: MOVE}
"""The usual body of each POST route."""


def post(desk: Desk, route: str, key: str | None = None, **members: Any) -> HttpResponse:
    """POST the usual body with some members changed; a member set to ... is left out."""
    body = {name: value for name, value in (USUAL[route] | members).items() if value is not ...}
    headers = {"idempotency-key": key} if key else None
    return desk.send("POST", route, body=json.dumps(body).encode(), headers=headers)


def posted(desk: Desk, route: str, **members: Any) -> dict[str, Any]:
    """POST what must be carried out; return the answer's data."""
    return data_of(post(desk, route, **members))


def data_of(response: HttpResponse) -> dict[str, Any]:
    assert response.status in (200, 201), response.body
    data: dict[str, Any] = json.loads(response.body)["data"]
    return data


def balances(desk: Desk, customer: str = "ann", **query: str) -> list[dict[str, Any]]:
    answer = data_of(desk.get(BALANCES, query, customerRef=customer))
    assert list(answer) == ["customerRef", "balances"]
    assert answer["customerRef"] == customer
    rows: list[dict[str, Any]] = answer["balances"]
    return rows


def balance(desk: Desk, customer: str = "ann", token: str = BASE) -> dict[str, Any]:
    return data_of(desk.get(ONE_BALANCE, customerRef=customer, tokenAddress=token))


def transactions(desk: Desk, **query: str) -> tuple[list[dict[str, Any]], int]:
    """Return the rows of a page and the total."""
    answer = data_of(desk.get(TRANSACTIONS, query))
    assert list(answer) == ["transactions", "total"]
    return answer["transactions"], answer["total"]
