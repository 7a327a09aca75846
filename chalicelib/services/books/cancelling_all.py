"""Cancel-all of a customer: one command in each book in which it has live orders, and what became of them (O9, R42)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import islice

from chalicelib.domain.books.orders import OrderRow
from chalicelib.domain.books.vocabulary import CloseReason
from chalicelib.domain.ledger.owners import book_key
from chalicelib.services.books.admission import Admission
from chalicelib.services.books.reading import BooksReading
from chalicelib.services.books.waiting import CANCEL_ALL_WAIT_S, OutcomeWaiter
from chalicelib.support.clock import now_ms
from chalicelib.support.outcomes import OutcomeUnknown, Unavailable
from chalicelib.support.telemetry import logger

CANCELLED_ROWS_MAX = 1_000
"""Orders that one answer lists (O9)."""


@dataclass(frozen=True, slots=True)
class CancelledAll:
    """What became of a cancel-all.

    rows: the orders that were live, and those that came meanwhile and were closed too, as of now, newest first; about
    CANCELLED_ROWS_MAX of them. closed: how many orders the commands closed that have ended. has_ended: all have.
    """

    rows: list[OrderRow]
    closed: int
    has_ended: bool

    @property
    def shown(self) -> list[OrderRow]:
        """The rows that an answer lists."""
        return self.rows[:CANCELLED_ROWS_MAX]


class CancellingAll:
    """wait_s: how long to wait for the commands' turn."""

    def __init__(self, admission: Admission, reading: BooksReading, outcomes: OutcomeWaiter, wait_s: float) -> None:
        self._admission = admission
        self._reading = reading
        self._outcomes = outcomes
        self._wait_s = wait_s

    def in_books(self, instance: str, customer: str, books: Mapping[str, bool]) -> CancelledAll | None:
        """Close the customer's live orders in these books; None if there are none. books: whether each is open, by id.

        Commands that were queued are carried out, however long they take. Raises Unavailable or OutcomeUnknown if the
        first cannot be queued; of the others, those that cannot have not ended.
        """
        began_ms = now_ms()
        listed, book_ids = self._live(instance, customer, books)
        if not listed:
            return None
        commands = self._queue(instance, customer, book_ids)
        progress: dict[str, int] = {}
        rows = listed
        try:
            progress = self._progress_of(instance, commands)
            rows = self._after(instance, customer, listed, commands, began_ms)
        except Unavailable:  # a failed read must not become an error: the commands are queued
            logger.warning("no result to show", exc_info=True)
        return CancelledAll(rows, sum(progress.values()), progress.keys() == set(book_ids))

    def _live(self, instance: str, customer: str, books: Mapping[str, bool]) -> tuple[list[OrderRow], list[str]]:
        """Return the customer's newest live orders in these books, as many as are listed, and all books with one.

        Stops reading once an order of every open book is found.
        """
        listed: list[OrderRow] = []
        seen: set[str] = set()
        open_books = {book_id for book_id, is_open in books.items() if is_open}
        for row in self._reading.open_orders(instance, customer):
            if row.book_id not in books:
                continue
            seen.add(row.book_id)
            if len(listed) < CANCELLED_ROWS_MAX:
                listed.append(row)
            elif seen >= open_books:
                break
        return listed, sorted(seen)

    def _queue(self, instance: str, customer: str, book_ids: Collection[str]) -> dict[str, str]:
        """Queue a cancel-all in each of these books; return their ids by book.

        Raises as ``Admission.cancel_all`` if the first one fails; later ones that fail are left out.
        """
        commands: dict[str, str] = {}
        for book_id in book_ids:
            try:
                commands[book_id] = self._admission.cancel_all(instance, customer, book_id)
            except (Unavailable, OutcomeUnknown):
                if not commands:
                    raise
                logger.warning("a book's orders are not cancelled", exc_info=True, book=book_id)
        return commands

    def _progress_of(self, instance: str, commands: Mapping[str, str]) -> dict[str, int]:
        """Wait for cancel-alls (ids by book); return the number of closed orders of each ended one, by book."""
        cancel_alls = [(book_key(instance, book_id), command_id) for book_id, command_id in commands.items()]
        progress = self._outcomes.of_commands(cancel_alls, self._wait_s, max(self._wait_s, CANCEL_ALL_WAIT_S))
        closed = {book: progress[name].closed for book, name in commands.items() if name in progress}
        return {book: count for book, count in closed.items() if count is not None}

    def _after(
        self, instance: str, customer: str, listed: list[OrderRow], commands: Mapping[str, str], began_ms: int
    ) -> list[OrderRow]:
        """Return the listed orders as of now, and newer orders that the cancel-alls closed too."""
        rows = self._reading.orders_by_id(instance, customer, (row.order_id for row in listed))
        young = islice(self._reading.orders(instance, customer, from_ms=began_ms), CANCELLED_ROWS_MAX)
        for row in young:
            if row.book_id in commands and row.reason is CloseReason.CANCEL_ALL:
                rows.setdefault(row.order_id, row)
        return sorted(rows.values(), key=lambda row: row.order_id, reverse=True)
