"""Statements: the transactions of a customer, or of a whole instance, newest first (T37).

Credits, debits, transfers and movements of the taker and escrow desks have rows of their own. Trades of books and their
fees are read from fills (for a customer) or from the journals of the books (for an instance), lazily. A journal has a
trade a moment before its money moves.

Cost: all rows of the span of time, if the exact total is needed. For a journal, also the entries after the span,
because its keys are sequences.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from heapq import merge
from itertools import groupby

from chalicelib.domain.books.config import BookConfig
from chalicelib.domain.books.fills import Fill
from chalicelib.domain.books.journal import JournalEntry, trade_id
from chalicelib.domain.ledger.amounts import Side
from chalicelib.domain.ledger.owners import book_key, customer_key, transactions_key
from chalicelib.domain.ledger.transactions import MOVEMENTS, TradeFacts, Transaction, TransactionType, transactions_of
from chalicelib.services.books.trades import TradeHistory
from chalicelib.support.consistency import Inconsistent
from chalicelib.support.ids import TIME_MS_MAX
from chalicelib.tables.books import Books
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.fills import PAGE_ROWS, Fills
from chalicelib.tables.transactions import Transactions


@dataclass(frozen=True, slots=True)
class Selection:
    """A filter of transactions; None: all. The span of time (Unix ms) includes both ends."""

    customer: str | None = None
    asset: str | None = None
    kind: TransactionType | None = None
    from_ms: int = 0
    to_ms: int = TIME_MS_MAX

    def has(self, transaction: Transaction) -> bool:
        """Tell whether a row passes the filter, without the customer."""
        is_wanted = self.asset in (None, transaction.asset) and self.kind in (None, transaction.kind)
        return is_wanted and self.from_ms <= transaction.at_ms <= self.to_ms


class Statements:
    def __init__(self, database: Database) -> None:
        self._books = Books(database)
        self._fills = Fills(database)
        self._tape = TradeHistory(database)
        self._transactions = Transactions(database)

    def newest_first(self, instance: str, wanted: Selection) -> Iterator[Transaction]:
        """Yield the transactions that pass the filter, newest first: by id, descending."""
        if wanted.from_ms > wanted.to_ms:
            return iter(())
        whose = transactions_key(instance) if wanted.customer is None else customer_key(instance, wanted.customer)
        sources = [self._transactions.newest_first(whose, wanted.from_ms, wanted.to_ms)]
        if wanted.kind not in MOVEMENTS:
            if wanted.customer is not None:
                sources.append(self.trades_of_customer(instance, wanted.customer, wanted.from_ms, wanted.to_ms))
            else:
                books = self._books.of_instance(instance)
                sources += [self._trades_of_book(book, wanted) for book in books if _concerns(book, wanted)]
        rows = merge(*sources, key=lambda row: row.transaction_id, reverse=True)
        return filter(wanted.has, rows)

    def trades_of_customer(
        self,
        instance: str,
        customer: str,
        from_ms: int,
        to_ms: int,
        page_rows: int = PAGE_ROWS,
        has: Callable[[Fill, str], bool] = lambda _fill, _asset: True,
    ) -> Iterator[Transaction]:
        """Yield the legs of a customer's trades and its own fees, newest first, from its fills.

        Reads ``page_rows`` rows at a time. has: tells whether a leg is wanted, by its fill and its asset.
        """

        @cache
        def book_of(book_id: str) -> BookConfig:
            config = self._books.config(book_key(instance, book_id))
            if config is None:
                raise Inconsistent("a fill names a book that there is")
            return config

        owner = customer_key(instance, customer)
        fills = self._fills.newest_first(owner, page_rows, from_ms=from_ms, to_ms=to_ms)
        for _, halves in groupby(fills, lambda fill: fill.trade_id):
            own = {fill.side: fill for fill in halves}
            fill = next(iter(own.values()))
            legs = transactions_of(_facts_of_fills(customer, own, book_of(fill.book_id)))
            yield from (leg for leg in legs if has(fill, leg.asset))

    def _trades_of_book(self, book: BookConfig, wanted: Selection) -> Iterator[Transaction]:
        """Yield the legs and fees of a book's trades, newest first, from its journal: entries' times never decrease."""
        for entry in self._tape.entries(book_key(book.instance, book.book_id), wanted.from_ms, wanted.to_ms):
            for number in reversed(range(len(entry.events))):
                if entry.events[number]["type"] == "traded":
                    yield from transactions_of(_facts_of_event(book, entry, number))


def _concerns(book: BookConfig, wanted: Selection) -> bool:
    return wanted.asset in (None, book.base_asset, book.quote_asset)


def _facts_of_fills(customer: str, own: Mapping[Side, Fill], book: BookConfig) -> TradeFacts:
    """Return a trade from the customer's fills: one, or both of a self-trade.

    The other side's fee is hidden from the customer: 0.
    """
    fill = next(iter(own.values()))
    other = customer if len(own) > 1 else fill.counterparty
    bought = Side.BUY in own
    return TradeFacts(
        fill.trade_id,
        book.base_asset,
        book.quote_asset,
        buyer=customer if bought else other,
        seller=other if bought else customer,
        quantity=fill.quantity,
        notional=fill.notional,
        buyer_fee=own[Side.BUY].fee if bought else 0,
        seller_fee=own[Side.SELL].fee if Side.SELL in own else 0,
        at_ms=fill.at_ms,
    )


def _facts_of_event(book: BookConfig, entry: JournalEntry, number: int) -> TradeFacts:
    """Return the trade of the entry's event with this number."""
    event = entry.events[number]
    taker_buys = event["takerSide"] == Side.BUY.value
    buyer_fee, seller_fee = ("takerFee", "makerFee") if taker_buys else ("makerFee", "takerFee")
    return TradeFacts(
        trade_id(entry, number),
        book.base_asset,
        book.quote_asset,
        buyer=str(event["buyer"]),
        seller=str(event["seller"]),
        quantity=int(str(event["quantity"])),
        notional=int(str(event["notional"])),
        buyer_fee=int(str(event[buyer_fee])),
        seller_fee=int(str(event[seller_fee])),
        at_ms=entry.at_ms,
    )
