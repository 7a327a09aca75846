"""The book desk in tests: its client, called as the app calls the desk, over a World; and how its answers are read."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from chalicelib.apis.book.api import BookApi
from chalicelib.apis.book.routes import (
    BALANCES,
    CREDIT,
    DEBIT,
    LIST,
    ONE_BALANCE,
    ONE_ORDER,
    PLACE,
    TOKENS,
    TRANSACTIONS,
    TRANSFER,
)
from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.apis.kit.routing import filled
from chalicelib.services.books.redrive import redrive
from chalicelib.wiring.book import new_book_desk
from tests.recording import nobody
from tests.world import BASE, BOOK_ID, INSTANCE, QUOTE, World

API_KEY = "trusset_test0001_" + "0123456789abcdef" * 4
ORDER = {
    "orderBookId": BOOK_ID,
    "customerRef": "ann",
    "side": "BUY",
    "orderType": "LIMIT",
    "price": "50",
    "quantity": "10",
}
TOKEN = {"tokenAddress": "0x" + "d" * 40, "name": "Gold", "symbol": "XAU"}
CHANGE = {"tokenAddress": BASE, "customerRef": "ann", "amount": "10"}
MOVE = {"tokenAddress": BASE, "fromCustomerRef": "ann", "toCustomerRef": "ben", "amount": "10"}
USUAL = {PLACE: ORDER, TOKENS: TOKEN, CREDIT: CHANGE, DEBIT: CHANGE, TRANSFER: MOVE}
"""The usual body of each POST route."""
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
UUID_4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
RATE_HEADERS = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")


@dataclass
class Desk:
    """Sends requests; ``world`` is what stands behind the desk."""

    world: World
    desk: BookApi

    def send(
        self,
        method: str,
        route: str | None,
        *,
        body: bytes = b"",
        key: str | None = API_KEY,
        headers: dict[str, str] | None = None,
        query: dict[str, list[str]] | None = None,
        **path_parameters: str,
    ) -> HttpResponse:
        sent = {"x-api-key": key} if key is not None else {}
        sent |= headers or {}
        path = filled(route or "/nowhere", path_parameters)
        return self.desk.answer(HttpRequest(method, None, {}, query or {}, sent, body, path))

    def post(
        self, route: str, key: str | None = None, *, headers: dict[str, str] | None = None, **members: Any
    ) -> HttpResponse:
        """POST the usual body of the route with some members changed; a member set to ... is left out.

        key: the Idempotency-Key.
        """
        sent = (headers or {}) | ({"idempotency-key": key} if key else {})
        return self.send("POST", route, body=json_body(USUAL[route] | members), headers=sent)

    def posted(self, route: str, **members: Any) -> dict[str, Any]:
        """POST what must be carried out; return the answer's data."""
        response = self.post(route, **members)
        assert response.status in (200, 201), response.body
        data: dict[str, Any] = answer_of(response)["data"]
        return data

    def place(self, headers: dict[str, str] | None = None, **members: Any) -> HttpResponse:
        return self.post(PLACE, headers=headers, **members)

    def placed(self, **members: Any) -> str:
        """Place an order that must be admitted; return its id."""
        return str(data_of(self.place(**members), 201)["id"])

    def cancel(self, order_id: str, customer: str = "ann", headers: dict[str, str] | None = None) -> HttpResponse:
        body = json.dumps({"customerRef": customer}).encode()
        return self.send("DELETE", ONE_ORDER, body=body, headers=headers, orderId=order_id)

    def get(self, route: str, query: dict[str, str] | None = None, **path_parameters: str) -> HttpResponse:
        return self.send(
            "GET", route, query={name: [value] for name, value in (query or {}).items()}, **path_parameters
        )

    def match(self) -> None:
        """Have everything decided that is in the inbox."""
        nobody(redrive)(self.world.database, self.world.matcher(), self.world.book)

    def list(self, customer: str = "ann", **query: str) -> HttpResponse:
        return self.send("GET", LIST, customerRef=customer, query={name: [value] for name, value in query.items()})

    def rows(self, customer: str = "ann", **query: str) -> list[dict[str, Any]]:
        """Return a customer's orders as the list shows them."""
        rows: list[dict[str, Any]] = data_of(self.list(customer, **query))
        return rows

    def balances(self, customer: str = "ann", **query: str) -> list[dict[str, Any]]:
        answer = data_of(self.get(BALANCES, query, customerRef=customer))
        assert list(answer) == ["customerRef", "balances"]
        assert answer["customerRef"] == customer
        rows: list[dict[str, Any]] = answer["balances"]
        return rows

    def balance(self, customer: str = "ann", token: str = BASE) -> dict[str, Any]:
        shown: dict[str, Any] = data_of(self.get(ONE_BALANCE, customerRef=customer, tokenAddress=token))
        return shown

    def transactions(self, **query: str) -> tuple[list[dict[str, Any]], int]:
        """Return the rows of a page and the total."""
        answer = data_of(self.get(TRANSACTIONS, query))
        assert list(answer) == ["transactions", "total"]
        return answer["transactions"], answer["total"]

    def rested(self, *asks: tuple[int, int], customer: str = "ben") -> list[str]:
        """Rest SELL orders of (quantity, price) and have them decided; return their ids."""
        orders = [
            self.placed(customerRef=customer, side="SELL", quantity=str(quantity), price=str(price))
            for quantity, price in asks
        ]
        self.match()
        return orders


