"""Rebuilding: restore a book's rows from its journal, after a table was damaged or restored to an earlier moment.

The journal has every accepted order, every trade and each change of the book's terms; the inbox has the orders and
amendments that wait for their turn. From both follow the order rows, the amendments under way, the external ids, fills,
candles, expiry rows, the progress of commands in the inbox, the terms in the configuration, and the depth view.
Accounts do not follow: credits, debits, holds and movements of the other desks are in no journal. Entries after the
depth view's are settled again; an account's mark lets each entry through once.

All rows are compared first, then written, each on condition that it is unchanged. A book at work meanwhile keeps its
newer rows; ``BookAtWork`` says that the rebuild must be repeated. Memory: as for ``verify``.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from chalicelib.domain.books.candles import Period
from chalicelib.domain.books.config import BookConfig
from chalicelib.domain.books.journal import BrokenJournal
from chalicelib.domain.books.snapshot import BookState
from chalicelib.domain.books.vocabulary import AmendOrder, CancelAll, PlaceOrder
from chalicelib.domain.ledger.owners import customer_key
from chalicelib.services.books.fold import BookFold, ExpectedRows, RowKey
from chalicelib.services.books.loading import LoadedBook, Loading, UnknownBook
from chalicelib.services.books.stream import deliveries_of
from chalicelib.support.consistency import Inconsistent
from chalicelib.tables.amendments import Amendments
from chalicelib.tables.amendments import row_of as amendment_row
from chalicelib.tables.books import Books
from chalicelib.tables.candles import Candles
from chalicelib.tables.candles import row_of as candle_row
from chalicelib.tables.depth_views import DepthViews, MalformedView
from chalicelib.tables.dynamodb import Database, batched
from chalicelib.tables.expiries import Expiries, Expiry, halt_end
from chalicelib.tables.external_ids import name_row
from chalicelib.tables.fills import Fills, is_row_of, row_of
from chalicelib.tables.inbox import Inbox, Progress, progress_of
from chalicelib.tables.journal import Journal
from chalicelib.tables.order_rows import admitted_row
from chalicelib.tables.orders import OPEN_TABLE, TABLE, Orders
from chalicelib.tables.rows import Row
from chalicelib.tables.writes import ConditionFailed, TransactionRefused

CHUNK_ROWS = 100
"""Rows that are read at a time."""


class BookAtWork(Exception):
    """The book was changed during the rebuild; newer rows were kept. Rebuild again."""


class RowsAhead(Exception):
    """A row shows an entry after the journal's last one: the journal is older than the rows. Nothing was changed."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """Counts of rows that disagreed with the journal and were rewritten.

    entry: the journal's last one. orders: rows of orders, of external ids and of amendments under way. commands: those
    in the inbox whose progress was behind. candles: finished ones. expiries: rows that schedule expiry checks, always
    written again.
    """

    entry: int
    orders: int
    fills: int
    commands: int
    expiries: int
    has_other_terms: bool
    candles: int = 0


@dataclass(slots=True)
class _Differences:
    orders: list[tuple[str, Row | None, Row | None]]
    """Each with its table, as stored (None: missing) and as expected (None: it must go)."""
    fills: list[Row]
    """As expected."""
    earlier_fills: list[Row]
    """Fills in the form of earlier versions, which must go."""


class Rebuilding:
    def __init__(self, database: Database) -> None:
        self._amendments = Amendments(database)
        self._books, self._views = Books(database), DepthViews(database)
        self._candles = Candles(database)
        self._database = database
        self._expiries = Expiries(database)
        self._fills = Fills(database)
        self._inbox = Inbox(database)
        self._journal = Journal(database)
        self._loading = Loading(database, takes_parked=True)
        self._orders = Orders(database)

    def rebuild(self, book: str) -> Rebuilt:
        """Write all rows that follow from the book's journal and inbox. Idempotent.

        Raises UnknownBook, BrokenJournal or RowsAhead (nothing changed), or BookAtWork; LedgerBroken where an account
        lacks what the journal takes from it.
        """
        config = self._books.config(book)
        if config is None:
            raise UnknownBook(book)
        rows = ExpectedRows()
        fold = self._folded(book, config, rows)
        waiting = self._waiting(fold)
        expected = _order_rows(rows, waiting, fold)
        differences = self._differences(rows, expected, fold)
        differences.orders += self._amendment_differences(waiting, fold)
        has_other_terms = self._bring_to_terms(fold)
        self._write_orders(differences.orders)
        self._fills.put_rows(differences.fills)
        self._fills.remove(differences.earlier_fills)
        self._inbox.note_progress(book, waiting.unnoted)
        expiries = list(_expiries(fold, waiting))
        self._expiries.schedule_all(expiries)
        candles = self._rebuild_candles(fold)
        self._project_rest(fold)
        if next(self._journal.after(book, fold.head), None) is not None:
            raise BookAtWork(book)
        return Rebuilt(
            fold.head,
            len(differences.orders),
            len(differences.fills) + len(differences.earlier_fills),
            len(waiting.unnoted),
            len(expiries),
            has_other_terms,
            candles,
        )

    def _folded(self, book: str, config: BookConfig, rows: ExpectedRows) -> BookFold:
        fold = BookFold(book, config, rows=rows)
        try:
            for entry in self._journal.after(book, 0):
                disagreement = fold.fold(entry)
                if disagreement is not None:
                    raise BrokenJournal(str(disagreement))
        except (KeyError, ValueError, TypeError, zlib.error) as error:
            raise BrokenJournal(f"{book} entry after {fold.head} cannot be read: {error!r}") from error
        shown = self._projected(book)
        if shown > fold.head:
            raise self._ahead(fold, f"the depth view shows entry {shown}")
        return fold

    def _projected(self, book: str) -> int:
        """Return the depth view's sequence; 0 if the view cannot be read, and will be written again."""
        try:
            return self._views.of(book).sequence
        except MalformedView:
            return 0

    def _ahead(self, fold: BookFold, what: str) -> RowsAhead | BookAtWork:
        """Return the exception for a row that shows an entry after the folded ones."""
        if next(self._journal.after(fold.key, fold.head), None) is not None:
            return BookAtWork(fold.key)
        return RowsAhead(f"{fold.key}: {what}, the journal ends at {fold.head}")

    def _waiting(self, fold: BookFold) -> _Waiting:
        """Return the waiting commands of the inbox. Malformed ones are skipped, as in matching."""
        waiting = _Waiting([], [], {})
        for row in self._inbox.rows(fold.key):
            for command in (delivery.command for delivery in deliveries_of(row, None)):
                if isinstance(command, PlaceOrder) and command.order_id not in fold.decided:
                    waiting.orders.append(command)
                elif isinstance(command, AmendOrder) and command.command_id not in fold.progress:
                    waiting.amendments.append(command)
                elif isinstance(command, AmendOrder | CancelAll) and command.command_id in fold.progress:
                    reached, _ = fold.progress[command.command_id]
                    if reached != progress_of(row):
                        waiting.unnoted[command.command_id] = reached
        return waiting

    def _differences(self, rows: ExpectedRows, expected: dict[RowKey, tuple[str, Row]], fold: BookFold) -> _Differences:
        """Return the rows that differ from the expected ones. Raises RowsAhead or BookAtWork."""
        found = _Differences([], [], [])
        for chunk in batched(expected.items(), CHUNK_ROWS):
            stored = {table: self._orders.stored(table, [key for key, _ in chunk]) for table in (OPEN_TABLE, TABLE)}
            for table, stored_rows in stored.items():
                for key, (own_table, row) in chunk:
                    stands, should = stored_rows.get(key), row if table == own_table else None
                    if stands is not None and (stands.get("sequence") or 0) > fold.head:
                        raise self._ahead(fold, f"order {key[1]} shows entry {stands['sequence']}")
                    if stands != should:
                        found.orders.append((table, stands, should))
        for fills in batched(rows.fills.items(), CHUNK_ROWS):
            there = self._fills.stored([key for key, _ in fills])
            found.fills += [row_of(row.fills) for key, row in fills if not is_row_of(row.fills, there.get(key))]
            found.earlier_fills += self._fills.in_earlier_form(fill for _, row in fills for fill in row.fills)
        return found

    def _amendment_differences(self, waiting: _Waiting, fold: BookFold) -> Iterator[tuple[str, Row | None, Row | None]]:
        """Yield rows of amendments under way that differ from the expected ones; those of newer amendments stay."""
        instance, book_id = fold.config.instance, fold.config.book_id
        expected: dict[RowKey, Row | None] = dict.fromkeys(fold.amended)
        for command in waiting.amendments:
            owner = customer_key(instance, command.customer)
            expected[owner, command.order_id] = amendment_row(owner, book_id, command)
        known = fold.progress.keys() | {command.command_id for command in waiting.amendments}
        for chunk in batched(expected.items(), CHUNK_ROWS):
            stored = self._amendments.stored(key for key, _ in chunk)
            for key, should in chunk:
                stands = stored.get(key)
                if stands != should and (stands is None or stands.get("id") in known):
                    yield OPEN_TABLE, stands, should

    def _bring_to_terms(self, fold: BookFold) -> bool:
        """Bring the configuration up to the journal's terms; return whether it was behind."""
        before, decided = fold.config, fold.state.book.terms
        if before.version >= decided.version:
            return False
        after = replace(
            before,
            version=decided.version,
            status=decided.status,
            maker_fee_bps=decided.maker_fee_bps,
            taker_fee_bps=decided.taker_fee_bps,
            self_trade_prevention=decided.self_trade_prevention,
            lot_size=decided.lot_size,
            min_order_value=decided.min_order_value,
            **decided.protection._asdict(),
            first=before.first_terms,
        )
        try:
            self._database.transact(self._books.change(before, after), lambda: self._books.config(fold.key) == after)
        except TransactionRefused as error:
            raise BookAtWork(fold.key) from error
        return True

    def _write_orders(self, rows: Sequence[tuple[str, Row | None, Row | None]]) -> None:
        """Write all rows, then delete those that must go: readers always find an order."""
        for table, before, after in sorted(rows, key=lambda row: row[2] is None):
            try:
                self._orders.replace(table, before, after)
            except ConditionFailed as error:
                row = after or before or {}
                raise BookAtWork(f"order {row.get('order_id')} of {row.get('owner')}") from error

    def _rebuild_candles(self, fold: BookFold) -> int:
        """Write the finished candles that are missing, wrong or unreadable; return how many."""
        count = 0
        for period in Period:
            found = {row["start_ms"]: row for row in self._candles.rows(fold.key, period)}
            wrong = [
                (period, candle)
                for start_ms, candle in fold.candles[period].items()
                if found.get(start_ms) != candle_row(fold.key, period, candle)
            ]
            self._candles.put(fold.key, wrong)
            count += len(wrong)
        return count

    def _project_rest(self, fold: BookFold) -> None:
        """Project the entries after the depth view's, and publish the view of the last entry.

        The view is always published: it may be damaged. A view that cannot be read is removed first, and all entries
        are projected again.
        """
        self._views.drop_malformed(fold.key)
        config = self._books.config(fold.key)
        if config is None:
            raise Inconsistent("it was there when this began")
        loaded = LoadedBook(fold.key, config, BookState.empty(config.first_rules, config.first_terms.status))
        self._loading.catch_up(loaded)
        if fold.head and loaded.state.head == fold.state.head:
            loaded.market = fold.market
            self._loading.publish(loaded)


