"""Exports: transactions, trades, orders and balances of an instance or of a customer, to be added up elsewhere (T99).

Rows come newest first by id, so whoever goes on behind the last id it has misses none and gets none twice, whatever is
added meanwhile. Orders and balances stand under their customers. So those of a whole instance are scans of tables.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from heapq import merge
from itertools import chain, groupby

from chalicelib.domain.books.config import BookConfig
from chalicelib.domain.books.fills import Fill
from chalicelib.domain.books.journal import JournalEntry, trade_id
from chalicelib.domain.books.orders import OrderRow
from chalicelib.domain.ledger.amounts import Side
from chalicelib.domain.ledger.owners import book_key, customer_key, split_owner
from chalicelib.domain.ledger.transactions import Transaction
from chalicelib.services.books.history import History
from chalicelib.services.books.statements import Selection, Statements
from chalicelib.services.books.trades import TradeHistory
from chalicelib.support.ids import TIME_MS_MAX, time_of
from chalicelib.tables.account_rows import AccountRow
from chalicelib.tables.accounts import Accounts
from chalicelib.tables.books import Books
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.external_ids import is_name
from chalicelib.tables.fills import Fills
from chalicelib.tables.order_rows import order_of
from chalicelib.tables.orders import Orders


@dataclass(frozen=True, slots=True)
class Span:
    """What is exported. from_ms, to_ms: both ends included, Unix ms. customer: None for all of the instance.

    after: the id of the last row that the reader has; what follows is older.
    """

    from_ms: int = 0
    to_ms: int = TIME_MS_MAX
    customer: str | None = None
    after: str | None = None

    @property
    def rest(self) -> Span:
        """The span from the time of ``after`` back; rows of that very ms may be known already."""
        return self if self.after is None else replace(self, to_ms=min(self.to_ms, time_of(self.after)))

    def is_behind(self, row_id: str) -> bool:
        return self.after is None or row_id < self.after


@dataclass(frozen=True, slots=True)
class ExportedTrade:
    """A trade. buyer_fee, in base, and seller_fee, in quote: None where the customer's own side alone is read."""

    trade_id: str
    at_ms: int
    book_id: str
    price: int
    quantity: int
    notional: int
    buyer: str
    seller: str
    buyer_fee: int | None
    seller_fee: int | None
    buy_order_id: str
    sell_order_id: str
    taker_side: Side


@dataclass(frozen=True, slots=True)
class ExportedBalance:
    """A customer's balance of an asset. available, held: None of an earlier moment; holds are not kept over time."""

    customer: str
    asset: str
    total: int
    available: int | None = None
    held: int | None = None


