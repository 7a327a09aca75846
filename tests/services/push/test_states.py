"""Depths as of an entry: moved by what entries change, or read anew where these are too many."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.domain.books.config import BookConfig
from chalicelib.domain.books.journal import Head
from chalicelib.domain.feed.event import FeedEvent
from chalicelib.domain.ledger.amounts import Side
from chalicelib.services.books.depth import Levels
from chalicelib.services.push.recent import ENTRIES_MAX, Entry
from chalicelib.services.push.states import Depths
from tests.world import BASE, BOOK_ID, INSTANCE, QUOTE

LOG = f"book/{BOOK_ID}"
CONFIG = BookConfig(INSTANCE, BOOK_ID, "Test", "B/Q", BASE, QUOTE, base_decimals=0)


class Growing:
    """A book whose every entry adds one unit to its only bid. read: how many entries were read of its log."""

    def __init__(self, end: int) -> None:
        self.end = end
        self.read = 0

    def whole(self, _config: BookConfig) -> tuple[Head, Levels, Levels]:
        return Head(sequence=self.end), [(50, self.end)], []

    def between(self, _instance: str, _log: str, after: int, until: int) -> list[Entry]:
        self.read += until - after
        return [entry_of(number) for number in range(after + 1, until + 1)]


def entry_of(number: int) -> Entry:
    body: Any = {"changes": [{"side": "BUY", "price": "50", "change": "1"}]}
    return Entry(number, [FeedEvent(INSTANCE, LOG, number, "0" * 8, 0, "d", "depth.changed", 1, frozenset(), body)])


@pytest.mark.parametrize(("end", "read"), [(100 + ENTRIES_MAX, ENTRIES_MAX), (101 + ENTRIES_MAX, 0)])
def test_t159_a_depth_that_is_too_far_behind_is_read_anew(end: int, read: int) -> None:
    book = Growing(100)
    depths = Depths(book, book.between)  # type: ignore[arg-type]
    assert depths.at(CONFIG, LOG, 100).quantity(Side.BUY, 50) == 100
    book.end = end
    assert depths.at(CONFIG, LOG, end).quantity(Side.BUY, 50) == end
    assert book.read == read


def test_a_depth_is_moved_back_to_an_entry_before_it() -> None:
    book = Growing(100)
    depths = Depths(book, book.between)  # type: ignore[arg-type]
    assert depths.at(CONFIG, LOG, 97).quantity(Side.BUY, 50) == 97
    assert depths.at(CONFIG, LOG, 100).quantity(Side.BUY, 50) == 100
    assert book.read == 3


def test_t182_a_depth_that_was_left_is_one_callers_alone() -> None:
    """Who has it moves it on."""
    book = Growing(100)
    depths = Depths(book, book.between)  # type: ignore[arg-type]
    depth = depths.at(CONFIG, LOG, 90)
    depths.leave(CONFIG, 90, depth)
    assert depths.left(CONFIG, 91) is None
    assert depths.left(CONFIG, 90) is depth
    assert depths.left(CONFIG, 90) is None