def open_desk(world: World, rate_limit: int = 0, services: frozenset[str] = frozenset({"trading"})) -> Desk:
    """Return the desk of the world's instance, its one key made and ann and ben given 1,000 of both assets."""
    tenants = world.tenants()
    tenants.create_instance(INSTANCE.removeprefix("inst_"), services)
    tenants.add_key(INSTANCE, "key_1", API_KEY, rate_limit)
    for customer in ("ann", "ben"):
        world.credit(customer, BASE, 1000)
        world.credit(customer, QUOTE, 1000)
    return Desk(world, new_book_desk(world.database))


def deactivate(desk: Desk, address: str = BASE) -> Desk:
    """Set a token inactive, as the operator does by hand; return the desk."""
    row = desk.world.database.get("tokens", {"instance": INSTANCE, "entry": f"token/{address}"})
    assert row is not None
    desk.world.database.put_many("tokens", [row | {"is_active": False}])
    return desk


# --- answers -----------------------------------------------------------------------------------------------------


def json_body(members: dict[str, Any]) -> bytes:
    """Return the body with these members; one set to ... is left out."""
    return json.dumps({name: value for name, value in members.items() if value is not ...}).encode()


def answer_of(response: HttpResponse) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(response.body)
    return answer


def data_of(response: HttpResponse, status: int = 200) -> Any:
    assert response.status == status, response.body
    return answer_of(response)["data"]


def outcome_of(response: HttpResponse) -> tuple[int, str | None]:
    """Return the status, and the error code where there is one."""
    return response.status, answer_of(response).get("error", {}).get("code")


def message_of(response: HttpResponse) -> str:
    return str(answer_of(response)["error"]["message"])


def fields_of(response: HttpResponse) -> list[str]:
    """Return the faulty fields of a VALIDATION_ERROR."""
    assert outcome_of(response) == (400, "VALIDATION_ERROR")
    return [detail["field"] for detail in answer_of(response)["error"]["details"]]


def is_id(prefix: str, text: str) -> bool:
    """Whether a text is a prefix and a ULID."""
    return re.fullmatch(f"{prefix}_[0-7][0-9A-HJKMNP-TV-Z]{{25}}", text) is not None


def rate_headers(response: HttpResponse) -> list[str]:
    """Return which of the three rate headers an answer has."""
    return [name for name in RATE_HEADERS if name in response.headers]
