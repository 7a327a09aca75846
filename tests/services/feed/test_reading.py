"""Reading the feed: every event of a subject once and in its log's order, whatever happens meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from random import Random

import pytest

from chalicelib.domain.feed.cursor import Cursor, Place, UnreadableCursor, cursor_of
from chalicelib.domain.ledger.owners import book_key
from chalicelib.services import polling
from chalicelib.services.feed.reading import (
    DAY_MS,
    ENTRIES_AHEAD,
    ENTRIES_IN_ALL_MAX,
    ENTRIES_MAX,
    KEPT_DAYS,
    LOGS_MAX,
    CursorGone,
    Scope,
    TooManyLogs,
)
from chalicelib.tables import journal
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.journal import Journal
from chalicelib.tables.rows import UnreadableRow
from chalicelib.tables.writes import Put
from tests.services.feed.writing import ANN, BEN, INSTANCE, OPERATOR, Logs, all_of, other_tables, stands
from tests.waiting import Waiting

OF_ANN = replace(OPERATOR, subjects=frozenset({ANN}))
OF_BOOKS = Scope(INSTANCE, None)


@pytest.fixture
def logs(memory_database: Database) -> Logs:
    return Logs(memory_database)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Waiting]:
    clock = Waiting()
    monkeypatch.setattr(polling, "time", clock)
    monkeypatch.setattr(polling, "until", clock.until)
    return clock


def test_the_cursor_of_now_has_no_events_behind_it_and_all_later_ones(logs: Logs) -> None:
    logs.put(1, ANN)
    now = logs.feed.ends(OPERATOR)
    assert logs.feed.read(OPERATOR, now, 10).events == []
    logs.put(1, BEN)
    logs.put(7, ANN)
    page = logs.feed.read(OPERATOR, now, 10)
    assert (stands(page), page.has_more) == ([("signed/1", 2, 0), ("signed/7", 1, 0)], False)
    assert logs.feed.read(OPERATOR, page.cursor, 10).events == []


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
def test_pages_of_any_size_give_each_event_once_and_each_log_in_order(logs: Logs, limit: int) -> None:
    random = Random(limit)
    logs.make_book("ob_1")
    for _ in range(40):
        logs.now_ms += random.randrange(3)
        names = random.choices(["ann", "ben"], k=random.randrange(1, 4))
        if random.random() < 0.3:
            logs.journal("ob_1", *names)
        else:
            logs.put(random.randrange(8), *(f"customer/{name}" for name in names))
    whole = all_of(logs, OPERATOR, 1000)
    assert len(whole) == 1
    for scope in (OPERATOR, OF_ANN):
        pages = all_of(logs, scope, limit)
        assert all(len(page.events) <= limit for page in pages)
        found = [event for page in pages for event in page.events]
        wanted = [event for event in whole[0].events if scope.shows(event)]
        assert len(found) == len(wanted)
        for log in {event.log for event in wanted}:
            assert [one for one in found if one.log == log] == [one for one in wanted if one.log == log]
        for page in pages:
            assert [event.at_ms for event in page.events] == sorted(event.at_ms for event in page.events)


def test_the_cursor_behind_each_event_resumes_right_after_it(logs: Logs) -> None:
    """Also where an entry has several events, others' among them."""
    for lane in (2, 3):
        logs.put(lane, ANN, BEN, ANN, ANN, BEN)
    (page,) = all_of(logs, OF_ANN, 100)
    assert stands(page) == [(f"signed/{lane}", 1, part) for lane in (2, 3) for part in (0, 2, 3)]
    for number, cursor in enumerate(page.cursors(), 1):
        rest = logs.feed.read(OF_ANN, cursor_of(cursor.to_text()), 100)
        assert page.events[:number] + rest.events == page.events
        assert page.first(number).events + logs.feed.read(OF_ANN, page.first(number).cursor, 9).events == page.events


def test_a_subject_sees_its_own_events_and_no_others(logs: Logs) -> None:
    logs.put(1, BEN, ANN, "public", "customer/anna")
    assert stands(logs.feed.read(OF_ANN, Cursor(), 100)) == [("signed/1", 1, 1)]


def test_types_leave_out_all_other_events(logs: Logs) -> None:
    logs.put(1, ANN, kind="signed_order.filled")
    logs.put(1, ANN, kind="balance.changed")
    scope = replace(OPERATOR, types=frozenset({"balance.changed"}))
    assert stands(logs.feed.read(scope, Cursor(), 100)) == [("signed/1", 2, 0)]


