"""Expiry: orders end at their time, even in a book where nothing else happens (R24); dead man's switches fire (O10).

A matcher closes due orders before it decides anything, so no order trades late. In a quiet book nothing is decided. So
a check runs twice a second and reads the due rows of the table ``expiries``. If the order of a row has ended, the check
removes the row. Otherwise it wakes the book: a matcher closes what is due. A row is removed only once its order has
ended, so the next check makes up for any crash, and two checks at once do no harm.

Minutes are swept in order. An order still live ``SETTLED_MINUTES`` after its minute (its book fails, or its command was
lost) is postponed by some minutes, so every minute is swept in the end. After a standstill, each check sweeps some of
the missed minutes beside the present one. Orders of a parked book are checked every hour; they end when the operator
releases the book, before anything else is decided (T53).

A row written after its minute was swept (clocks differ, a transaction took long) is not found. Its order expires when
its turn comes; the row goes with its time to live.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial

from chalicelib.services.books import matcher as matching
from chalicelib.services.books.lost_commands import LostCommands
from chalicelib.services.books.matcher import Matcher
from chalicelib.services.books.parking import BookParked
from chalicelib.services.books.switches import DeadManSwitches
from chalicelib.support.bounded_cache import BoundedCache
from chalicelib.support.clock import new_id
from chalicelib.support.outcomes import OutcomeUnknown, Unavailable
from chalicelib.support.telemetry import Metric, logger, measure
from chalicelib.tables.batch_failures import FailedBatches
from chalicelib.tables.depth_views import DepthViews
from chalicelib.tables.dynamodb import Database, batched
from chalicelib.tables.expiries import MINUTE_MS, Expiries, Expiry, minute_of
from chalicelib.tables.journal import EntryExists
from chalicelib.tables.orders import Orders

CHECK_PERIOD_S = 0.5
"""Half of what R24 allows; the other half is for closing."""
SETTLED_MINUTES = 2
"""A minute is swept once it is over by this many minutes: more than clocks differ."""
MINUTES_A_CHECK = 20
"""Minutes of a standstill that one check sweeps."""
POSTPONED_MINUTES = 5
"""An order still live when its minute is swept is checked again at the next multiple of this time."""
PARKED_MINUTES = 60
"""The same for orders of parked books, which only a release ends."""
FAILED_PAUSE_MS = 2_000
"""Pause before a book that could not be woken is tried again."""
FAILURES_MAX = 3
"""Failures to wake a book before its orders are postponed."""
FAILING_BOOKS_MAX = 1_000
"""Bound of the books remembered because they could not be woken."""
ROWS_AT_A_TIME = 100
UNREADABLE = (KeyError, ValueError, TypeError)
"""Errors of a damaged row."""


@dataclass(slots=True)
class _Check:
    """One check. at_ms: its time. closed: by woken book, how many orders ended. parked: books found parked."""

    at_ms: int
    closed: dict[str, int] = field(default_factory=dict)
    parked: set[str] = field(default_factory=set)

    def has_more(self, book: str) -> bool:
        """Tell whether a woken book may have more due orders than it closed."""
        return self.closed.get(book, 0) >= matching.EVENTS_PER_ENTRY_GROUP

    @property
    def is_cut_short(self) -> bool:
        return any(map(self.has_more, self.closed))


@dataclass(frozen=True, slots=True)
class _Failures:
    """Failures in a row to wake a book, and the time of the last one."""

    count: int
    last_at_ms: int


class Expiring:
    """The expiry job. matcher: one of its own, beside those that the inbox's stream feeds. now_ms: the time in ms.

    new_id: returns prefix + ULID, ascending.
    """

    def __init__(
        self,
        database: Database,
        matcher: Matcher,
        now_ms: Callable[[], int],
        new_id: Callable[[str], str] = new_id,
    ) -> None:
        self._failed_batches = FailedBatches(database)
        self._views = DepthViews(database)
        self._expiries = Expiries(database)
        self._orders = Orders(database)
        self._matcher = matcher
        self._now_ms = now_ms
        self._failures: BoundedCache[str, _Failures] = BoundedCache(FAILING_BOOKS_MAX)
        self._switches = DeadManSwitches(database, now_ms, new_id)
        self._lost = LostCommands(database, matcher, now_ms)

    def run(self, goes_on: Callable[[], bool], pause: Callable[[float], object]) -> None:
        """Check again and again while ``goes_on`` returns True. pause: waits so many seconds.

        After each check, sweep a page of lost commands (``lost_commands``). Unavailable tables are logged.
        """
        while goes_on():
            try:
                is_done = self.check()
                self._lost.sweep_a_page()
            except (Unavailable, OutcomeUnknown):
                logger.exception("not all that is due could be looked at")
                is_done = True
            if is_done:
                pause(CHECK_PERIOD_S)

    def report_parked(self) -> None:
        """Measure how many books are parked, if any: the alarm for parked books reads this metric (T53)."""
        try:
            parked = self._failed_batches.parked()
        except Unavailable:
            logger.warning("it is not known whether books are parked", exc_info=True)
            return
        if parked:
            measure(Metric.BOOKS_PARKED, len(parked))
            logger.warning("books are parked", books=len(parked), book=parked[0])

    def check(self) -> bool:
        """Have the orders closed that are due now; return False if the next check has more to do at once.

        Raises Unavailable or OutcomeUnknown; the next check begins where this one ended.
        """
        run = _Check(self._now_ms())
        settled = minute_of(run.at_ms) - SETTLED_MINUTES
        first = self._first_unswept(settled)
        for minute in range(max(first, settled), minute_of(run.at_ms) + 1):
            self._end(self._expiries.due(minute, run.at_ms), run)
        last = min(first + MINUTES_A_CHECK, settled)
        swept = first
        while swept < last and self._sweep(swept, run):
            swept += 1
        if swept > first:
            self._expiries.note_swept(swept)
        self._matcher.write_snapshots()
        return not run.is_cut_short and (swept < last or last == settled)

    def _first_unswept(self, settled: int) -> int:
        first = self._expiries.first_unswept()
        if first is None:
            earliest = self._expiries.earliest()
            first = settled if earliest is None else min(earliest, settled)
            self._expiries.note_swept(first)
        return first

    def _sweep(self, minute: int, run: _Check) -> bool:
        """End the orders left of a past minute, postpone those that cannot; False if that needs another check."""
        live = self._end(self._expiries.due(minute, run.at_ms), run)
        stuck = [expiry for expiry in live if not run.closed.get(expiry.book) and not self._may_be_mended(expiry.book)]
        if stuck:
            logger.warning("orders are live after their time", orders=len(stuck), order=stuck[0].order_id)
            measure(Metric.SWEEPS_STUCK, len(stuck))
            self._postpone(stuck, run, POSTPONED_MINUTES)
        return len(stuck) == len(live)

    def _postpone(self, expiries: list[Expiry], run: _Check, minutes: int) -> None:
        """Have orders checked again at the next multiple of so many minutes."""
        period_ms = minutes * MINUTE_MS
        self._expiries.postpone(expiries, (run.at_ms // period_ms + 1) * period_ms)

    def _end(self, due: Iterable[Expiry], run: _Check) -> list[Expiry]:
        """Wake the books of live orders and remove the rows of ended orders; return the rows left.

        Rows of parked books are postponed and not returned.
        """
        left: list[Expiry] = []
        for expiries in batched(due, ROWS_AT_A_TIME):
            fired = partial(self._switches.check, at_ms=run.at_ms)
            waiting = _each(fired, [expiry for expiry in expiries if expiry.is_switch])
            of_books = [expiry for expiry in expiries if not expiry.is_switch]
            waiting += [expiry for expiry in of_books if run.has_more(expiry.book)]
            live = self._live([expiry for expiry in of_books if not run.has_more(expiry.book)])
            for book in sorted({expiry.book for expiry in live} - run.closed.keys()):
                run.closed[book] = self._wake(book, run)
            parked = [expiry for expiry in live if expiry.book in run.parked]
            if parked:
                self._postpone(parked, run, PARKED_MINUTES)
            waiting += self._live([expiry for expiry in live if expiry.book not in run.parked])
            still_there = {expiry.order_id for expiry in waiting} | {expiry.order_id for expiry in parked}
            self._expiries.remove([expiry for expiry in expiries if expiry.order_id not in still_there])
            left += waiting
        return left

    def _live(self, expiries: list[Expiry]) -> list[Expiry]:
        """Return the rows whose order or halt has not ended."""
        halts, expiries = ([one for one in expiries if one.is_halt is is_halt] for is_halt in (True, False))
        return _each(self._due_halts, halts) + _each(self._live_orders, expiries)

    def _due_halts(self, halts: list[Expiry]) -> list[Expiry]:
        """Return the rows whose book is still halted though the halt's time is over (O12)."""
        until_ms = self._views.halts({halt.book for halt in halts})
        return [halt for halt in halts if until_ms.get(halt.book, halt.check_at_ms + 1) <= halt.check_at_ms]

    def _live_orders(self, expiries: list[Expiry]) -> list[Expiry]:
        open_ids = self._orders.open_ids(sorted({(expiry.owner, expiry.order_id) for expiry in expiries}))
        return [expiry for expiry in expiries if expiry.order_id in open_ids]

    def _wake(self, book: str, run: _Check) -> int:
        """Have a book close its due orders and end its halt; return how many ended, 0 where the book fails (logged)."""
        at_ms = run.at_ms
        failures = self._failures.get(book) or _Failures(0, 0)
        if at_ms < failures.last_at_ms + FAILED_PAUSE_MS:
            return 0
        try:
            closed = self._matcher.expire_due(book)
            self._failures.forget(book)
            return closed
        except BookParked:
            run.parked.add(book)
            self._failures.forget(book)
            logger.warning("a parked book's orders stay live after their time", book=book)
        except EntryExists:
            logger.info("other matchers are at work on the book, and close what is due", book=book)
        except Exception:
            logger.exception("book not woken; its orders stay live after their time", book=book)
            self._failures.set(book, _Failures(failures.count + 1, at_ms))
        return 0

    def _may_be_mended(self, book: str) -> bool:
        """Tell whether a book has failed fewer than ``FAILURES_MAX`` times in a row."""
        failures = self._failures.get(book)
        return failures is not None and failures.count < FAILURES_MAX


def _each(left_of: Callable[[list[Expiry]], list[Expiry]], expiries: list[Expiry]) -> list[Expiry]:
    """Return those of the rows that are left. One that cannot be read is left, too, and delays no other (T158)."""
    try:
        return left_of(expiries)
    except UNREADABLE:
        if len(expiries) > 1:
            return [left for one in expiries for left in _each(left_of, [one])]
        logger.exception("a row cannot be read", row=expiries[0].order_id)
        return expiries
