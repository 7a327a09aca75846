"""The feed as an iterator: from where it goes on (T84, T86)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from tallybook_client import Event, Feed, Unreachable
from tallybook_client.feed import EventPage
from tallybook_client.paging import by_offset, by_page


class Log:
    """Events 0, 1, 2 ... in pages of three; a cursor is the number of the next event."""

    def __init__(self, events: int) -> None:
        self.events = events
        self.waits: list[int] = []
        self.is_down = False

    def page(self, after: str | None, wait_s: int) -> EventPage:
        self.waits.append(wait_s)
        if self.is_down:
            raise Unreachable("down")
        start = self.events if after is None else 0 if after == "start" else int(after)
        end = min(start + 3, self.events)
        shown = tuple(Event(f"evt_{n}", "t", datetime.now(UTC), "log", n, 0, {}) for n in range(start, end))
        return EventPage(shown, str(end), end < self.events)


def numbers(feed: Feed) -> list[int]:
    return [event.sequence for event in feed]


def test_without_a_wait_it_ends_at_the_newest_event_and_can_be_asked_again() -> None:
    log = Log(7)
    feed = Feed(log.page, "start", wait_s=0)
    assert numbers(feed) == list(range(7))
    log.events = 9
    assert numbers(feed) == [7, 8]
    assert numbers(feed) == []


def test_it_begins_now_and_waits() -> None:
    log = Log(5)
    feed = Feed(log.page, None)
    log.events = 6
    assert next(feed).sequence == 5
    assert log.waits == [0, 20]


@pytest.mark.parametrize(("answer_s", "paused"), [(0.0, [1.0, 1.0]), (0.25, [0.75, 0.75]), (20.0, [0.0, 0.0])])
def test_a_service_that_does_not_wait_is_not_asked_again_at_once(answer_s: float, paused: list[float]) -> None:
    log, pauses, now_s = Log(5), list[float](), [0.0]

    def page(after: str | None, wait_s: int) -> EventPage:
        now_s[0] += answer_s
        if len(pauses) == 2:
            log.events = 6
        return log.page(after, wait_s)

    assert next(Feed(page, "5", pause=pauses.append, clock_s=lambda: now_s[0])).sequence == 5
    assert pauses == paused


@pytest.mark.parametrize("handled", range(1, 8))
def test_whoever_resumes_at_its_cursor_misses_nothing_after_the_last_handled_event(handled: int) -> None:
    log = Log(8)
    feed = Feed(log.page, "start", wait_s=0)
    for _ in range(handled):
        last = next(feed)
    again = numbers(Feed(log.page, feed.cursor, wait_s=0))
    assert again == list(range(min(again), 8))
    assert min(again) <= last.sequence + 1, "nothing is left out"


def test_what_was_asked_for_after_the_last_event_of_a_page_moves_the_cursor() -> None:
    feed = Feed(Log(8).page, "start", wait_s=0)
    for _ in range(3):
        next(feed)
    assert feed.cursor == "start"
    next(feed)
    assert feed.cursor == "3"


def test_a_request_that_fails_leaves_it_where_it_is() -> None:
    log = Log(5)
    feed = Feed(log.page, "start", wait_s=0)
    assert [next(feed).sequence for _ in range(3)] == [0, 1, 2]
    log.is_down = True
    for _ in range(2):
        with pytest.raises(Unreachable):
            next(feed)
    log.is_down = False
    assert numbers(feed) == [3, 4]


def test_a_list_that_grows_at_its_head_is_paged_without_doubles() -> None:
    rows = list(range(10, 0, -1))

    def page(size: int, offset: int) -> Sequence[int]:
        shown = rows[offset : offset + size]
        rows.insert(0, rows[0] + 1)
        return shown

    assert list(by_offset(page, lambda row: row, 4)) == list(range(10, 0, -1))


@pytest.mark.parametrize(("limit", "sizes"), [(None, [4, 4, 4]), (6, [4, 4]), (3, [3]), (0, [])])
def test_a_limit_bounds_what_is_asked_for(limit: int | None, sizes: list[int]) -> None:
    asked = []

    def page(size: int, offset: int) -> Sequence[int]:
        asked.append(size)
        return list(range(10))[offset : offset + size]

    assert list(by_offset(page, lambda row: row, 4, limit)) == list(range(10))[:limit]
    assert asked == sizes


def test_a_page_that_may_be_short_is_not_the_last_one() -> None:
    pages = {0: [1, 2], 2: [3], 3: []}
    assert list(by_offset(lambda _size, offset: pages[offset], lambda row: row, 4, may_be_short=True)) == [1, 2, 3]


def test_a_list_of_numbered_pages_that_grows_meanwhile_gives_each_row_once() -> None:
    pages = {1: ([9, 8, 7], False), 2: ([7, 6, 5], False), 3: ([4], True)}
    asked = list(by_page(lambda number, _size: pages[number], lambda row: row, 3))
    assert asked == [9, 8, 7, 6, 5, 4]
    assert list(by_page(lambda number, _size: pages[number], lambda row: row, 3, 5)) == asked[:5]
