"""A small venue for tests: one instance, its books and customers, and a stream that can be delivered at will.

The stream is made of the inbox rows as they are stored, in the order in which they were admitted; a test decides
when, how often and in which pieces the matcher sees them.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any

from chalicelib.admission import Admission, Admitted
from chalicelib.clock import new_id
from chalicelib.core.book import Book
from chalicelib.core.config import BookConfig, OrderRequest, Refusal
from chalicelib.core.journal import Head, head_of, replay, verify
from chalicelib.core.vocabulary import OrderType, Side, TimeInForce
from chalicelib.matcher import Matcher
from chalicelib.stores import inbox
from chalicelib.stores.accounts import Accounts, Transaction, TransactionType
from chalicelib.stores.books import Books
from chalicelib.stores.dynamodb import Database, Row, encode
from chalicelib.stores.fills import Fills
from chalicelib.stores.journal import Journal
from chalicelib.stores.keys import book_key, customer_key
from chalicelib.stores.orders import OrderRow, Orders
from chalicelib.stores.tenants import Tenants
from chalicelib.stream import match_records

BASE, QUOTE = "0x" + "b" * 40, "0x" + "c" * 40
INSTANCE = "inst_test0001"
BOOK_ID = "ob_test"
NOW_MS = 1_736_937_000_000
Record = dict[str, Any]


class Venue:
    """One book and what stands in the tables about it, wherever they are."""

    def __init__(self, database: Database, config: BookConfig) -> None:
        self.database = database
        self.config = config
        self.book = book_key(config.instance, config.book_id)
        self.accounts = Accounts(database)
        self.books = Books(database)
        self.orders = Orders(database)
        self.fills = Fills(database)
        self.journal = Journal(database)

    def order(self, customer: str, order_id: str) -> OrderRow:
        row = self.orders.get(customer_key(self.config.instance, customer), order_id)
        assert row is not None
        return row

    def balance(self, customer: str, asset: str) -> tuple[int, int]:
        """Return (available, held) of a customer."""
        balance = self.accounts.balance(customer_key(self.config.instance, customer), asset)
        return balance.available, balance.held

    def credit(self, customer: str, asset: str, amount: int) -> None:
        """Credit an account, as the operator does."""
        transaction_id, kind = new_id("txn"), TransactionType.CREDIT
        self.accounts.record(Transaction(transaction_id, kind, self.config.instance, customer, asset, amount))

    def folded(self) -> tuple[Book, Head]:
        """Return the book as its journal alone gives it."""
        book, head = Book(self.config.rules), Head()
        for entry in self.journal.after(self.book, 0):
            verify(entry, head)
            replay(book, entry)
            head = head_of(entry)
        return book, head


class World(Venue):
    """A book of its own, made here, and its stream. Amounts as everywhere: base units."""

    def __init__(self, database: Database, base_decimals: int = 0, **config: Any) -> None:
        chosen = BookConfig(INSTANCE, BOOK_ID, "Test", "B/Q", BASE, QUOTE, base_decimals=base_decimals, **config)
        super().__init__(database, chosen)
        self.admission = Admission(database)
        self.books.create(chosen)
        self.records: list[Record] = []
        self._sequence = count(100)

    def tenants(self) -> Tenants:
        return Tenants(self.database, lambda: NOW_MS // 1000)

    def matcher(self) -> Matcher:
        """Return a matcher that remembers nothing yet, as a new function instance would."""
        return Matcher(self.database, lambda: NOW_MS)

    def place(
        self,
        customer: str,
        side: str,
        quantity: int,
        price: int | None = None,
        time_in_force: str = "GTC",
        post_only: bool = False,
    ) -> Admitted | Refusal:
        """Admit an order (MARKET where there is no price) and put its command on the stream."""
        request = OrderRequest(
            customer,
            Side(side),
            OrderType.MARKET if price is None else OrderType.LIMIT,
            TimeInForce(time_in_force),
            price,
            quantity,
            post_only,
        )
        outcome = self.admission.place(INSTANCE, BOOK_ID, request)
        if isinstance(outcome, Admitted):
            row = self.database.get(inbox.TABLE, {"book": self.book, "command": outcome.order.order_id})
            assert row is not None
            self.records.append(record_of(row, next(self._sequence)))
        return outcome

    def placed(self, *arguments: Any, **more: Any) -> str:
        """Place an order that must be admitted; return its id."""
        outcome = self.place(*arguments, **more)
        assert isinstance(outcome, Admitted), outcome
        return outcome.order.order_id

    def deliver(self, matcher: Matcher | None = None, records: Sequence[Record] | None = None) -> list[str]:
        """Give records (default: all there are) to the matcher; return the sequence numbers it hands back."""
        return match_records(matcher or self.matcher(), self.records if records is None else records)

    def fees(self, asset: str) -> int:
        return self.accounts.balance(f"{INSTANCE}/fees/{BOOK_ID}", asset).available

    def tables(self) -> dict[str, list[Row]]:
        """Return all rows of all tables, for comparisons of before and after."""
        names = ("tenants", "books", "inbox", "journal", "orders", "fills", "accounts", "requests")
        return {name: sorted(self.database.scan(name), key=repr) for name in names}


def record_of(row: Row, sequence: int) -> Record:
    """Return the stream record of an inbox row, in the shape in which a function gets it."""
    return {
        "eventName": "INSERT",
        "dynamodb": {"NewImage": encode(row), "SequenceNumber": f"{sequence:024d}"},
    }


def check_invariants(world: Venue, credited: dict[str, int]) -> None:
    """Assert guarantees 1 to 6 on the tables as they are, every admitted command decided.

    credited: credits less debits, by asset. Raises AssertionError that names the guarantee.
    """
    rows = list(world.database.scan("accounts"))
    balances = [row for row in rows if row["entry"].startswith("balance/") and not row["owner"].endswith("/supply")]
    orders = list(world.database.scan("orders"))
    for asset, amount in credited.items():
        total = sum(row["available"] + row["held"] for row in balances if row["entry"] == f"balance/{asset}")
        assert total == amount, f"1: {asset} has {total}, credited {amount}"
    assert all(row["available"] >= 0 and row["held"] >= 0 for row in balances), "2: an account is negative"

    book, head = world.folded()
    book.check()  # 4: not crossed, levels and holds consistent
    holds: dict[tuple[str, str], int] = {}
    for order in book.open_orders.values():
        key = (customer_key(world.config.instance, order.placed.customer), world.config.asset_held(order.placed.side))
        holds[key] = holds.get(key, 0) + order.hold
    for row in balances:
        held_for_orders = holds.get((row["owner"], row["entry"].removeprefix("balance/")), 0)
        assert row["held"] == held_for_orders, f"2: {row['owner']} holds {row['held']} for {held_for_orders}"

    filled: dict[str, int] = {}
    for fill in world.database.scan("fills"):
        filled[fill["order_id"]] = filled.get(fill["order_id"], 0) + fill["quantity"]
    outcomes: dict[str, int] = {}
    for entry in world.journal.after(world.book, 0):
        for event in entry.events:
            if event["type"] == "accepted":
                order_id = event["order"]["id"]  # type: ignore[index]
                outcomes[order_id] = outcomes.get(order_id, 0) + 1
    for row in orders:
        order_id = row["order_id"]
        assert row["filled"] == filled.get(order_id, 0) <= row["quantity"], f"3: {order_id}"
        assert outcomes.get(order_id) == 1, f"5: {order_id} was decided {outcomes.get(order_id, 0)} times"
        assert ("live" in row) == (order_id in book.open_orders), f"6: {order_id} live?"
        if order_id in book.open_orders:
            assert row["quantity"] - row["filled"] == book.open_orders[order_id].remaining, f"6: {order_id} remaining"
    depth = world.books.depth(world.book)
    assert depth.sequence == head.sequence, "6: the depth view trails the journal"
    assert list(depth.bids) == book.bids.depth(100), "6: bids of the depth view"
    assert list(depth.asks) == book.asks.depth(100), "6: asks of the depth view"


def drop_tables(client: Any) -> None:
    """Drop every table there is: on moto each transaction copies them all."""
    for name in client.list_tables()["TableNames"]:
        client.delete_table(TableName=name)
