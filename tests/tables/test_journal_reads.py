"""Reading a journal backwards, from its end or from a time."""

from __future__ import annotations

from itertools import islice

import pytest

from chalicelib.domain.books.journal import JournalEntry
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.journal import ROWS, Journal
from tests.tables.test_listing_cost import Reads

BOOK = "inst_x/ob_1"
TIMES = [10, 20, 20, 20, 30, 50, 50]


@pytest.fixture
def journal(store: Database) -> Journal:
    journal = Journal(store)
    for sequence, at_ms in enumerate(TIMES, 1):
        journal.append([JournalEntry(BOOK, sequence, at_ms, sequence, "", "", b"[]")])
    journal.append([JournalEntry("inst_x/ob_2", 1, 5, 1, "", "", b"[]")])
    return journal


@pytest.mark.parametrize(
    ("to_ms", "last"), [(9, 0), (10, 1), (19, 1), (20, 4), (29, 4), (30, 5), (49, 5), (50, 7), (99, 7)]
)
def test_entries_are_read_from_a_moment_back(journal: Journal, to_ms: int, last: int) -> None:
    """Every entry of that moment is there, however many have the same time."""
    assert [entry.sequence for entry in journal.newest_first(BOOK, to_ms)] == list(range(last, 0, -1))


def test_without_a_moment_all_entries_are_read(journal: Journal) -> None:
    assert [entry.sequence for entry in journal.newest_first(BOOK)] == [7, 6, 5, 4, 3, 2, 1]


def test_a_book_without_entries_has_none_at_any_moment(journal: Journal) -> None:
    assert list(journal.newest_first("inst_x/ob_3", 20)) == list(journal.newest_first("inst_x/ob_3")) == []


@pytest.mark.usefixtures("journal")
def test_the_end_of_a_journal_and_its_end_at_a_moment_are_read_by_few_attributes(store: Database) -> None:
    last = [ROWS.last(store, book) for book in (BOOK, "inst_x/ob_2", "inst_x/ob_3")]
    assert last == [{"sequence": 7, "at_ms": TIMES[-1], "hash": ""}, {"sequence": 1, "at_ms": 5, "hash": ""}, None]
    assert [ROWS.last_until(store, BOOK, at_ms) for at_ms in (9, 10, 20, 49, 50)] == [0, 1, 4, 5, 7]
    assert [row["sequence"] for row in ROWS.after(store, BOOK, 5, page_rows=1)] == [6, 7]


def test_no_more_entries_are_read_than_are_asked_for(memory_database: Database) -> None:
    entries = [JournalEntry(BOOK, sequence, sequence, sequence, "", "", b"[]") for sequence in range(1, 100)]
    Journal(memory_database).append(entries)
    reads = Reads(memory_database)
    assert ROWS.last(reads.database, BOOK) == {"sequence": 99, "at_ms": 99, "hash": ""}
    assert reads.rows == 1
    assert [row["sequence"] for row in islice(ROWS.after(reads.database, BOOK, 7, page_rows=3), 3)] == [8, 9, 10]
    assert reads.rows == 4
    assert ROWS.last_until(reads.database, BOOK, 40) == 40
    assert reads.rows <= 4 + 1 + 7, "a read for each halving"
