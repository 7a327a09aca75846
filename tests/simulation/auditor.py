"""Auditor: a client of the feed that reads a book's events while a schedule runs, is cut off, and resumes.

A cut client took some events of an answer and knows only the cursor behind them, or not even that: then it asks again
from the cursor before, and events come again under their ids.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from benchmarks.subscriber import Subscriber
from chalicelib.domain.books.feed import events_of
from chalicelib.domain.books.vocabulary import BookStatus
from chalicelib.domain.feed.cursor import Cursor, cursor_of
from chalicelib.domain.feed.shown import event_json
from chalicelib.domain.ledger.amounts import Side
from chalicelib.services.feed.reading import Feed, Page, Scope
from tests.world import BOOK_ID, INSTANCE, World

READ_RATE, CUT_RATE = 0.03, 0.5
LIMITS = (1, 3, 20, 1000)


class Auditor:
    """draw: decides when it reads and is cut off; its own, so that it changes no schedule."""

    def __init__(self, world: World, clock_ms: Callable[[], int], draw: Random) -> None:
        self._world = world
        self._feed = Feed(world.database, clock_ms)
        self._scope = Scope(INSTANCE, None, frozenset({BOOK_ID}))
        self._draw = draw
        self._cursor = Cursor().to_text()
        self._ids: list[str] = []
        self._told = Subscriber()
        self._again: set[str] = set()
        """Ids of events that were taken and whose cursor was lost: these alone may come again."""

    def may_read(self) -> None:
        """Read an answer at some moments, and be cut off at some of those."""
        if self._draw.random() < READ_RATE:
            page = self._read(self._draw.choice(LIMITS))
            is_cut = bool(page.events) and self._draw.random() < CUT_RATE
            self._take(page.first(self._draw.randint(1, len(page.events))) if is_cut else page)

    def check(self) -> None:
        """Read on to the end. Assert that nothing was missed, nothing came twice, and the book is the matcher's."""
        page = self._read(1000)
        self._take(page, may_lose=False)
        while page.has_more or page.events:
            page = self._read(1000)
            self._take(page, may_lose=False)
        world, told = self._world, self._told
        entries = world.journal.after(world.book, 0)
        assert self._ids == [event.event_id for entry in entries for event in events_of(world.config, entry)], "a gap"
        assert told.disorders == 0, "events of a log out of order"
        book = world.folded().book
        depth = {(side.value, level.price): level.quantity for side in Side for level in book.side(side).best_first()}
        assert told.depth(BOOK_ID) == depth, "the depth that the feed tells"
        ended = ("order.filled", "order.cancelled", "order.expired", "order.rejected")
        remaining = {order_id: left for order_id, (kind, left) in told.orders.items() if kind not in ended}
        assert remaining == {order_id: order.remaining for order_id, order in book.open_orders.items()}, "open orders"
        assert told.statuses.get(BOOK_ID, BookStatus.ACTIVE.value) == book.status.value, (
            "the status that the feed tells"
        )

    def _read(self, limit: int) -> Page:
        return self._feed.read(self._scope, cursor_of(self._cursor), limit)

    def _take(self, page: Page, *, may_lose: bool = True) -> None:
        loses_cursor = may_lose and self._draw.random() < CUT_RATE / 2
        for event in page.events:
            data = event_json(event)
            if self._told.take(data):
                self._ids.append(event.event_id)
            else:
                assert event.event_id in self._again, f"{event.event_id} came twice"
        if loses_cursor:
            self._again |= {event.event_id for event in page.events}
        else:
            self._cursor = page.cursor.to_text()
            self._again -= {event.event_id for event in page.events}
