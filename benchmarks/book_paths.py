"""Orders of the book desk through their life cycles, over a metered database; the trade desk's go the same way.

The program's own code runs; only the HTTP client is left out. The book has resting orders at 100 price levels a side.
Sizes are typical: 18-digit amounts, generated ids, customer references of eleven characters.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Sequence
from itertools import cycle
from typing import Any

from benchmarks.counting import Counting, Path, stored_bytes
from chalicelib.apis.book.routes import BATCH, PLACE
from chalicelib.apis.kit.http import HttpRequest
from chalicelib.domain.books.admission import OrderRequest
from chalicelib.domain.books.config import BookConfig
from chalicelib.domain.books.vocabulary import OrderType, TimeInForce
from chalicelib.domain.ledger.amounts import Side
from chalicelib.domain.ledger.owners import book_key
from chalicelib.domain.ledger.tokens import new_token
from chalicelib.domain.ledger.transactions import Movement
from chalicelib.services.books.admission import Admission, Admitted
from chalicelib.services.books.matcher import Matcher
from chalicelib.services.books.stream import match_records
from chalicelib.services.ledger.movements import Movements
from chalicelib.support.clock import new_id, now_ms, now_s
from chalicelib.tables import inbox
from chalicelib.tables.books import Books
from chalicelib.tables.dynamodb import Database, batched
from chalicelib.tables.rows import Row, encode
from chalicelib.tables.tenants import Tenants, instance_id
from chalicelib.tables.tokens import Tokens
from chalicelib.wiring.book import new_book_desk

INSTANCE_REF = "bench001"
INSTANCE = instance_id(INSTANCE_REF)
API_KEY = f"trusset_{INSTANCE_REF}_{'0123456789abcdef' * 4}"
BASE, QUOTE = ("0x" + letter * 40 for letter in "bc")
BOOK = BookConfig(INSTANCE, "ob_01JHMK1SM0VFDWJZAXWFHFWSTP", "Bench", "B/Q", BASE, QUOTE)
UNIT = 10**18
PRICE, QUANTITY = 100 * UNIT, 3 * UNIT
TICK = UNIT // 100
FUNDS = 10**6 * UNIT
LEVELS = 100
"""Price levels on each side of the book beneath the measured orders, as many as its depth view shows."""
LEVELS_OWNER, LARGE_MAKER = "cust_levels", "cust_large0"
CREATED, TEN = 201, 10


def open_venue(database: Database, customers: Iterable[str]) -> None:
    """Create the instance with a rate-limited key, its book, and funded customers."""
    tenants = Tenants(database, now_s)
    tenants.create_instance(INSTANCE_REF, frozenset({"trading"}))
    tenants.add_key(INSTANCE, "key_1", API_KEY, 1_000_000)
    tokens = Tokens(database)
    for address, symbol in ((BASE, "B"), (QUOTE, "Q")):
        tokens.register(INSTANCE, new_token(new_id("tok"), address, symbol, symbol))
    Books(database).create(BOOK)
    movements = Movements(database)
    for customer in customers:
        for asset in (BASE, QUOTE):
            movements.record(Movement(INSTANCE, asset, None, customer, FUNDS))


def order_body(customer: str, side: str, quantity: int = QUANTITY) -> dict[str, str]:
    """Return the body of a request that places an order at PRICE."""
    return {
        "orderBookId": BOOK.book_id, "customerRef": customer, "side": side, "orderType": "LIMIT",
        "price": str(PRICE), "quantity": str(quantity), "timeInForce": "GTC",
    }  # fmt: skip


def customers_of(orders: int) -> list[str]:
    return [f"cust_{number:06d}" for number in range(orders)]


class Venue:
    """Places orders at the desk, and passes the inbox to one matcher, as the stream would.

    plain: the same tables as ``served``, for what is not measured.
    """

    def __init__(self, plain: Database, served: Database) -> None:
        self._plain = plain
        self._desk = new_book_desk(served)
        self._matcher = Matcher(served, now_ms)
        self._delivered: set[str] = set()

    def rest_levels(self, levels: int) -> None:
        """Bring one order to rest at each price level around PRICE, of a random quantity, as real ones are."""
        admission, draw = Admission(self._plain), random.Random(levels)
        for number in range(1, levels + 1):
            for side, price in ((Side.SELL, PRICE + number * TICK), (Side.BUY, PRICE - number * TICK)):
                quantity = draw.randrange(UNIT, 10 * UNIT)
                order = OrderRequest(LEVELS_OWNER, side, OrderType.LIMIT, TimeInForce.GTC, price, quantity)
                assert isinstance(admission.place(INSTANCE, BOOK.book_id, order), Admitted)
        self.match(self.records(), 2 * levels)

    def place(self, customer: str, side: str, quantity: int = QUANTITY) -> str:
        """Place an order that must be admitted. Return its id."""
        return str(self._post(PLACE, order_body(customer, side, quantity))["id"])

    def place_batch(self, customer: str, side: str, orders: int) -> None:
        """Place orders in one request, all of which must be admitted."""
        data = self._post(BATCH, {"orders": [order_body(customer, side)] * orders})
        assert all(result["success"] for result in data["results"]), data

    def _post(self, path: str, body: object) -> Any:
        headers = {"x-api-key": API_KEY, "content-type": "application/json"}
        response = self._desk.answer(HttpRequest("POST", None, {}, {}, headers, json.dumps(body).encode(), path))
        assert response.status == CREATED, response.body
        return json.loads(response.body)["data"]

    def place_pairs(self, customers: Sequence[str], orders: int) -> None:
        """Place orders in pairs: one sells, the next buys all of it. The customers take turns."""
        for _, customer, side in zip(range(orders), cycle(customers), cycle(("SELL", "BUY")), strict=False):
            self.place(customer, side)

    def records(self) -> list[Row]:
        """Return undelivered inbox rows as stream records; this read is not measured."""
        values = {":book": book_key(INSTANCE, BOOK.book_id)}
        rows = [
            row
            for row in self._plain.query(inbox.TABLE, "#book = :book", values)
            if row["command"] not in self._delivered
        ]
        first = len(self._delivered) + 1
        self._delivered |= {row["command"] for row in rows}
        return [
            {"eventName": "INSERT", "dynamodb": {"NewImage": encode(row), "SequenceNumber": f"{number:021d}"}}
            for number, row in enumerate(rows, first)
        ]

    def match(self, records: list[Row], batch: int) -> None:
        for some in batched(records, batch):
            assert match_records(self._matcher, some) == []


def new_venue(plain: Database, served: Database, customers: Iterable[str], levels: int) -> Venue:
    """Open a venue and bring the levels of its book to rest."""
    open_venue(plain, [*customers, LEVELS_OWNER])
    venue = Venue(plain, served)
    venue.rest_levels(levels)
    return venue


def one_to_one(
    database: Database, name: str, orders: int, batch: int, customers: int | None = None, levels: int = LEVELS
) -> Path:
    """Orders in pairs that trade with each other. customers: take turns; None: each order is another's."""
    counting, names = Counting(database), customers_of(customers or orders)
    venue = new_venue(database, counting.database, names, levels)
    before = stored_bytes(database)
    admitted = counting.step("admission", orders, lambda: venue.place_pairs(names, orders))
    records = venue.records()
    matched = counting.step("matching", orders, lambda: venue.match(records, batch))
    return Path(name, 1, (admitted, matched), counting.stored_bytes(orders, before), 1 / batch)


