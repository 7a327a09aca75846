"""A book desk for tests, called as the app calls it, over a World."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from chalicelib.apis.book.api import BookApi
from chalicelib.apis.book.routes import LIST, ONE_ORDER, PLACE
from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.apis.kit.routing import filled
from chalicelib.desks.book import new_book_desk
from chalicelib.services.books.redrive import redrive
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

    def place(self, headers: dict[str, str] | None = None, **members: Any) -> HttpResponse:
        """POST the usual order with some members changed; a member set to ... is left out."""
        body = {name: value for name, value in (ORDER | members).items() if value is not ...}
        return self.send("POST", PLACE, body=json.dumps(body).encode(), headers=headers)

    def placed(self, **members: Any) -> str:
        """Place an order that must be admitted; return its id."""
        response = self.place(**members)
        assert response.status == 201, response.body
        return str(json.loads(response.body)["data"]["id"])

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
        response = self.list(customer, **query)
        assert response.status == 200, response.body
        rows: list[dict[str, Any]] = json.loads(response.body)["data"]
        return rows


def open_desk(world: World, rate_limit: int = 0, services: frozenset[str] = frozenset({"trading"})) -> Desk:
    """Return the desk of the world's instance, its one key made and ann and ben given 1,000 of both assets."""
    tenants = world.tenants()
    tenants.create_instance(INSTANCE.removeprefix("inst_"), services)
    tenants.add_key(INSTANCE, "key_1", API_KEY, rate_limit)
    for customer in ("ann", "ben"):
        world.credit(customer, BASE, 1000)
        world.credit(customer, QUOTE, 1000)
    return Desk(world, new_book_desk(world.database))


def code_of(response: HttpResponse) -> tuple[int, str]:
    """Return the status and the error code of a failure."""
    return response.status, json.loads(response.body)["error"]["code"]


def fields_of(response: HttpResponse) -> list[str]:
    """Return the faulty fields of a VALIDATION_ERROR."""
    assert code_of(response) == (400, "VALIDATION_ERROR")
    return [detail["field"] for detail in json.loads(response.body)["error"]["details"]]