def test_entries_of_others_are_passed_a_bounded_number_at_a_time(logs: Logs) -> None:
    """A busy log of others costs reads, but the cursor moves on, and no other log waits behind it."""
    for _ in range(ENTRIES_MAX + 5):
        logs.put(1, BEN)
    logs.put(1, ANN)
    logs.now_ms += 1
    logs.put(2, ANN)
    first = logs.feed.read(OF_ANN, Cursor(), 10)
    assert (stands(first), first.has_more) == ([("signed/2", 1, 0)], True)
    assert first.cursor.place(INSTANCE, "signed/1").sequence == ENTRIES_MAX
    second = logs.feed.read(OF_ANN, first.cursor, 10)
    assert (stands(second), second.has_more) == ([("signed/1", ENTRIES_MAX + 6, 0)], False)


def test_an_answer_reads_a_bounded_number_of_entries_of_all_logs(logs: Logs) -> None:
    areas = ("signed", "ledger")
    for area in areas:
        for lane in range(8):
            for _ in range(ENTRIES_IN_ALL_MAX // 16 + 1):
                logs.put(lane, BEN, area=area)
    page = logs.feed.read(replace(OF_ANN, areas=areas), Cursor(), 10)
    assert sum(place.sequence for place in page.cursor.places.values()) == ENTRIES_IN_ALL_MAX
    assert page.has_more


def test_an_entry_put_between_two_reads_is_in_this_answer_or_in_the_next(logs: Logs) -> None:
    """Whenever it is put: after each call that a reader makes, in turn."""
    for call in range(12):
        cursor = logs.feed.ends(OF_ANN)
        logs.put(1, ANN)
        calls = iter(range(1000))

        def between(_operation: str, call: int = call, calls: Iterator[int] = calls) -> None:
            if next(calls) == call:
                logs.put(call % 8, ANN)

        logs.meanwhile = between
        seen = []
        for _ in range(call + 2):
            page = logs.feed.read(OF_ANN, cursor, 1)
            seen += stands(page)
            cursor = page.cursor
        assert next(calls) > call, "it was put"
        assert len(seen) == len(set(seen)) == 2, (call, seen)


def test_a_book_made_meanwhile_is_read_from_its_first_entry(logs: Logs) -> None:
    logs.make_book("ob_1")
    cursor = logs.feed.ends(OF_BOOKS)
    logs.make_book("ob_2")
    logs.journal("ob_2", "ann")
    page = logs.feed.read(OF_BOOKS, cursor, 10)
    assert stands(page) == [("book/ob_2", 1, 0)]


def test_named_books_alone_are_read(logs: Logs) -> None:
    for book_id in ("ob_1", "ob_2", "ob_3"):
        logs.make_book(book_id)
        logs.journal(book_id, "ann")
    scope = replace(OF_BOOKS, books=frozenset({"ob_1", "ob_3"}))
    assert {event.log for event in logs.feed.read(scope, Cursor(), 10).events} == {"book/ob_1", "book/ob_3"}


# --- waiting


def test_a_wait_ends_with_the_first_event_of_its_subject(logs: Logs, clock: Waiting) -> None:
    cursor = logs.feed.ends(OF_ANN)
    done: list[int] = []

    def meanwhile() -> None:
        if clock.slept_s > 3 and not done:
            done.append(logs.put(3, ANN))
        elif not done:
            logs.put(4, BEN)

    clock.meanwhile = meanwhile
    page = logs.feed.wait(OF_ANN, cursor, 10, 20)
    assert stands(page) == [("signed/3", 1, 0)]
    assert 3 < clock.slept_s < 3.5
    assert page.cursor.place(INSTANCE, "signed/4").sequence > 5, "entries of others move the cursor"


def test_a_wait_without_events_ends_in_time(logs: Logs, clock: Waiting) -> None:
    cursor = logs.feed.ends(OF_ANN)
    page = logs.feed.wait(OF_ANN, cursor, 10, 20)
    assert (page.events, page.has_more, page.cursor) == ([], False, cursor)
    assert clock.slept_s == pytest.approx(20, abs=0.01)


def test_events_that_are_there_are_not_waited_for(logs: Logs, clock: Waiting) -> None:
    logs.put(1, ANN)
    assert len(logs.feed.wait(OF_ANN, Cursor(), 10, 20).events) == 1
    assert clock.slept_s == 0


# --- what it costs


@pytest.mark.usefixtures("clock")
def test_a_poll_of_quiet_logs_is_one_call_of_one_key_a_log_at_half_a_unit(logs: Logs) -> None:
    """The first look is consistent, and looks for the entry passed last, too."""
    logs.make_book("ob_1")
    for lane in range(8):
        logs.put(lane, ANN)
    logs.journal("ob_1", "ann")
    cursor = logs.feed.ends(OPERATOR)
    logs.calls.clear()
    logs.keys, logs.units = 0, 0.0
    logs.feed.wait(OPERATOR, cursor, 10, 20)
    polls = logs.calls.pop("batch_get_item")
    assert polls == 86
    assert logs.keys == 9 * (polls + 1)
    assert logs.units == 9 * 2 + (polls - 1) * 9 / 2
    assert logs.calls == {"query": 1}, "the list of books, once a request"


@pytest.mark.parametrize("missing", ["at_ms", "hash"])
def test_a_damaged_entry_is_named_in_words(logs: Logs, missing: str) -> None:
    logs.make_book("ob_1")
    logs.journal("ob_1", "ann")
    before = logs.feed.ends(OPERATOR)
    logs.journal("ob_1", "ann")
    (row,) = journal.ROWS.after(logs.database, book_key(INSTANCE, "ob_1"), 1)
    del row[missing]
    logs.database.write(Put(journal.TABLE, row, "attribute_exists(#book)"))
    for read in (
        lambda: logs.feed.ends(OPERATOR),
        lambda: logs.feed.read(OPERATOR, before, 10),
        lambda: list(Journal(logs.database).newest_first(book_key(INSTANCE, "ob_1"), logs.now_ms - 1)),
    ):
        with pytest.raises(UnreadableRow, match=f"{INSTANCE}/ob_1 .*{missing}.*'tallybook verify'"):
            read()


def test_news_of_one_log_cost_one_call_more(logs: Logs) -> None:
    for lane in range(8):
        logs.put(lane, BEN)
    cursor = logs.feed.ends(OPERATOR)
    logs.put(5, ANN)
    logs.calls.clear()
    logs.keys = 0
    assert len(logs.feed.read(OPERATOR, cursor, 10).events) == 1
    assert logs.calls == {"batch_get_item": 2, "query": 1}
    assert logs.keys == 16 + ENTRIES_AHEAD, "the next key of each log, and the entry passed last; what follows the news"


def test_a_log_with_many_new_entries_is_queried(logs: Logs) -> None:
    for ahead in range(ENTRIES_AHEAD + 3):
        cursor = logs.feed.ends(OPERATOR)
        for _ in range(ahead):
            logs.put(5, ANN)
        logs.calls.clear()
        assert len(logs.feed.read(OPERATOR, cursor, 100).events) == ahead
        assert logs.calls["query"] == 1 + (ahead > ENTRIES_AHEAD)


def test_three_hundred_logs_are_read_by_a_call_for_each_hundred_keys(logs: Logs) -> None:
    books = [f"ob_{number:03}" for number in range(292)]
    for book_id in books:
        logs.make_book(book_id)
    cursor = logs.feed.ends(OPERATOR)
    assert len(cursor_of(cursor.to_text()).places) == 300
    for book_id in books[::2]:
        logs.journal(book_id, "ann")
    logs.calls.clear()
    page = logs.feed.read(OPERATOR, cursor, 1000)
    assert len(page.events) == 146
    assert (logs.calls["batch_get_item"], logs.calls["query"]) == (3 + 5, 1)
    logs.calls.clear()
    assert logs.feed.read(OPERATOR, page.cursor, 1000).events == []
    assert logs.calls == {"batch_get_item": 5, "query": 1}


def test_more_logs_than_a_cursor_names_are_refused(logs: Logs) -> None:
    scope = replace(OF_BOOKS, books=frozenset(f"ob_{number}" for number in range(LOGS_MAX)))
    logs.feed.ends(scope)
    with pytest.raises(TooManyLogs):
        logs.feed.ends(replace(scope, areas=("signed",)))


# --- cursors that are gone


def test_a_cursor_is_good_for_thirty_days_and_a_day(logs: Logs) -> None:
    logs.put(1, ANN)
    cursor = logs.feed.ends(OPERATOR)
    logs.put(1, ANN)
    logs.now_ms += KEPT_DAYS * DAY_MS + DAY_MS
    assert len(logs.feed.read(OPERATOR, cursor, 10).events) == 1
    logs.now_ms += 1
    with pytest.raises(CursorGone) as gone:
        logs.feed.read(OPERATOR, cursor, 10)
    assert gone.value.begin == logs.feed.ends(OPERATOR)
    logs.put(1, BEN)
    assert stands(logs.feed.read(OPERATOR, gone.value.begin, 10)) == [("signed/1", 3, 0)]


def test_an_old_cursor_of_logs_that_have_been_quiet_since_is_good(logs: Logs) -> None:
    logs.put(1, ANN)
    cursor = logs.feed.ends(OPERATOR)
    logs.now_ms += 400 * DAY_MS
    assert logs.feed.read(OPERATOR, cursor, 10).events == []
    logs.put(2, ANN)
    assert len(logs.feed.read(OPERATOR, cursor, 10).events) == 1


@pytest.mark.parametrize("position", [(2, 0), (7, 0), (1, 1), (2**63, 0), (0, 0)])
def test_a_place_that_names_no_entry_is_gone(logs: Logs, position: tuple[int, int]) -> None:
    """So it is where tables were restored from before the cursor."""
    logs.put(1, ANN)
    sequence, part = position
    end = logs.feed.ends(OPERATOR).place(INSTANCE, "signed/1")
    cursor = logs.feed.ends(OPERATOR).moved(INSTANCE, "signed/1", Place(sequence, end.stamp, part))
    with pytest.raises(CursorGone) as gone:
        logs.feed.read(OPERATOR, cursor, 10)
    assert gone.value.begin.place(INSTANCE, "signed/1") == end


@pytest.mark.parametrize("entries", [1, 2, 4])
@pytest.mark.parametrize("limit", [1, 2, 4])
def test_a_cursor_of_earlier_tables_is_gone(logs: Logs, limit: int, entries: int) -> None:
    """However many entries the tables made anew have, with the same events a moment later."""

    def filled(logs: Logs, entries: int) -> Logs:
        logs.make_book("ob_1")
        for _ in range(entries):
            logs.journal("ob_1", "ann", "ben")
            logs.put(1, ANN, BEN)
        return logs

    earlier = filled(logs, 2).feed.read(OPERATOR, Cursor(), limit)
    anew = Logs(other_tables())
    anew.now_ms += 1
    filled(anew, entries)
    with pytest.raises(CursorGone) as gone:
        anew.feed.read(OPERATOR, cursor_of(earlier.cursor.to_text()), 10)
    assert gone.value.begin == anew.feed.ends(OPERATOR)
    ids = {event.event_id for event in earlier.events}
    assert ids.isdisjoint(event.event_id for event in anew.feed.read(OPERATOR, Cursor(), 100).events)


def test_a_cursor_that_the_restored_tables_have_too_goes_on(logs: Logs) -> None:
    """One behind what was restored is gone, although the tables have as many entries again."""
    restored = Logs(other_tables())
    for one in (logs, restored):
        one.put(1, ANN)
    kept = logs.feed.ends(OPERATOR)
    logs.put(1, ANN)
    lost = logs.feed.ends(OPERATOR)
    restored.now_ms += 1
    for _ in range(3):
        restored.put(1, BEN)
    assert stands(restored.feed.read(OPERATOR, kept, 10)) == [("signed/1", number, 0) for number in (2, 3, 4)]
    with pytest.raises(CursorGone):
        restored.feed.read(OPERATOR, lost, 10)


def test_the_beginning_is_in_front_of_the_first_entry_kept(logs: Logs) -> None:
    for age_days in (90, 60, 31, 29, 2):
        logs.put(1, ANN, age_ms=age_days * DAY_MS)
    logs.put(2, ANN, age_ms=3 * DAY_MS)
    logs.put(3, ANN, age_ms=40 * DAY_MS)
    begin = logs.feed.beginning(OPERATOR)
    assert [begin.place(INSTANCE, f"signed/{lane}").position for lane in (1, 2, 3, 4)] == [
        (3, 0),
        (0, 0),
        (1, 0),
        (0, 0),
    ]
    assert len(logs.feed.read(OPERATOR, begin, 10).events) == 3


def test_a_cursor_of_other_logs_is_refused(logs: Logs) -> None:
    elsewhere = Cursor().moved("inst_other", "signed/1", Place(1, "5a5a5a5a"))
    with pytest.raises(UnreadableCursor):
        logs.feed.read(OPERATOR, elsewhere, 10)


def test_a_cursor_keeps_nothing_but_the_logs_of_its_scope(logs: Logs) -> None:
    cursor = logs.feed.ends(OPERATOR).moved("inst_other", "book/ob_1", Place(3, "5a5a5a5a"))
    assert logs.feed.read(OPERATOR, cursor, 10).cursor == logs.feed.ends(OPERATOR)