@dataclass(slots=True)
class _Waiting:
    """What waits in the inbox: orders and amendments.

    unnoted: progress of commands, by id, whose rows are behind the journal.
    """

    orders: list[PlaceOrder]
    amendments: list[AmendOrder]
    unnoted: dict[str, Progress]


def _order_rows(rows: ExpectedRows, waiting: _Waiting, fold: BookFold) -> dict[RowKey, tuple[str, Row]]:
    """Return every expected row of orders and external ids, with its table, by key."""
    instance, book_id = fold.config.instance, fold.config.book_id
    expected = {
        key: (OPEN_TABLE if order.is_open else TABLE, order.row(key[0], rows.refused_cancels.get(key)))
        for key, order in rows.orders.items()
    }
    for placed in waiting.orders:
        owner = customer_key(instance, placed.customer)
        expected[owner, placed.order_id] = OPEN_TABLE, admitted_row(owner, book_id, placed)
    for (owner, order_id), (_, row) in list(expected.items()):
        if "external_id" in row:
            name = name_row(owner, row["external_id"], order_id)
            expected[owner, name["order_id"]] = TABLE, name
    return expected


def _expiries(fold: BookFold, waiting: _Waiting) -> Iterator[Expiry]:
    """Yield the expiry row of each live order that expires (R24), and of the book's halt (O12)."""
    until_ms = fold.state.book.halted_until_ms
    if until_ms is not None:
        yield halt_end(fold.key, until_ms)
    for placed in [order.placed for order in fold.state.book.open_orders.values()] + waiting.orders:
        if placed.expires_at_ms is not None:
            owner = customer_key(fold.config.instance, placed.customer)
            yield Expiry(fold.key, owner, placed.order_id, placed.expires_at_ms)