class Exports:
    def __init__(self, database: Database) -> None:
        self._accounts = Accounts(database)
        self._books = Books(database)
        self._fills = Fills(database)
        self._history = History(database)
        self._orders = Orders(database)
        self._statements = Statements(database)
        self._tape = TradeHistory(database)

    def transactions(self, instance: str, span: Span) -> Iterator[Transaction]:
        """Yield transactions (T37), newest first."""
        rest = span.rest
        wanted = Selection(span.customer, from_ms=rest.from_ms, to_ms=rest.to_ms)
        rows = self._statements.newest_first(instance, wanted)
        return (row for row in rows if span.is_behind(row.transaction_id))

    def trades(self, instance: str, span: Span) -> Iterator[ExportedTrade]:
        """Yield trades, newest first: of all books from their journals, of a customer from its fills."""
        rest = span.rest
        if rest.from_ms > rest.to_ms:
            return iter(())
        trades: Iterable[ExportedTrade]
        if rest.customer is not None:
            owner = customer_key(instance, rest.customer)
            fills = self._fills.newest_first(owner, from_ms=rest.from_ms, to_ms=rest.to_ms)
            halves = groupby(fills, lambda fill: fill.trade_id)
            trades = (_trade_of_fills(rest.customer, list(of_trade)) for _, of_trade in halves)
        else:
            of_books = (self._trades_of_book(book, rest) for book in self._books.of_instance(instance))
            trades = merge(*of_books, key=lambda trade: trade.trade_id, reverse=True)
        return (trade for trade in trades if span.is_behind(trade.trade_id))

    def _trades_of_book(self, book: BookConfig, span: Span) -> Iterator[ExportedTrade]:
        for entry in self._tape.entries(book_key(book.instance, book.book_id), span.from_ms, span.to_ms):
            for number in reversed(range(len(entry.events))):
                if entry.events[number]["type"] == "traded":
                    yield _trade_of_event(book.book_id, entry, number)

    def orders(self, instance: str, customer: str, span: Span) -> Iterator[OrderRow]:
        """Yield a customer's orders that were placed in the span, as they are now, newest first."""
        rest = span.rest
        if rest.from_ms > rest.to_ms:
            return iter(())
        rows = self._orders.newest_first(customer_key(instance, customer), from_ms=rest.from_ms, to_ms=rest.to_ms)
        return (row for row in rows if span.is_behind(row.order_id))

    def orders_of_all(self, instance: str, span: Span) -> Iterator[OrderRow]:
        """Yield all orders that were placed in the span, in no order: scans the tables of orders.

        Open ones come first. One that closes meanwhile is shown as it was open, once.
        """
        start, open_ids = f"{instance}/", set[str]()
        closed = (row for row in self._orders.rows() if not is_name(row) and row["order_id"] not in open_ids)
        for row in chain(self._orders.open_rows(), closed):
            if row["owner"].startswith(start) and span.from_ms <= time_of(row["order_id"]) <= span.to_ms:
                order = order_of(row)
                if order.status.is_live:
                    open_ids.add(order.order_id)
                yield order

    def customers(self, instance: str) -> list[str]:
        """Return all customers with an account, by name: scans the table of accounts."""
        names = {
            split_owner(instance, row.owner)[0]
            for row in self._accounts.rows()
            if isinstance(row, AccountRow) and row.owner.startswith(f"{instance}/")
        }
        return sorted(name for name in names if name is not None)

    def balances(self, instance: str, customer: str, at_ms: int | None = None) -> list[ExportedBalance]:
        """Return a customer's balances, by asset: as of now, or of the end of a millisecond.

        Raises HistoryTooLong or Unavailable, for an earlier moment only.
        """
        if at_ms is not None:
            totals = self._history.balances_at(instance, customer, at_ms)
            return [ExportedBalance(customer, asset, totals[asset]) for asset in sorted(totals)]
        balances = self._accounts.balances(customer_key(instance, customer))
        return [ExportedBalance(customer, one.asset, one.total, one.available, one.held) for one in balances]


def _trade_of_event(book_id: str, entry: JournalEntry, number: int) -> ExportedTrade:
    """Return the trade of the entry's event with this number."""
    event = {name: str(value) for name, value in entry.events[number].items()}
    taker_side = Side(event["takerSide"])
    is_buy = taker_side is Side.BUY
    of_buyer, of_seller = ("taker", "maker") if is_buy else ("maker", "taker")
    return ExportedTrade(
        trade_id(entry, number),
        entry.at_ms,
        book_id,
        price=int(event["price"]),
        quantity=int(event["quantity"]),
        notional=int(event["notional"]),
        buyer=event["buyer"],
        seller=event["seller"],
        buyer_fee=int(event[f"{of_buyer}Fee"]),
        seller_fee=int(event[f"{of_seller}Fee"]),
        buy_order_id=event[of_buyer],
        sell_order_id=event[of_seller],
        taker_side=taker_side,
    )


def _trade_of_fills(customer: str, halves: list[Fill]) -> ExportedTrade:
    """Return a trade from a customer's half of it, or from both halves of a trade with itself."""
    own = {fill.side: fill for fill in halves}
    fill = halves[0]
    bought, sold = own.get(Side.BUY), own.get(Side.SELL)
    other_side = Side.SELL if fill.side is Side.BUY else Side.BUY
    return ExportedTrade(
        fill.trade_id,
        fill.at_ms,
        fill.book_id,
        fill.price,
        fill.quantity,
        fill.notional,
        buyer=customer if bought else fill.counterparty,
        seller=customer if sold else fill.counterparty,
        buyer_fee=bought.fee if bought else None,
        seller_fee=sold.fee if sold else None,
        buy_order_id=bought.order_id if bought else fill.other_order_id,
        sell_order_id=sold.order_id if sold else fill.other_order_id,
        taker_side=other_side if fill.is_maker else fill.side,
    )
