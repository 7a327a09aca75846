"""Journal entries whose time contradicts the expiry of orders (R24), which only ``verify`` would notice."""

from __future__ import annotations

import pytest

from chalicelib.domain.books.book import Book
from chalicelib.domain.books.config import BookConfig
from chalicelib.domain.books.events import Event
from chalicelib.domain.books.journal import Head, JournalEntry, draft, head_of
from chalicelib.domain.books.matching import place
from chalicelib.services.books.disagreements import Disagreement
from chalicelib.services.books.fold import BookFold
from tests.domain.books.orders import AT_MS, BUY, SELL, followed_up, limit
from tests.world import BASE, QUOTE

CONFIG = BookConfig("inst_x", "ob", "Test", "B/Q", BASE, QUOTE, base_decimals=0)
KEY = "inst_x/ob"
DUE_MS = AT_MS + 10


def told(*groups: tuple[list[Event], int]) -> Disagreement | None:
    """Fold entries of these events and times; return what is told of the last one."""
    fold, head = BookFold(KEY, CONFIG), Head()
    disagreement: Disagreement | None = None
    for events, at_ms in groups:
        assert disagreement is None
        entry: JournalEntry
        (entry,) = draft(KEY, head, at_ms, 0, events)
        disagreement, head = fold.fold(entry), head_of(entry)
    return disagreement


@pytest.mark.parametrize(("at_ms", "is_late"), [(DUE_MS - 1, False), (DUE_MS, True), (DUE_MS + 5, True)])
@pytest.mark.parametrize("expiring", ["maker", "taker"])
def test_a_trade_at_or_after_the_time_of_one_of_its_orders_is_reported(
    expiring: str, at_ms: int, is_late: bool
) -> None:
    book = Book(CONFIG.first_rules)
    lives = {expiring: DUE_MS}
    rested = place(book, limit("maker", SELL, 50, 5, expires_at_ms=lives.get("maker")), AT_MS)
    traded = place(book, limit("taker", BUY, 50, 5, expires_at_ms=lives.get("taker")), AT_MS)
    expected = f"a time after that of the entry, {at_ms}"
    late = Disagreement(f"{KEY} entry 2, expiry of order {expiring}", expected, str(DUE_MS))
    assert told((rested, AT_MS), (traded, at_ms)) == (late if is_late else None)


@pytest.mark.parametrize(("at_ms", "is_late"), [(DUE_MS - 1, False), (DUE_MS, True)])
def test_an_order_that_rests_at_its_expiry_is_reported(at_ms: int, is_late: bool) -> None:
    book = Book(CONFIG.first_rules)
    disagreement = told((place(book, limit("order", SELL, 50, 5, expires_at_ms=DUE_MS), AT_MS), at_ms))
    assert (disagreement is not None) is is_late


@pytest.mark.parametrize(("at_ms", "is_early"), [(DUE_MS - 1, True), (DUE_MS, False), (DUE_MS + 5, False)])
def test_an_order_that_expired_before_its_time_is_reported(at_ms: int, is_early: bool) -> None:
    book = Book(CONFIG.first_rules)
    rested = place(book, limit("order", SELL, 50, 5, expires_at_ms=DUE_MS), AT_MS)
    expected = f"a time not after that of the entry, {at_ms}"
    early = Disagreement(f"{KEY} entry 2, expiry of order order", expected, str(DUE_MS))
    assert told((rested, AT_MS), (followed_up(book, DUE_MS), at_ms)) == (early if is_early else None)
