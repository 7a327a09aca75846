"""How a row of a table becomes a test case, and how an answer is read."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from chalicelib.apis.kit.http import HttpResponse
from tests.apis.book.desk import Desk

if TYPE_CHECKING:
    pass

UUID_4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_ULID = r"[0-7][0-9A-HJKMNP-TV-Z]{25}"


def is_id(prefix: str, text: str) -> bool:
    return re.fullmatch(f"{prefix}_{_ULID}", text) is not None


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


def json_body(members: dict[str, Any]) -> bytes:
    """Return the body with these members; one set to ... is left out."""
    return json.dumps({name: value for name, value in members.items() if value is not ...}).encode()


def rate_headers(response: HttpResponse) -> list[str]:
    """Return which of the three rate headers an answer has."""
    names = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
    return [name for name in names if name in response.headers]


def listed(desk: Desk, customer: str = "ann", **query: str) -> list[dict[str, Any]]:
    """Return a customer's orders as the list shows them."""
    rows: list[dict[str, Any]] = data_of(desk.list(customer, **query))
    return rows


def rested(desk: Desk, *asks: tuple[int, int], customer: str = "ben") -> list[str]:
    """Rest SELL orders of (quantity, price) and have them decided; return their ids."""
    orders = [
        desk.placed(customerRef=customer, side="SELL", quantity=str(quantity), price=str(price))
        for quantity, price in asks
    ]
    desk.match()
    return orders
