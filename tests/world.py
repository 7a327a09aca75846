"""A small venue for tests: one instance, its books and customers, and a stream that can be delivered at will.

The stream is made of the inbox rows as they are stored, in the order in which they were admitted; a test decides
when, how often and in which pieces the matcher sees them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from chalicelib.domain.books.admission import OrderRequest, Refusal
from chalicelib.domain.books.book import Book
from chalicelib.domain.books.commands import Step
from chalicelib.domain.books.config import BookConfig
from chalicelib.domain.books.orders import OrderRow
from chalicelib.domain.books.snapshot import BookState
from chalicelib.domain.books.vocabulary import BookStatus, Command, OrderType, TimeInForce
from chalicelib.domain.ledger.amounts import Side
from chalicelib.domain.ledger.owners import book_key, customer_key
from chalicelib.domain.ledger.tokens import new_token
from chalicelib.domain.ledger.transactions import Movement
from chalicelib.services.books import deciding
from chalicelib.services.books.admission import Admission, Admitted, Outcome
from chalicelib.services.books.amending import Amending, NewTerms, Queued, Unchanged
from chalicelib.services.books.configuring import Configuring
from chalicelib.services.books.matcher import Matcher
from chalicelib.services.books.stream import match_records
from chalicelib.services.ledger.movements import Movements
from chalicelib.support.clock import new_id
from chalicelib.tables import inbox
from chalicelib.tables.accounts import Accounts
from chalicelib.tables.batch_failures import FailedBatches
from chalicelib.tables.books import Books
from chalicelib.tables.depth_views import DepthViews
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.external_ids import is_name
from chalicelib.tables.fills import Fills
from chalicelib.tables.inbox import Inbox, Progress
from chalicelib.tables.journal import Journal
from chalicelib.tables.orders import Orders
from chalicelib.tables.rows import Row, encode
from chalicelib.tables.tenants import Tenants
from chalicelib.tables.tokens import Tokens
from tests.ordering import in_order

if TYPE_CHECKING:
    import pytest

BASE, QUOTE = "0x" + "b" * 40, "0x" + "c" * 40
INSTANCE = "inst_test0001"
BOOK_ID = "ob_test"
NOW_MS = 1_736_937_000_000
FIRST_SEQUENCE = 100
TABLES = (
    "tenants",
    "tokens",
    "books",
    "inbox",
    "journal",
    "open-orders",
    "orders",
    "fills",
    "accounts",
    "requests",
    "expiries",
    "candles",
)
Record = dict[str, Any]


class Venue:
    """One book and what stands in the tables about it, wherever they are."""

    def __init__(self, database: Database, config: BookConfig) -> None:
        self.database = database
        self.config = config
        self.book = book_key(config.instance, config.book_id)
        self.accounts = Accounts(database)
        self.books = Books(database)
        self.views = DepthViews(database)
        self.failed_batches = FailedBatches(database)
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
        self.move(None, customer, asset, amount)

    def move(self, source: str | None, target: str | None, asset: str, amount: int, **more: Any) -> str:
        """Credit (no source), debit (no target) or transfer; return the transaction's id."""
        movement = Movement(self.config.instance, asset, source, target, amount, **more)
        return Movements(self.database).record(movement).transaction_id

    def order_rows(self) -> list[Row]:
        """Return the rows of all orders as they are stored, the open ones first."""
        return [*self.orders.open_rows(), *(row for row in self.orders.rows() if not is_name(row))]

    def orders_as_read(self) -> list[Row]:
        """Return one row for each order: the open one where a close is half done."""
        return list({row["order_id"]: row for row in self.order_rows()[::-1]}.values())

    def inbox_rows(self) -> list[Row]:
        """Return the book's commands as they are stored, in order of arrival."""
        return sorted(self.database.query(inbox.TABLE, "#book = :book", {":book": self.book}), key=_arrival)

    def cancel_alls(self) -> list[tuple[int | None, int | None, int | None]]:
        """Return how far each cancel-all is by its row: the entries of its turn and of its end, how many it closed."""
        rows = [row for row in self.inbox_rows() if row["kind"] == "cancel_all"]
        return [(row.get("decided"), row.get("ended"), row.get("closed")) for row in rows]

    def folded(self) -> BookState:
        """Return the book as its journal alone gives it."""
        state = BookState.empty(self.config.first_rules, self.config.first_terms.status)
        for entry in self.journal.after(self.book, 0):
            state.fold(entry)
        return state


