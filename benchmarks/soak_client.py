"""One client process of the soak test: places and cancels orders over HTTP, and records the answers."""

from __future__ import annotations

import http.client
import json
import random
import signal
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier, Event
from typing import Any

DESK = "/orderbooks/stocks/api/offchain"
ANSWER_S_MAX = 30
START_S_MAX = 90
CANCELLABLE_MAX = 30
"""Number of recent orders that a client chooses its cancels from."""
CANCELS, LISTS = 0.3, 0.03
"""Shares of requests of other kinds; the rest place orders."""
BUSY_BOOK = 1 / 3
"""Share of orders sent to the first book in addition to its normal part, so that it grows enough for snapshots."""

EXPECTED = {
    "POST 201",
    "POST 400 INSUFFICIENT_BALANCE",
    "POST 503 SERVICE_UNAVAILABLE",
    "DELETE 200",
    "DELETE 404 ORDER_NOT_FOUND",
    "DELETE 503 CANCEL_PENDING",
    "DELETE 503 SERVICE_UNAVAILABLE",
    "GET 200",
}


@dataclass(frozen=True, slots=True)
class BookFacts:
    """A client's data of a book. price: the centre of its orders' prices, in quote base units for one whole."""

    book_id: str
    base_decimals: int
    price: int


@dataclass(frozen=True, slots=True)
class Load:
    """A client's load. The same load sends the same requests as long as it gets the same answers."""

    address: str
    api_key: str
    books: list[BookFacts]
    customers: list[str]
    seed: str


@dataclass(slots=True)
class Tally:
    """The answers that one client received.

    answers: number by kind. unexpected: answers that no client may get. placed: ids answered with 201. cancelled: ids
    whose cancel was answered with 200.
    """

    answers: Counter[str] = field(default_factory=Counter)
    unexpected: list[str] = field(default_factory=list)
    placed: list[str] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)


class Client:
    def __init__(self, load: Load) -> None:
        self._load = load
        self._draw = random.Random(load.seed)
        self._connection = http.client.HTTPConnection(load.address, timeout=ANSWER_S_MAX)
        self._cancellable: list[tuple[str, str]] = []
        self.tally = Tally()

    def act(self) -> None:
        """Send one request."""
        choice = self._draw.random()
        if choice < CANCELS and self._cancellable:
            self._cancel(*self._cancellable.pop(self._draw.randrange(len(self._cancellable))))
        elif choice > 1 - LISTS:
            self._call("GET", f"{DESK}/customers/{self._draw.choice(self._load.customers)}/orders?limit=20")
        else:
            self._place(self._order())

    def _place(self, order: dict[str, Any]) -> None:
        status, answer = self._call("POST", f"{DESK}/orders", order)
        if status == http.client.CREATED:
            order_id = answer["data"]["id"]
            self.tally.placed.append(order_id)
            self._cancellable.append((order_id, order["customerRef"]))
            del self._cancellable[:-CANCELLABLE_MAX]

    def _cancel(self, order_id: str, customer: str) -> None:
        status, _ = self._call("DELETE", f"{DESK}/orders/{order_id}", {"customerRef": customer})
        if status == http.client.OK:
            self.tally.cancelled.append(order_id)
        elif status == http.client.SERVICE_UNAVAILABLE:
            self._cancellable.append((order_id, customer))

    def _order(self) -> dict[str, Any]:
        """Return an order near its book's price; a third go to the first book."""
        draw = self._draw
        busy_book = draw.random() < BUSY_BOOK
        book = self._load.books[0] if busy_book else draw.choice(self._load.books)
        side = draw.choice(["BUY", "SELL"])
        order: dict[str, Any] = {
            "orderBookId": book.book_id,
            "customerRef": draw.choice(self._load.customers),
            "side": side,
            "quantity": str(draw.randint(1, 5 * 10**book.base_decimals)),
            "timeInForce": draw.choices(["GTC", "IOC", "FOK"], [85, 8, 7])[0],
        }
        if draw.random() < 0.06:
            return order | {"orderType": "MARKET"}
        offset = int(draw.gauss(-1, 4)) * (1 if side == "BUY" else -1)
        post_only = order["timeInForce"] == "GTC" and draw.random() < 0.05
        price = book.price + offset * book.price // 1000
        return order | {"orderType": "LIMIT", "price": str(price), "postOnly": post_only}

    def _call(self, method: str, path: str, body: Mapping[str, object] | None = None) -> tuple[int, Any]:
        """Send a request and count its answer; status 0: no answer."""
        content = None if body is None else json.dumps(body)
        try:
            self._connection.request(method, path, content, {"x-api-key": self._load.api_key})
            response = self._connection.getresponse()
            text = response.read().decode()
            status, answer = response.status, json.loads(text)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self._connection.close()
            status, answer, text = 0, None, repr(error)
        code = f" {answer['error']['code']}" if answer and "error" in answer else ""
        named = f"{method} {status}{code}"
        self.tally.answers[named] += 1
        if named not in EXPECTED:
            self.tally.unexpected.append(f"{method} {path}: {status} {text}")
        return status, answer


def run(load: Load, ready: Barrier, stop: Event, told: Connection) -> None:
    """Send requests until ``stop`` is set, then send the tally. The parent handles Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    client = Client(load)
    ready.wait(START_S_MAX)
    while not stop.is_set():
        client.act()
    told.send(client.tally)
