"""Bring back what a book's rows lack of its journal: after a table was restored to an earlier moment, or damaged.

The journal tells of every accepted order, of every trade, and of each change of the book's terms; the inbox of orders
and cancels that wait for their turn. So order rows, the names that orders have, fills, candles, looks at orders that
expire, what the inbox notes of cancel-alls, the terms in the configuration and the depth view can all be worked out
again. Accounts cannot: credits, debits, holds and what the other desks moved stand in no journal. What the journal
moved after the depth view's entry is settled again, for which an account's marks let each entry through once.

Everything is compared first and written then, each row on condition that it is as it was read. A book that is at work
meanwhile keeps its newer rows; ``BookAtWork`` says that it has to be done again. Memory: as for ``verify``.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from chalicelib.domain.books.candles import Period
from chalicelib.domain.books.config import BookConfig
from chalicelib.domain.books.journal import BrokenJournal
from chalicelib.domain.books.snapshot import BookState
from chalicelib.domain.books.vocabulary import CancelAll, CancelOrder, PlaceOrder
from chalicelib.domain.ledger.owners import customer_key
from chalicelib.services.books.fold import BookFold, ExpectedRows, RowKey
from chalicelib.services.books.loading import LoadedBook, Loading, UnknownBook
from chalicelib.services.books.stream import delivery_of
from chalicelib.support.consistency import Inconsistent
from chalicelib.tables.books import Books, MalformedView
from chalicelib.tables.candles import Candles
from chalicelib.tables.candles import row_of as candle_row
from chalicelib.tables.dynamodb import ConditionFailed, Database, Row, TransactionRefused, batched
from chalicelib.tables.expiries import Expiries, Expiry
from chalicelib.tables.external_ids import name_row
from chalicelib.tables.fills import Fills, row_of
from chalicelib.tables.inbox import CancelAllProgress, Inbox, progress_of
from chalicelib.tables.journal import Journal
from chalicelib.tables.orders import Orders, admitted_row

CHUNK_ROWS = 100
"""Rows that are read at a time."""


class BookAtWork(Exception):
    """The book was changed while it was rebuilt; nothing that is newer was overwritten. Done again, it goes on."""


class RowsAhead(Exception):
    """A row shows an entry after the journal's last one: the journal is older than the rows. Nothing was changed."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What was not as the journal gives it, and is now. orders: rows of orders and of their names. entry: the last one.
    cancel_alls: commands in the inbox that did not show how far the journal brought them.

    candles: rows of candles that are over; of those that are not, and of the depth, there is one row.

    looks: rows that have orders looked at because they expire, written again whether they were there or not.
    """

    entry: int
    orders: int
    fills: int
    cancel_alls: int
    looks: int
    has_other_terms: bool
    candles: int = 0


@dataclass(slots=True)
class _Differences:
    orders: list[tuple[Row | None, Row]]
    """Each as it stands there, None where it does not, and as it should."""
    fills: list[Row]


class Rebuilding:
    def __init__(self, database: Database) -> None:
        self._books = Books(database)
        self._candles = Candles(database)
        self._database = database
        self._expiries = Expiries(database)
        self._fills = Fills(database)
        self._inbox = Inbox(database)
        self._journal = Journal(database)
        self._loading = Loading(database, takes_parked=True)
        self._orders = Orders(database)

    def rebuild(self, book: str) -> Rebuilt:
        """Give the book all rows that its journal and its inbox give it; done twice, the second finds nothing to do.

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
        has_other_terms = self._bring_to_terms(fold)
        self._write_orders(differences.orders)
        self._fills.put_rows(differences.fills)
        self._inbox.note_progress(book, waiting.unnoted)
        looks = list(_looks(fold, waiting))
        self._expiries.expect_all(looks)
        candles = self._rebuild_candles(fold)
        self._project_rest(fold)
        if next(self._journal.after(book, fold.head), None) is not None:
            raise BookAtWork(book)
        return Rebuilt(
            fold.head,
            len(differences.orders),
            len(differences.fills),
            len(waiting.unnoted),
            len(looks),
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
        """Return the sequence that the depth view shows; 0 where it cannot be read, and will be made anew."""
        try:
            return self._books.depth(book).sequence
        except MalformedView:
            return 0

    def _ahead(self, fold: BookFold, what: str) -> RowsAhead | BookAtWork:
        """Return what it means that something shows an entry beyond those that were folded."""
        if next(self._journal.after(fold.key, fold.head), None) is not None:
            return BookAtWork(fold.key)
        return RowsAhead(f"{fold.key}: {what}, the journal ends at {fold.head}")

    def _waiting(self, fold: BookFold) -> _Waiting:
        """Return what the inbox tells that the journal does not; what is no command is passed over, as in matching."""
        waiting = _Waiting([], {}, {})
        for row in self._inbox.rows(fold.key):
            delivery = delivery_of(row, None)
            command = None if delivery is None else delivery.command
            if isinstance(command, PlaceOrder) and command.order_id not in fold.decided:
                waiting.orders.append(command)
            elif isinstance(command, CancelOrder):
                key = customer_key(fold.config.instance, command.customer), command.order_id
                waiting.cancels[key] = command.command_id
            elif isinstance(command, CancelAll) and command.command_id in fold.cancel_alls:
                reached, _ = fold.cancel_alls[command.command_id]
                if reached != progress_of(row):
                    waiting.unnoted[command.command_id] = reached
        return waiting

    def _differences(self, rows: ExpectedRows, expected: dict[RowKey, Row], fold: BookFold) -> _Differences:
        """Return the rows that are not as they should be. Raises RowsAhead."""
        found = _Differences([], [])
        for chunk in batched(expected.items(), CHUNK_ROWS):
            stored = self._orders.stored([key for key, _ in chunk])
            for key, row in chunk:
                stands = stored.get(key)
                if stands is not None and (stands.get("sequence") or 0) > fold.head:
                    raise self._ahead(fold, f"order {key[1]} shows entry {stands['sequence']}")
                should = row | ({"cancel": stands["cancel"]} if stands is not None and "cancel" in stands else {})
                if stands != should:
                    found.orders.append((stands, should))
        for fills in batched(rows.fills.items(), CHUNK_ROWS):
            halves = self._fills.stored([key for key, _ in fills])
            found.fills += [should for key, one in fills if halves.get(key) != (should := row_of(one.fill))]
        return found

    def _bring_to_terms(self, fold: BookFold) -> bool:
        """Show the journal's terms in the configuration where that is behind; tell whether it was."""
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
            first=before.first_terms,
        )
        try:
            self._database.transact(self._books.change(before, after), lambda: self._books.config(fold.key) == after)
        except TransactionRefused as error:
            raise BookAtWork(fold.key) from error
        return True

    def _write_orders(self, rows: Sequence[tuple[Row | None, Row]]) -> None:
        for before, after in rows:
            try:
                self._orders.replace(before, after)
            except ConditionFailed as error:
                raise BookAtWork(f"order {after['order_id']} of {after['owner']}") from error

    def _rebuild_candles(self, fold: BookFold) -> int:
        """Write the candles that are over and missing, wrong or unreadable; return how many these were."""
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
        """Settle what the journal moved after the depth view's entry, and publish the view of the last one.

        It is published in any case: the view of an entry may be damaged, or of a version that had no candles. One that
        cannot be read goes first, and all is settled again.
        """
        self._books.drop_malformed_depth(fold.key)
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
    """Orders whose turn has not come; of each order that has one, the command that asks for its cancel.

    unnoted: how far the journal brought cancel-alls whose rows do not say so.
    """

    orders: list[PlaceOrder]
    cancels: dict[RowKey, str]
    unnoted: dict[str, CancelAllProgress]


