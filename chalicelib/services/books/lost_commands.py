"""Lost commands: orders, amendments and cancels that the stream does not deliver any more (T63).

The stream gives up a batch after twelve hours; the inbox drops a command after seven days. An order undecided by then
would stay OPEN with its hold for ever, and an amendment's funds set aside. The row of either has everything that its
command had. A cancel is found in the inbox, behind its order::

    open row without a sequence     --> PlaceOrder, as admitted   (unless a projected entry has it: the row is behind)
    row of an amendment under way   --> AmendOrder, as admitted   (likewise)
    inbox row under <its id>/cancel --> CancelOrder, as queued

All are given to the matcher as in a redrive: commands decided by then are dropped.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from zlib import crc32

from chalicelib.domain.books.vocabulary import AmendOrder, CancelOrder, PlaceOrder
from chalicelib.domain.ledger.owners import book_key, customer_key, split_book_key
from chalicelib.services.books.deduplication import Delivery
from chalicelib.services.books.matcher import Matcher
from chalicelib.services.books.parking import BookParked, BookReleased
from chalicelib.services.books.stream import deliveries_of
from chalicelib.support.ids import time_of
from chalicelib.support.outcomes import OutcomeUnknown, Unavailable
from chalicelib.support.telemetry import logger
from chalicelib.tables.amendments import Amendments, amendment_of, is_amendment
from chalicelib.tables.depth_views import DepthViews
from chalicelib.tables.dynamodb import Database, batched
from chalicelib.tables.inbox import Inbox, arrival_of, key_of
from chalicelib.tables.journal import Journal
from chalicelib.tables.order_rows import placed_of
from chalicelib.tables.orders import Orders, is_order_id
from chalicelib.tables.rows import Row

SWEEP_EVERY_MS = 3_600_000
LOST_AFTER_MS = 13 * 3_600_000
"""The stream gives up records after twelve hours (infra/stack.yaml); until then a command may still be delivered."""
SHARES = 8
"""An open order's cancel is looked for in each eighth hour: a lost one is decided before it has waited a day (T64)."""
ROWS_AT_A_TIME = 500
CLOCKS_DIFFER_MS = 3_600_000
JOURNAL_ENTRIES_MAX = 20_000
"""Entries read back to make sure that the journal has no entry of an order; longer searches are left to ``redrive``."""

LostCommand = PlaceOrder | CancelOrder | AmendOrder


def waiting(rows: Iterable[Row], admitted_before_ms: int | None = None) -> dict[str, list[LostCommand]]:
    """Return the undecided orders and amendments of these rows of the open orders' table by book, in order of arrival.

    admitted_before_ms: only older ones.
    """
    found: dict[str, list[LostCommand]] = defaultdict(list)
    for row in rows:
        if row.get("sequence") is not None:
            continue
        try:
            command = amendment_of(row) if is_amendment(row["order_id"]) else placed_of(row)
            if admitted_before_ms is None or time_of(command.command_id) < admitted_before_ms:
                found[_book_of(row)].append(command)
        except (KeyError, ValueError, TypeError):
            logger.exception("an order's row does not tell what was asked", owner=row["owner"], order=row["order_id"])
    return {book: sorted(commands, key=_arrival) for book, commands in found.items()}


def _book_of(row: Row) -> str:
    return book_key(str(row["owner"]).partition("/")[0], str(row["book_id"]))


def _arrival(command: LostCommand) -> str:
    return arrival_of(command.command_id)


def without_behind(
    database: Database, book: str, commands: Sequence[LostCommand], entries_max: int | None
) -> list[LostCommand]:
    """Return the commands without those whose rows are behind the journal: these need a rebuild.

    Rows read before the journal prove nothing: the stream may have brought a command since. So the depth view and the
    rows are read again, in this order, after the journal. An order is behind if a projected entry has it and its row
    still shows none, an amendment if one has it and it is still under way. Others may be decided too; the matcher finds
    that out.

    entries_max: bound of the entries read back (None: no bound); if it does not suffice, cancels alone are returned.
    """
    by_rows = {command.command_id: command for command in commands if not isinstance(command, CancelOrder)}
    if not by_rows:
        return list(commands)
    first_entries, since_ms = dict[str, int](), min(map(time_of, by_rows)) - CLOCKS_DIFFER_MS
    for read, entry in enumerate(Journal(database).newest_first(book)):
        if entry.at_ms < since_ms:
            break
        if entries_max is not None and read >= entries_max:
            logger.error("orders wait, and the journal is too long to look: redrive the book", book=book)
            return [command for command in commands if command.command_id not in by_rows]
        text = json.dumps(entry.events)
        first_entries |= {name: entry.sequence for name in by_rows if name in text}
    named = [by_rows[name] for name in first_entries]
    behind = _behind(database, book, named, first_entries) if named else set()
    if behind:
        logger.error("rows are behind the journal, rebuild the book", book=book, orders=len(behind), order=min(behind))
    return [command for command in commands if command.command_id not in behind]