def one_to_one_in_tens(database: Database, name: str, orders: int, batch: int, levels: int = LEVELS) -> Path:
    """Ten orders of one customer in a request, then ten of the next one, which trade with them one to one.

    orders: a multiple of 20. batch: commands given to the matcher at a time, ten to a record.
    """
    counting, names = Counting(database), customers_of(orders // TEN)
    venue = new_venue(database, counting.database, names, levels)
    before = stored_bytes(database)

    def place() -> None:
        for customer, side in zip(names, cycle(("SELL", "BUY")), strict=False):
            venue.place_batch(customer, side, TEN)

    admitted = counting.step("admission", orders, place)
    records = venue.records()
    matched = counting.step("matching", orders, lambda: venue.match(records, batch // TEN))
    return Path(name, 1 / TEN, (admitted, matched), counting.stored_bytes(orders, before), 1 / batch)


def takers_against_one_maker(database: Database, name: str, orders: int, batch: int, levels: int = LEVELS) -> Path:
    """Orders of as many takers, all filled by one resting order. That order's own admission is left out."""
    counting, names = Counting(database), customers_of(orders)
    venue = new_venue(database, counting.database, [*names, LARGE_MAKER], levels)
    venue.place(LARGE_MAKER, "SELL", orders * QUANTITY)
    venue.match(venue.records(), 1)
    before = stored_bytes(database)

    def place() -> None:
        for customer in names:
            venue.place(customer, "BUY")

    admitted = counting.step("admission", orders, place)
    records = venue.records()
    matched = counting.step("matching", orders, lambda: venue.match(records, batch))
    return Path(name, 1, (admitted, matched), counting.stored_bytes(orders, before), 1 / batch)


def rest_and_cancel(database: Database, name: str, orders: int, batch: int, levels: int = LEVELS) -> Path:
    """Orders that come to rest and are cancelled."""
    counting, names = Counting(database), customers_of(orders)
    venue, admission = new_venue(database, counting.database, names, levels), Admission(counting.database)
    before = stored_bytes(database)
    ids: dict[str, str] = {}

    def place() -> None:
        ids.update((customer, venue.place(customer, "SELL")) for customer in names)

    def cancel() -> None:
        for customer, order_id in ids.items():
            assert admission.cancel(INSTANCE, customer, order_id)

    admitted = counting.step("admission", orders, place)
    arrived = venue.records()
    rested = counting.step("matching", orders, lambda: venue.match(arrived, batch))
    asked = counting.step("cancel", orders, cancel)
    cancels = venue.records()
    closed = counting.step("matching the cancel", orders, lambda: venue.match(cancels, batch))
    return Path(name, 2, (admitted, rested, asked, closed), counting.stored_bytes(orders, before), 2 / batch)
