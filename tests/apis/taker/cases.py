"""How an answer is read, and the orders that the examples speak of."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any
from weakref import WeakKeyDictionary

from chalicelib.apis.kit.http import HttpResponse
from chalicelib.tables.dynamodb import Database
from tests.apis.taker.desk import Desk, data_of

Outcome = int | tuple[int, int]
"""200, or status and code of a failure."""

INVALID: Outcome = (400, 400001)
NO_FUNDS: Outcome = (400, 400)
NO_KEY: Outcome = (401, 10010012)
KEY_UNKNOWN: Outcome = (401, 10010009)
KEY_ENDED: Outcome = (401, 10010010)
BAD_TIME: Outcome = (401, 10010011)
BAD_SIGNATURE: Outcome = (401, 10010008)
NO_SESSION: Outcome = (401, 401)
FORBIDDEN: Outcome = (403, 403)
NOT_FOUND: Outcome = (404, 404)
CONFLICT: Outcome = (409, 409)
TOO_MANY: Outcome = (429, 429)
BROKEN: Outcome = (500, 500)

UNKNOWN_HASH = "0x" + "0f" * 32
LIST, AVAILABLE, FILLS = "/takers/orders", "/orders/available", "/orders/filled"
SINGLE = [
    "id", "maker", "principal", "is_buy", "ticker", "exchange", "asset", "price", "quantity", "incentive", "deadline",
    "nonce", "signature", "order_hash", "status", "filled_quantity", "notes", "created_at", "updated_at",
]  # fmt: skip
"""The members of the single object, in the order of its example."""
TX_HASH = "0x" + "ab" * 32
PAGE = ["total", "page", "page_size", "total_pages"]
"""The members of a page, in front of its rows."""
FILL = [
    "id", "order_id", "order_hash", "taker", "fill_quantity", "fill_amount", "fee_amount", "incentive_amount", "status",
    "reference_id", "created_at",
]  # fmt: skip
"""The members that all objects of a fill begin with."""
SMALL = {"price": str(10**18), "quantity": "1000", "incentive": "100"}
"""A thousand base units that cost one base unit each; a tenth on top."""

_nonces: WeakKeyDictionary[Database, Iterator[int]] = WeakKeyDictionary()
"""Each desk's own, so that desks of many tests have the same orders, whose signatures are reckoned once."""


def outcome_of(response: HttpResponse) -> Outcome:
    answer = json.loads(response.body)
    return 200 if response.status == 200 else (response.status, answer["code"])


@dataclass(frozen=True)
class HttpClient:
    """The app in front of a desk's tables."""

    http: Any
    desk: Desk

    def request(self, method: str, target: str, body: object = None, headers: dict[str, str] | None = None) -> Any:
        content = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.http.request(method, target, headers=headers or {}, body=content)

    def as_taker(self, method: str, target: str, body: object = None) -> Any:
        return self.request(method, target, body, {"X-API-Key": self.desk.api_key})

    def outcome(self, method: str, target: str, body: object = None, headers: dict[str, str] | None = None) -> Outcome:
        return read(self.request(method, target, body, headers))


def read(response: Any) -> Outcome:
    """Return 200, or status and code of a failure, of an answer over HTTP."""
    return 200 if response.status_code == 200 else (response.status_code, json.loads(response.body)["code"])


def message_of(response: HttpResponse) -> str:
    return str(json.loads(response.body)["message"])


def moment(at_s: int) -> str:
    """Return a time as it is answered."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at_s))


def order_body(desk: Desk, **members: Any) -> dict[str, Any]:
    """Return a small order with some members changed, signed by the desk's maker; its nonce is a new one.

    A member set to ... is left out, once the order is signed with its usual value.
    """
    changed = {name: value for name, value in members.items() if value is not ...}
    body = desk.order_body(**(SMALL | {"nonce": next(_nonces.setdefault(desk.database, count(1000)))} | changed))
    return body | {"order": {name: value for name, value in body["order"].items() if members.get(name) is not ...}}


def new_order(desk: Desk, **members: Any) -> str:
    """Create a small order with some members changed, which must succeed; return its hash."""
    return str(data_of(desk.maker_post("/orders", order_body(desk, **members)))["order_hash"])


def locked(desk: Desk, **members: Any) -> str:
    """Return the hash of a new order that the desk's taker has locked."""
    order_hash = new_order(desk, **members)
    data_of(desk.lock(order_hash))
    return order_hash


def partly_filled(desk: Desk, quantity: int = 400, **members: Any) -> str:
    """Return the hash of a new order that the desk's taker has locked and filled in part."""
    order_hash = locked(desk, **members)
    data_of(desk.fill(order_hash, quantity))
    return order_hash


def single(desk: Desk, order_hash: str) -> dict[str, Any]:
    """Return an order as its taker sees it."""
    found: dict[str, Any] = data_of(desk.seen(order_hash))
    return found


def of_maker(desk: Desk, order_hash: str) -> dict[str, Any]:
    """Return an order as its maker sees it."""
    (found,) = data_of(desk.maker_get("/orders", {"order_hash": order_hash}))["orders"]
    return dict(found)


def status_of(desk: Desk, order_hash: str) -> str:
    """Return an order's effective status."""
    return str(of_maker(desk, order_hash)["status"])


def listed(desk: Desk, query: str | dict[str, Any] = "") -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = data_of(desk.get(LIST, query))["orders"]
    return rows


def listed_hashes(desk: Desk, query: str | dict[str, Any] = "") -> list[str]:
    return [row["order_hash"] for row in listed(desk, query)]


def id_of(desk: Desk, order_hash: str) -> str:
    return str(of_maker(desk, order_hash)["id"])


def totals(desk: Desk) -> dict[tuple[str, str], int]:
    """Return what there is of each asset of each instance, over all accounts, the desk's fees included.

    It must not change but by credits and debits.
    """
    found: dict[tuple[str, str], int] = {}
    for row in desk.database.scan("accounts"):
        instance, _, whose = row["owner"].partition("/")
        if row["entry"].startswith("balance/") and whose != "supply":
            asset = row["entry"].removeprefix("balance/")
            found[instance, asset] = found.get((instance, asset), 0) + row["available"] + row.get("held", 0)
    return found


@contextmanager
def nothing_changes(desk: Desk) -> Iterator[None]:
    """Fail where any row of any table is another one afterwards; requests that were counted are no change."""
    before = desk.tables()
    yield
    assert desk.tables() == before