def _behind(
    database: Database, book: str, named: Sequence[PlaceOrder | AmendOrder], first_entries: Mapping[str, int]
) -> AbstractSet[str]:
    """Return the ids of these commands that a projected entry has and whose rows do not show it."""
    projected = DepthViews(database).of(book).sequence
    keys = {one.command_id: (customer_key(split_book_key(book)[0], one.customer), one.order_id) for one in named}
    rows = Orders(database).get_many(keys[one.command_id] for one in named if isinstance(one, PlaceOrder))
    shown = {order_id for order_id, row in rows.items() if row.sequence is not None}
    amendments = {one.command_id for one in named if isinstance(one, AmendOrder)}
    shown |= amendments - Amendments(database).ids_under_way(keys[name] for name in amendments)
    return {name for name, sequence in first_entries.items() if sequence <= projected} - shown


class LostCommands:
    """Sweeps all open orders once an hour, a page at a time. now_ms: the time in ms."""

    def __init__(self, database: Database, matcher: Matcher, now_ms: Callable[[], int]) -> None:
        self._database = database
        self._orders = Orders(database)
        self._inbox = Inbox(database)
        self._matcher = matcher
        self._now_ms = now_ms
        self._due_at_ms = 0
        self._pages: Iterator[list[Row]] | None = None
        self._share = 0
        """Of which orders the present sweep looks for cancels: each is looked at once in ``SHARES`` sweeps."""

    def sweep_a_page(self) -> int:
        """Sweep the next page, if a sweep is due; return how many commands were decided.

        Raises Unavailable; a sweep that fails starts again when the next one is due.
        """
        now_ms = self._now_ms()
        if self._pages is None:
            if now_ms < self._due_at_ms:
                return 0
            hour = now_ms // SWEEP_EVERY_MS
            self._due_at_ms = (hour + 1) * SWEEP_EVERY_MS  # of the clock, so that no hour is left out
            self._share = hour % SHARES
            self._pages = batched(self._orders.open_table_rows(), ROWS_AT_A_TIME)
        pages, self._pages = self._pages, None
        page = next(pages, None)
        if page is None:
            return 0
        lost = waiting(page, now_ms - LOST_AFTER_MS)
        for book, cancel in self._cancels(page, now_ms - LOST_AFTER_MS):
            lost[book] = sorted([*lost.get(book, []), cancel], key=_arrival)
        decided = sum(self._decide(book, commands) for book, commands in sorted(lost.items()))
        self._pages = pages
        return decided

    def _cancels(self, page: Sequence[Row], queued_before_ms: int) -> Iterator[tuple[str, CancelOrder]]:
        """Yield the old cancels of this sweep's share of the page's open orders, each with its book."""
        there = [row for row in page if "book_id" in row and "cancel_refused" not in row]
        orders = [(_book_of(row), name) for row in there if is_order_id(name := str(row["order_id"]))]
        old = [one for one in orders if time_of(one[1]) < queued_before_ms]
        share = [one for one in old if crc32(one[1].encode()) % SHARES == self._share]
        for row in self._inbox.cancel_rows(share):
            for command in (delivery.command for delivery in deliveries_of(row, None)):
                if isinstance(command, CancelOrder) and time_of(command.command_id) < queued_before_ms:
                    yield row["book"], command

    def _decide(self, book: str, commands: Sequence[LostCommand]) -> int:
        try:
            undecided = without_behind(self._database, book, commands, JOURNAL_ENTRIES_MAX)
            if not undecided:
                return 0
            logger.warning("commands are brought back from their orders", book=book, commands=len(undecided))
            return self._matcher.process(book, [Delivery(command, None) for command in undecided])
        except BookParked:
            return self._keep(book, commands)
        except Exception:  # a failing book must not stop the others; the next sweep tries again
            logger.exception("lost commands stay undecided", book=book)
            return 0

    def _keep(self, book: str, commands: Sequence[LostCommand]) -> int:
        """Keep the rows of a parked book's commands in the inbox until it is released, as the stream's handler does."""
        try:
            self._matcher.parking.set_aside(book, [key_of(command) for command in commands])
        except (BookReleased, Unavailable, OutcomeUnknown):
            logger.warning("lost commands of a parked book wait for the next sweep", exc_info=True, book=book)
        return 0


def lost_by_book(database: Database, instance: str | None = None) -> Mapping[str, list[LostCommand]]:
    """Return the undecided commands of an instance's rows (None: of all), by book. Reads every open order."""
    rows = Orders(database).open_table_rows()
    return waiting(row for row in rows if instance in (None, row["owner"].partition("/")[0]))