def _order_rows(rows: ExpectedRows, waiting: _Waiting, fold: BookFold) -> dict[RowKey, Row]:
    """Return every row of the book's orders and of their names, by key."""
    instance, book_id = fold.config.instance, fold.config.book_id
    expected = {key: order.row(key[0], None) for key, order in rows.orders.items()}
    for placed in waiting.orders:
        owner = customer_key(instance, placed.customer)
        expected[owner, placed.order_id] = admitted_row(owner, book_id, placed)
    for key, sequence in rows.refused_cancels.items():
        if key in expected:
            expected[key]["cancel_refused"] = sequence
    for key, command_id in waiting.cancels.items():
        if key in expected:
            expected[key]["cancel"] = command_id
    for (owner, order_id), row in list(expected.items()):
        if "external_id" in row:
            name = name_row(owner, row["external_id"], order_id)
            expected[owner, name["order_id"]] = name
    return expected


def _looks(fold: BookFold, waiting: _Waiting) -> Iterator[Expiry]:
    """Yield when each order that is live and expires is to be looked at (R24)."""
    resting = [(order.placed, order.expires_at_ms) for order in fold.state.book.open_orders.values()]
    for placed, expires_at_ms in resting + [(placed, placed.expires_at_ms) for placed in waiting.orders]:
        if expires_at_ms is not None:
            owner = customer_key(fold.config.instance, placed.customer)
            yield Expiry(fold.key, owner, placed.order_id, expires_at_ms)
