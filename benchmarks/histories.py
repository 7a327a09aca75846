"""Test data for benchmarks: customers with long histories and books with many trades, written in the program's formats.

All prices and quantities have the same length, so rows of one kind have the same size in any history, those of fills
nearly. Ids are as random as in use: fills are compressed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256

from ulid import ULID

from chalicelib.domain.books.book import Book
from chalicelib.domain.books.config import BookConfig
from chalicelib.domain.books.fills import Fill
from chalicelib.domain.books.journal import Head, draft, head_of
from chalicelib.domain.books.matching import place
from chalicelib.domain.books.orders import OrderUpdate, TradeSums
from chalicelib.domain.books.vocabulary import OrderStatus, OrderType, PlaceOrder, TimeInForce
from chalicelib.domain.ledger.amounts import Side
from chalicelib.domain.ledger.owners import book_key, customer_key
from chalicelib.tables import fills, orders
from chalicelib.tables.books import Books
from chalicelib.tables.dynamodb import Database, batched
from chalicelib.tables.journal import Journal
from chalicelib.tables.order_rows import decided_row
from chalicelib.tables.rows import Row
from chalicelib.tables.tenants import Tenants, instance_id
from chalicelib.tables.writes import IsDone, Write

INSTANCE_REF = "bench001"
INSTANCE = instance_id(INSTANCE_REF)
API_KEY = f"trusset_{INSTANCE_REF}_{'0123456789abcdef' * 4}"
BOOK = BookConfig(INSTANCE, "ob_01JHMK1SM0VFDWJZAXWFHFWSTP", "Bench", "B/Q", "0x" + "b" * 40, "0x" + "c" * 40)
ORDER_EVERY_MS = 60_000
PRICE, QUANTITY = 100_500_000_000_000_000_000, 3_000_000_000_000_000_000
COMMANDS_PER_ENTRY = 10


class WithoutTransactions(Database):
    """Writes the parts of a transaction one by one: some engines lack transactions, and nothing else writes here."""

    def transact(self, writes: Sequence[Write], is_done: IsDone | None = None) -> None:  # noqa: ARG002 - none is lost
        for write in writes:
            self.write(write)


def write_venue(database: Database) -> None:
    """Create the instance, its key without a rate limit, and its book."""
    plain = WithoutTransactions(database._client, database._prefix)
    tenants = Tenants(plain, lambda: 0)
    tenants.create_instance(INSTANCE_REF, frozenset({"trading"}))
    tenants.add_key(INSTANCE, "key_1", API_KEY, 0)
    Books(plain).create(BOOK)


def write_history(database: Database, customer: str, past: int, opened: int, newest_ms: int) -> None:
    """Write a customer's filled orders, with one trade each, and open orders spread evenly among them."""
    rows = list(_order_rows(customer, past, opened, newest_ms))
    for table in (orders.OPEN_TABLE, orders.TABLE):
        database.put_many(table, [row for row, is_open in rows if is_open == (table == orders.OPEN_TABLE)])
    database.put_many(fills.TABLE, _fill_rows(customer, past, newest_ms))


def _order_rows(customer: str, past: int, opened: int, newest_ms: int) -> Iterator[tuple[Row, bool]]:
    """Yield the rows, newest first, each with whether it is open: every so many is."""
    every = (past + opened) // opened
    for number in range(past + opened):
        is_open = number % every == 0 and number // every < opened
        yield order_row(customer, _ulid(newest_ms - number * ORDER_EVERY_MS, number), is_open=is_open), is_open


def order_row(customer: str, ulid: ULID, *, is_open: bool) -> Row:
    """Return an order's row as stored after its decision: resting or filled."""
    order = PlaceOrder(f"ord_{ulid}", customer, Side.SELL, OrderType.LIMIT, TimeInForce.GTC, PRICE, QUANTITY, QUANTITY)
    filled = OrderUpdate(OrderStatus.FILLED, QUANTITY, None, TradeSums(PRICE * QUANTITY // 10**18))
    update = OrderUpdate(OrderStatus.OPEN, 0, None) if is_open else filled
    owner = customer_key(INSTANCE, customer)
    return decided_row(owner, BOOK.book_id, order, update, 123_456, ulid.milliseconds + 250)


def _fill_rows(customer: str, count: int, newest_ms: int) -> Iterator[Row]:
    for number in range(count):
        ulid = _ulid(newest_ms - number * ORDER_EVERY_MS, number)
        fill = Fill(
            owner=customer_key(INSTANCE, customer),
            trade_id=f"trade_{ulid}",
            order_id=f"ord_{ulid}",
            book_id=BOOK.book_id,
            side=Side.SELL,
            is_maker=True,
            order_type=OrderType.LIMIT,
            other_order_id=f"ord_{_ulid(newest_ms, number)}",
            counterparty="cust_000000",
            price=PRICE,
            quantity=QUANTITY,
            notional=PRICE * QUANTITY // 10**18,
            fee=0,
            sequence=123_456,
            at_ms=ulid.milliseconds + 250,
        )
        yield fills.row_of([fill])


def write_trades(database: Database, commands: Sequence[PlaceOrder], at_ms: int) -> None:
    """Write the book's journal for these commands, in batches."""
    journal, book, head = Journal(database), Book(BOOK.first_rules), Head()
    key = book_key(INSTANCE, BOOK.book_id)
    for chunk in batched(commands, COMMANDS_PER_ENTRY):
        events = [event for order in chunk for event in place(book, order, at_ms)]
        for entry in draft(key, head, at_ms, head.sequence + 1, events):
            journal.append([entry])
            head = head_of(entry)


def _ulid(at_ms: int, number: int) -> ULID:
    return ULID.from_bytes(at_ms.to_bytes(6, "big") + sha256(number.to_bytes(10, "big")).digest()[:10])