class World(Venue):
    """A book of its own, made here, and its stream. Amounts as everywhere: base units."""

    def __init__(self, database: Database, base_decimals: int = 0, *, instance: str = INSTANCE, **config: Any) -> None:
        chosen = BookConfig(instance, BOOK_ID, "Test", "B/Q", BASE, QUOTE, base_decimals=base_decimals, **config)
        super().__init__(database, chosen)
        self.admission = Admission(database)
        self.amending = Amending(database)
        self.configuring = Configuring(database)
        register_tokens(database, instance, base_decimals)
        self.books.create(chosen)
        self.records: list[Record] = []
        self.acknowledged = 0
        """How many of the records are through."""
        self.now_ms = self.acknowledged_at_ms = NOW_MS
        """The time that matchers have; when all records were through."""
        self._streamed: set[str] = set()

    def over(self, database: Database) -> World:
        """Return the same world over a copy of its tables, or through another client."""
        other = copy(self)
        Venue.__init__(other, database, self.config)
        other.admission = Admission(database)
        other.amending = Amending(database)
        other.configuring = Configuring(database)
        other.records, other._streamed = list(self.records), set(self._streamed)
        return other

    def tenants(self) -> Tenants:
        return Tenants(self.database, lambda: NOW_MS // 1000)

    def matcher(self) -> Matcher:
        """Return a matcher that remembers nothing yet, as a new function instance would."""
        return Matcher(self.database, lambda: self.now_ms)

    def place(self, *arguments: Any, **more: Any) -> Admitted | Refusal:
        """Admit an order (``asked``) and put its command on the stream."""
        outcome = self.admission.place(self.config.instance, BOOK_ID, asked(*arguments, **more))
        self.stream_new_commands()
        return outcome

    def placed(self, *arguments: Any, **more: Any) -> str:
        """Place an order that must be admitted; return its id."""
        outcome = self.place(*arguments, **more)
        assert isinstance(outcome, Admitted), outcome
        return outcome.order.order_id

    def place_batch(self, *requests: OrderRequest) -> list[Outcome]:
        """Admit orders in one request and put their record on the stream."""
        outcomes = self.admission.place_all(self.config.instance, BOOK_ID, requests)
        self.stream_new_commands()
        return outcomes

    def cancel(self, customer: str, order_id: str) -> bool:
        """Queue the cancel of an order and put its command on the stream; False where there is nothing to cancel."""
        is_queued = self.admission.cancel(self.config.instance, customer, order_id)
        self.stream_new_commands()
        return is_queued

    def amend(
        self, customer: str, order_id: str, price: int | None = None, quantity: int | None = None
    ) -> Queued | Unchanged | Refusal:
        """Admit the amendment of an order and put its command on the stream."""
        outcome = self.amending.amend(self.config.instance, customer, order_id, NewTerms(price, quantity))
        self.stream_new_commands()
        return outcome

    def amended(self, *arguments: Any, **more: Any) -> Queued:
        """Amend an order; the amendment must be admitted."""
        outcome = self.amend(*arguments, **more)
        assert isinstance(outcome, Queued), outcome
        return outcome

    def outcome(self, queued: Queued) -> Progress:
        """Return how far an amendment is, as its row shows."""
        return Inbox(self.database).progress([(queued.book, queued.command_id)])[queued.command_id]

    def cancel_all(self, customer: str) -> str:
        """Queue the cancel of all orders of a customer, put its command on the stream; return its id."""
        command_id = self.admission.cancel_all(INSTANCE, customer, BOOK_ID)
        self.stream_new_commands()
        return command_id

    def change(self, **settings: Any) -> BookConfig | Refusal:
        """Give the book these settings and put its command on the stream."""
        outcome = self.configuring.change(self.config.instance, BOOK_ID, settings)
        self.stream_new_commands()
        return outcome

    def change_status(self, status: BookStatus) -> None:
        assert isinstance(self.change(status=status), BookConfig)

    def stream_new_commands(self) -> None:
        """Put what is in the inbox and not on the stream yet there, in order of arrival."""
        for row in self.inbox_rows():
            if row["command"] not in self._streamed:
                self._streamed.add(row["command"])
                self.records.append(record_of(row, FIRST_SEQUENCE + len(self.records)))

    def forget_commands(self) -> None:
        """Let the inbox and the stream forget every command."""
        keys = [{"book": row["book"], "command": row["command"]} for row in self.database.scan(inbox.TABLE)]
        self.database.delete_many(inbox.TABLE, keys)
        self.records = []

    def deliver(self, matcher: Matcher | None = None, records: Sequence[Record] | None = None) -> list[str]:
        """Give records (default: all there are) to the matcher; return the sequence numbers it hands back."""
        failed = match_records(matcher or self.matcher(), self.records if records is None else records)
        if records is None and not failed:
            self.acknowledged, self.acknowledged_at_ms = len(self.records), self.now_ms
        return failed

    def fees(self, asset: str) -> int:
        return self.accounts.balance(f"{self.config.instance}/fees/{BOOK_ID}", asset).available

    def tables(self) -> dict[str, list[Row]]:
        """Return all rows of all tables, for comparisons of before and after."""
        return {name: in_order(self.database.scan(name)) for name in TABLES}


def asked(
    customer: str,
    side: str,
    quantity: int,
    price: int | None = None,
    time_in_force: str = "GTC",
    post_only: bool = False,
    order_type: OrderType | None = None,
    **more: Any,
) -> OrderRequest:
    """Return an order as asked for: without a type, MARKET where there is no price, else LIMIT."""
    kind = order_type or (OrderType.MARKET if price is None else OrderType.LIMIT)
    return OrderRequest(customer, Side(side), kind, TimeInForce(time_in_force), price, quantity, post_only, **more)


def _arrival(row: Row) -> str:
    """Return what ascends with the time of a command's admission: a cancel's key is its order's."""
    return inbox.arrival_of(row["id"]) if row["kind"] == "cancel" else str(row["command"])


def failing_book(world: World) -> str:
    """Make another book of the instance, one that cannot be matched; return its key."""
    names = {"book_id": "ob_failing", "symbol": "Q/B", "base_asset": QUOTE, "quote_asset": BASE}
    world.books.create(replace(world.config, **names))
    key = book_key(world.config.instance, "ob_failing")
    world.database.put_many("journal", [{"book": key, "sequence": 1, "at_ms": world.now_ms, "hash": "damaged"}])
    return key


def break_core_at(
    command_id: str, monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[], object] = lambda: None
) -> None:
    """Have the matching core raise once it has begun to decide this command. meanwhile: what happens right before."""
    honest = deciding.decide

    def faulty(book: Book, command: Command, at_ms: int) -> Iterator[Step]:
        for step in honest(book, command, at_ms):
            if command.command_id == command_id:
                meanwhile()
                raise ZeroDivisionError
            yield step

    monkeypatch.setattr(deciding, "decide", faulty)


def register_tokens(database: Database, instance: str, base_decimals: int = 18) -> None:
    """Register the two tokens of these tests for an instance."""
    tokens = Tokens(database)
    tokens.register(instance, new_token(new_id("tok"), BASE, "Base", "B", base_decimals))
    tokens.register(instance, new_token(new_id("tok"), QUOTE, "Quote", "Q"))


def record_of(row: Row, sequence: int) -> Record:
    """Return the stream record of an inbox row, in the shape in which a function gets it."""
    return {
        "eventName": "INSERT",
        "dynamodb": {"NewImage": encode(row), "SequenceNumber": f"{sequence:024d}"},
    }


def drop_tables(client: Any) -> None:
    """Drop every table there is: on moto each transaction copies them all."""
    for name in client.list_tables()["TableNames"]:
        client.delete_table(TableName=name)
