"""History: a customer's balances as of an earlier moment, and its statement: each row with the balance after it.

The ledger keeps balances as of now. An earlier one is worked out backwards: what the customer has now (available and
held together), less what the rows of its transactions and trades since then added. Holds are not kept over time.

**One moment.** "Now" must be one moment for balances and rows, while both are being written:

* a trade counts for an account if the account's mark of its book is at or beyond the trade's entry. The book's depth
  view, which is published after an entry's fills are written, must be at or beyond that mark too; until it is, wait;
* a stored transaction counts if it was there both before and after the balances were read. If one came in between, the
  balances are read again. It has a time from before it was written, so the last RECENT_MS are read for that. DynamoDB
  shows the rows of one transaction one by one, so behind one that is younger than SETTLING_MS balances are read twice.

Cost: the rows from now back to the moment, at most ROWS_MAX, and a few small reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from heapq import merge

from chalicelib.domain.books.fills import Fill
from chalicelib.domain.ledger.owners import book_key, customer_key
from chalicelib.domain.ledger.transactions import Transaction
from chalicelib.services.books.statements import Statements
from chalicelib.services.polling import polls
from chalicelib.support.clock import now_ms
from chalicelib.support.ids import TIME_MS_MAX, time_of
from chalicelib.support.outcomes import Unavailable
from chalicelib.tables.account_rows import AccountRow, MarkRow
from chalicelib.tables.accounts import Accounts
from chalicelib.tables.attempts import tries
from chalicelib.tables.depth_views import DepthViews
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.transactions import PAGE_ROWS, Transactions

ROWS_MAX = 100_000
"""Rows from now back to the moment that is asked for."""
READ_ROWS = 1000
"""Rows a read where all rows are read."""
RECENT_MS = 300_000
"""A transaction is written within this time of its id's, by any host's clock."""
SETTLING_MS = 10_000
"""All rows of a transaction that is older than this show it."""
TRIES_MAX = 8
PROJECTED_WAIT_S = 2.0


class HistoryTooLong(Exception):
    """More than ROWS_MAX rows lie between now and the moment that is asked for."""


@dataclass(frozen=True, slots=True)
class StatementRow:
    """A transaction of a customer. amount: what it added to the balance, after: the balance then; base units."""

    transaction: Transaction
    amount: int
    after: int


@dataclass(frozen=True, slots=True)
class _Now:
    """What a customer has at one moment.

    totals: by asset. marks: by asset and book. recent: ids of all its transactions since ``recent_from_ms``.
    """

    instance: str
    totals: dict[str, int]
    marks: dict[tuple[str, str], int]
    recent_from_ms: int
    recent: frozenset[str]

    def has(self, transaction: Transaction) -> bool:
        return transaction.at_ms < self.recent_from_ms or transaction.transaction_id in self.recent

    def has_leg(self, fill: Fill, asset: str) -> bool:
        return fill.sequence <= self.marks.get((asset, book_key(self.instance, fill.book_id)), 0)


class History:
    """Reads histories. clock: Unix ms."""

    def __init__(self, database: Database, clock: Callable[[], int] = now_ms) -> None:
        self._pause = database.pause
        self._accounts = Accounts(database)
        self._views = DepthViews(database)
        self._statements = Statements(database)
        self._transactions = Transactions(database)
        self._clock = clock

    def balances_at(self, instance: str, customer: str, at_ms: int) -> dict[str, int]:
        """Return a customer's balances, available and held together, as of the end of a millisecond, by asset.

        An asset that it never had is left out. Raises HistoryTooLong, or Unavailable while rows are being written.
        """
        now = self._now(instance, customer)
        totals = dict(now.totals)
        for row in self._rows(now, customer, at_ms + 1, READ_ROWS):
            totals[row.asset] -= row.signed(customer)
        return totals

    def statement(
        self, instance: str, customer: str, from_ms: int, to_ms: int = TIME_MS_MAX, asset: str | None = None
    ) -> Iterator[StatementRow]:
        """Yield a customer's rows of a span of time, both ends included, newest first, of one asset or of all.

        A row that moves nothing, such as a leg of a trade with itself, is left out. Raises as ``balances_at`` does.
        """
        now = self._now(instance, customer)
        totals = dict(now.totals)
        for row in self._rows(now, customer, from_ms, PAGE_ROWS):
            amount, after = row.signed(customer), totals[row.asset]
            totals[row.asset] = after - amount
            if amount and row.at_ms <= to_ms and asset in (None, row.asset):
                yield StatementRow(row, amount, after)

    def _rows(self, now: _Now, customer: str, from_ms: int, page_rows: int) -> Iterator[Transaction]:
        """Yield the rows that made the balances of now, newest first, back to a time. Raises HistoryTooLong."""
        owner = customer_key(now.instance, customer)
        stored = filter(now.has, self._transactions.newest_first(owner, from_ms, page_rows=page_rows))
        legs = self._statements.trades_of_customer(
            now.instance, customer, from_ms, TIME_MS_MAX, page_rows, has=now.has_leg
        )
        for number, row in enumerate(merge(stored, legs, key=lambda row: row.transaction_id, reverse=True)):
            if number == ROWS_MAX:
                raise HistoryTooLong(f"{owner}: more than {ROWS_MAX} rows since {from_ms}")
            yield row

    def _now(self, instance: str, customer: str) -> _Now:
        """Return what a customer has, as of one moment. Raises Unavailable."""
        owner, from_ms = customer_key(instance, customer), self._clock() - RECENT_MS
        before = self._ids(owner, from_ms)
        for _ in tries(TRIES_MAX, self._pause):
            rows = self._accounts.marked(owner)
            again = self._ids(owner, from_ms)
            if again == before and (self._is_settled(rows, again) or rows == self._accounts.marked(owner)):
                marks = _marks_of(rows)
                self._wait_until_projected(marks)
                totals = {row.asset: row.available + row.held for row in rows if isinstance(row, AccountRow)}
                return _Now(instance, totals, marks, from_ms, again)
            before = again
        raise Unavailable(f"{owner}: its balances change too often to be read as of one moment")

    def _is_settled(self, rows: list[AccountRow | MarkRow], recent: frozenset[str]) -> bool:
        """Tell whether accounts that were read row by row are of one moment: no row follows from another just now."""
        since_ms = self._clock() - SETTLING_MS
        has_marks_beside = any(isinstance(row, MarkRow) for row in rows)
        return not has_marks_beside and all(time_of(one) < since_ms for one in recent)

    def _ids(self, owner: str, from_ms: int) -> frozenset[str]:
        return frozenset(row.transaction_id for row in self._transactions.newest_first(owner, from_ms))

    def _wait_until_projected(self, marks: dict[tuple[str, str], int]) -> None:
        """Wait until all fills up to these marks are written. Raises Unavailable."""
        waiting = {book: 0 for _, book in marks}
        for (_, book), sequence in marks.items():
            waiting[book] = max(waiting[book], sequence)
        for _ in polls(PROJECTED_WAIT_S):
            views = self._views.of_each(waiting)
            waiting = {book: sequence for book, sequence in waiting.items() if views[book].sequence < sequence}
            if not waiting:
                return
        raise Unavailable(f"not all fills are written yet: {', '.join(sorted(waiting))}")


def _marks_of(rows: list[AccountRow | MarkRow]) -> dict[tuple[str, str], int]:
    """Return the marks of accounts by asset and book; of two, the higher: a mark may be on its way out of the row."""
    marks: dict[tuple[str, str], int] = {}
    for row in rows:
        of_row = row.marks if isinstance(row, AccountRow) else {row.book: row.sequence}
        for book, sequence in of_row.items():
            marks[row.asset, book] = max(sequence, marks.get((row.asset, book), 0))
    return marks
