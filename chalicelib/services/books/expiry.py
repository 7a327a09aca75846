"""Expiring: whoever sees to it that orders end at their time, though nothing else happens in their book (R24).

A matcher closes what is due before it decides anything, so no order trades late; in a quiet book nothing is decided,
though. So somebody looks, twice a second, which orders are due by the clock (table ``expiries``). Of one that has ended
the row goes; of one that has not, the book is woken: a matcher closes what is due. A row goes only once its order has
ended, whoever ended it, so a crash at any moment is made up for by the next look, and two that look at once do each
other no harm.

Minutes are swept in their order. What is still live ``SETTLED_MINUTES`` after its minute, because its book fails or its
command was lost, is looked at again some minutes later; so every minute is swept in the end, and after a standstill the
next looks go through all that came due, some minutes at a time, without keeping the present waiting. The orders of a
parked book are looked at again every hour: they end when the operator releases it, before anything else is decided
(T53).

A row that is put after its minute was swept (clocks differ, a transaction took long) is not seen: its order is due when
its turn comes, and ends there. The row goes with its time to live.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from chalicelib.services.books import matcher as matching
from chalicelib.services.books.lost_commands import LostCommands
from chalicelib.services.books.matcher import Matcher
from chalicelib.services.books.parking import BookParked
from chalicelib.support.outcomes import OutcomeUnknown, Unavailable
from chalicelib.support.recent import Recent
from chalicelib.support.telemetry import Metric, logger, measure
from chalicelib.tables.books import Books
from chalicelib.tables.dynamodb import Database, batched
from chalicelib.tables.expiries import MINUTE_MS, Expiries, Expiry, minute_of
from chalicelib.tables.journal import EntryExists
from chalicelib.tables.orders import Orders

LOOK_PERIOD_S = 0.5
"""Half of what R24 gives: the other half is for closing."""
SETTLED_MINUTES = 2
"""How many minutes a minute must be over before it is swept: more than clocks differ."""
MINUTES_A_LOOK = 20
"""How many minutes of a standstill are made up for in one look."""
POSTPONED_MINUTES = 5
"""What is still live when its minute is swept is looked at again at the next time that is a multiple of this."""
PARKED_MINUTES = 60
"""The same for orders of parked books, which nothing but their release ends."""
FAILED_PAUSE_MS = 2_000
"""How long a book that could not be woken is left alone."""
FAILURES_MAX = 3
"""How often a book may fail to be woken before its orders are postponed."""
FAILING_BOOKS_MAX = 1_000
"""How many books are remembered that could not be woken."""
ROWS_AT_A_TIME = 100
UNREADABLE = (KeyError, ValueError, TypeError)
"""What a row raises that the program cannot have written: it must not keep other orders from their end."""


@dataclass(slots=True)
class _Look:
    """One look. at_ms: the moment that it is about. closed: by book that was woken, how many orders ended.

    parked: those that could not be woken because they are parked.
    """

    at_ms: int
    closed: dict[str, int] = field(default_factory=dict)
    parked: set[str] = field(default_factory=set)

    def has_more(self, book: str) -> bool:
        """Tell whether a book was woken and may have more that is due than it closed."""
        return self.closed.get(book, 0) >= matching.EVENTS_PER_ENTRY_GROUP

    @property
    def is_cut_short(self) -> bool:
        return any(map(self.has_more, self.closed))


@dataclass(frozen=True, slots=True)
class _Failures:
    """How often a book has failed to be woken, one time after the other, and when it did so last."""

    count: int
    last_at_ms: int


class Expiring:
    """matcher: one of its own, beside those that the inbox's stream feeds. now_ms: the time in ms."""

    def __init__(self, database: Database, matcher: Matcher, now_ms: Callable[[], int]) -> None:
        self._books = Books(database)
        self._expiries = Expiries(database)
        self._orders = Orders(database)
        self._matcher = matcher
        self._now_ms = now_ms
        self._failures: Recent[str, _Failures] = Recent(FAILING_BOOKS_MAX)
        self._lost = LostCommands(database, matcher, now_ms)

    def run(self, goes_on: Callable[[], bool], pause: Callable[[float], object]) -> None:
        """Look again and again while ``goes_on``; a look that the tables do not let through is made again.

        Between looks the sweep of lost commands goes on, a page at a time (``lost_commands``).

        pause: waits so many seconds.
        """
        while goes_on():
            try:
                is_done = self.look()
                self._lost.sweep_a_page()
            except (Unavailable, OutcomeUnknown):
                logger.exception("not all that is due could be looked at")
                is_done = True
            if is_done:
                pause(LOOK_PERIOD_S)

    def report_parked(self) -> None:
        """Measure how many books are parked, where any is: what the alarm of parked books goes by (T53)."""
        try:
            parked = self._books.parked()
        except Unavailable:
            logger.warning("it is not known whether books are parked", exc_info=True)
            return
        if parked:
            measure(Metric.BOOKS_PARKED, len(parked))
            logger.warning("books are parked", books=len(parked), book=parked[0])

    def look(self) -> bool:
        """Have what is due by now closed; return whether all was, False where the next look has more to do at once.

        Raises Unavailable or OutcomeUnknown; the next look begins where this one ended.
        """
        look = _Look(self._now_ms())
        settled = minute_of(look.at_ms) - SETTLED_MINUTES
        first = self._first_unswept(settled)
        for minute in range(max(first, settled), minute_of(look.at_ms) + 1):
            self._end(self._expiries.due(minute, look.at_ms), look)
        last = min(first + MINUTES_A_LOOK, settled)
        swept = first
        while swept < last and self._sweep(swept, look):
            swept += 1
        if swept > first:
            self._expiries.note_swept(swept)
        return not look.is_cut_short and (swept < last or last == settled)

    def _first_unswept(self, settled: int) -> int:
        first = self._expiries.first_unswept()
        if first is None:
            earliest = self._expiries.earliest()
            first = settled if earliest is None else min(earliest, settled)
            self._expiries.note_swept(first)
        return first

    def _sweep(self, minute: int, look: _Look) -> bool:
        """End what is left of a minute that is over, postpone what cannot be; False where that needs another look."""
        live = self._end(self._expiries.due(minute, look.at_ms), look)
        stuck = [expiry for expiry in live if not look.closed.get(expiry.book) and not self._may_be_mended(expiry.book)]
        if stuck:
            logger.warning("orders are live after their time", orders=len(stuck), order=stuck[0].order_id)
            measure(Metric.SWEEPS_STUCK, len(stuck))
            self._postpone(stuck, look, POSTPONED_MINUTES)
        return len(stuck) == len(live)

    def _postpone(self, expiries: list[Expiry], look: _Look, minutes: int) -> None:
        """Have orders looked at again at the next time that is a multiple of so many minutes."""
        period_ms = minutes * MINUTE_MS
        self._expiries.postpone(expiries, (look.at_ms // period_ms + 1) * period_ms)

    def _end(self, due: Iterable[Expiry], look: _Look) -> list[Expiry]:
        """Wake the books whose orders are live, remove the rows of orders that have ended; return the other rows.

        Those of parked books are postponed, and not among them.
        """
        left: list[Expiry] = []
        for expiries in batched(due, ROWS_AT_A_TIME):
            waiting = [expiry for expiry in expiries if look.has_more(expiry.book)]
            live = self._live([expiry for expiry in expiries if not look.has_more(expiry.book)])
            for book in sorted({expiry.book for expiry in live} - look.closed.keys()):
                look.closed[book] = self._wake(book, look)
            parked = [expiry for expiry in live if expiry.book in look.parked]
            if parked:
                self._postpone(parked, look, PARKED_MINUTES)
            waiting += self._live([expiry for expiry in live if expiry.book not in look.parked])
            still_there = {expiry.order_id for expiry in waiting} | {expiry.order_id for expiry in parked}
            self._expiries.remove([expiry for expiry in expiries if expiry.order_id not in still_there])
            left += waiting
        return left

    def _live(self, expiries: list[Expiry]) -> list[Expiry]:
        """Return those whose order has not ended, decided or not; one that cannot be read counts as such."""
        try:
            rows = self._orders.get_many(sorted({(expiry.owner, expiry.order_id) for expiry in expiries}))
        except UNREADABLE:
            if len(expiries) > 1:
                return [expiry for each in expiries for expiry in self._live([each])]
            logger.exception("order cannot be read", order=expiries[0].order_id)
            return expiries
        return [expiry for expiry in expiries if expiry.order_id in rows and rows[expiry.order_id].status.is_live]

    def _wake(self, book: str, look: _Look) -> int:
        """Have a book close what is due; return how many orders ended. One that fails keeps no other waiting."""
        at_ms = look.at_ms
        failures = self._failures.get(book) or _Failures(0, 0)
        if at_ms < failures.last_at_ms + FAILED_PAUSE_MS:
            return 0
        try:
            closed = self._matcher.expire_due(book)
            self._failures.forget(book)
            return closed
        except BookParked:
            look.parked.add(book)
            self._failures.forget(book)
            logger.warning("a parked book's orders stay live after their time", book=book)
        except EntryExists:
            logger.info("other matchers are at work on the book, and close what is due", book=book)
        except Exception:
            logger.exception("book not woken; its orders stay live after their time", book=book)
            self._failures.set(book, _Failures(failures.count + 1, at_ms))
        return 0

    def _may_be_mended(self, book: str) -> bool:
        """Tell whether a book has failed, and not so often that there is no hope for the next time."""
        failures = self._failures.get(book)
        return failures is not None and failures.count < FAILURES_MAX
