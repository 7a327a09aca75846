"""One client process of the soak test: places and cancels orders over HTTP, and records the answers."""

from __future__ import annotations

import http.client
import json
import random
import signal
import time
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
BATCHES, BATCH_MAX = 0.1, 6
"""Share of placements and of cancels that are for several orders of one customer, and how many at most."""
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
    """A client's load. The same load sends the same requests as long as it gets the same answers.

    orders_per_second: what it places at most in its first paced_s seconds; then as fast as it is answered.
    """

    address: str
    api_key: str
    books: list[BookFacts]
    customers: list[str]
    seed: str
    orders_per_second: float = 0
    paced_s: float = 0


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
        choice, is_batch = self._draw.random(), self._draw.random() < BATCHES
        if choice < CANCELS and self._cancellable:
            order_id, customer = self._cancellable.pop(self._draw.randrange(len(self._cancellable)))
            if is_batch:
                self._cancel_batch(order_id, customer)
            else:
                self._cancel(order_id, customer)
        elif choice > 1 - LISTS:
            self._call("GET", f"{DESK}/customers/{self._draw.choice(self._load.customers)}/orders?limit=20")
        elif is_batch:
            self._place_batch()
        else:
            self._place(self._order())

    def _place(self, order: dict[str, Any]) -> None:
        status, answer = self._call("POST", f"{DESK}/orders", order)
        if status == http.client.CREATED:
            self._note_placed(answer["data"])

    def _place_batch(self) -> None:
        book, customer = self._draw.choice(self._load.books), self._draw.choice(self._load.customers)
        orders = [self._order_near(book) | {"customerRef": customer} for _ in range(1 + self._more())]
        for result in self._call_batch("POST", f"{DESK}/orders/batch", {"orders": orders}, "POST 201"):
            if result["success"]:
                self._note_placed(result["data"])

    def _note_placed(self, order: Mapping[str, str]) -> None:
        self.tally.placed.append(order["id"])
        self._cancellable.append((order["id"], order["customerRef"]))
        del self._cancellable[:-CANCELLABLE_MAX]

    def _cancel(self, order_id: str, customer: str) -> None:
        status, _ = self._call("DELETE", f"{DESK}/orders/{order_id}", {"customerRef": customer})
        if status == http.client.OK:
            self.tally.cancelled.append(order_id)
        elif status == http.client.SERVICE_UNAVAILABLE:
            self._cancellable.append((order_id, customer))

    def _cancel_batch(self, order_id: str, customer: str) -> None:
        """Cancel this order and some more of its customer."""
        more = [one for one in self._cancellable if one[1] == customer][: self._more()]
        self._cancellable = [one for one in self._cancellable if one not in more]
        ids = [order_id, *(name for name, _ in more)]
        body = {"customerRef": customer, "orderIds": ids}
        for name, result in zip(ids, self._call_batch("DELETE", f"{DESK}/orders", body, "DELETE 200"), strict=False):
            if result["success"]:
                self.tally.cancelled.append(name)
            elif result["error"]["code"] != "ORDER_NOT_FOUND":
                self._cancellable.append((name, customer))

    def _more(self) -> int:
        return self._draw.randint(1, BATCH_MAX - 1)

    def _order(self) -> dict[str, Any]:
        """Return an order near its book's price; a third go to the first book."""
        busy_book = self._draw.random() < BUSY_BOOK
        return self._order_near(self._load.books[0] if busy_book else self._draw.choice(self._load.books))

    def _order_near(self, book: BookFacts) -> dict[str, Any]:
        draw = self._draw
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
        status, answer, text = self._send(method, path, body)
        self._count(f"{method} {status}{_fault_of(answer)}", f"{method} {path}: {status} {text}")
        return status, answer

    def _call_batch(self, method: str, path: str, body: Mapping[str, object], success: str) -> list[Any]:
        """Send a batch and return its results, each counted as the answer to a request of its own.

        success: what a result without an error counts as. Other answers are counted as they are, without results.
        """
        status, answer, text = self._send(method, path, body)
        if status not in (http.client.OK, http.client.CREATED):
            self._count(f"{method} {status}{_fault_of(answer)}", f"{method} {path}: {status} {text}")
            return []
        results: list[Any] = answer["data"]["results"]
        for result in results:
            code = _fault_of(result)
            alone = (named for named in EXPECTED if named.startswith(f"{method} ") and named.endswith(code))
            self._count(next(alone, f"{method}{code}") if code else success, f"{method} {path}: {result}")
        return results

    def _send(self, method: str, path: str, body: Mapping[str, object] | None) -> tuple[int, Any, str]:
        """Send a request; return the answer's status, content and text. Status 0: no answer."""
        content = None if body is None else json.dumps(body)
        try:
            self._connection.request(method, path, content, {"x-api-key": self._load.api_key})
            response = self._connection.getresponse()
            text = response.read().decode()
            return response.status, json.loads(text), text
        except (OSError, http.client.HTTPException, ValueError) as error:
            self._connection.close()
            return 0, None, repr(error)

    def _count(self, named: str, told: str) -> None:
        """Count an answer of this kind. told: what it was, for the report, if no client may get it."""
        self.tally.answers[named] += 1
        if named not in EXPECTED:
            self.tally.unexpected.append(told)


def _fault_of(answer: Any) -> str:
    """Return a space and the code of an answer's fault; nothing where there is none."""
    return f" {answer['error']['code']}" if answer and "error" in answer else ""


def run(load: Load, ready: Barrier, stop: Event, told: Connection) -> None:
    """Send requests until ``stop`` is set, then send the tally. The parent handles Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    client = Client(load)
    ready.wait(START_S_MAX)
    began_s = time.monotonic()
    while not stop.is_set():
        client.act()
        if time.monotonic() < began_s + load.paced_s:
            due_s = began_s + len(client.tally.placed) / load.orders_per_second
            stop.wait(max(0.0, due_s - time.monotonic()))
    told.send(client.tally)
