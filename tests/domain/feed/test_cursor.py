"""Cursors: places in logs, as text and back; bad text is refused, whatever it is."""

from __future__ import annotations

import base64

import msgspec
import pytest

from chalicelib.domain.feed.cursor import (
    BEGINNING,
    TEXT_CHARACTERS_MAX,
    Cursor,
    Place,
    UnreadableCursor,
    behind,
    cursor_of,
)
from chalicelib.domain.feed.event import FeedEvent
from chalicelib.domain.feed.logs import LANES, book_log, lane_for, lanes_of


def event(sequence: int, part: int) -> FeedEvent:
    return FeedEvent("inst_a", "book/b", sequence, part, f"{part}-x", "x", 0, frozenset(), {})


def packed(value: object) -> str:
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(value)).rstrip(b"=").decode()


def test_a_cursor_is_read_as_it_was_written() -> None:
    cursor = Cursor().moved("inst_a", "book/b", Place(7)).moved("inst_a", "ledger/3", Place(0, 2))
    again = cursor_of(cursor.to_text())
    assert again == cursor
    assert again.place("inst_a", "book/b") == Place(7)
    assert again.place("inst_a", "book/another") == BEGINNING
    assert again.place("inst_b", "book/b") == BEGINNING, "another instance's log of the same name is another log"


@pytest.mark.parametrize(
    "text",
    [
        "", "=", "not a cursor", "é", "AAAA", packed([]), packed([1]), packed([2, []]), packed([1, {}]), packed(1),
        packed([1, [[b"a", -1, 0]]]), packed([1, [[b"a", 1, -1]]]), packed([1, [[b"a", True, 0]]]),
        packed([1, [[b"a", 1]]]), packed([1, [["a", 1, 0]]]), packed([1, [[b"a", 1.0, 0]]]), packed([1, []])[:-1],
        base64.urlsafe_b64encode(b"\x91" * 5000).decode(), "A" * (TEXT_CHARACTERS_MAX + 1),
    ],
)  # fmt: skip
def test_text_that_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(UnreadableCursor):
        cursor_of(text)


def test_a_cursor_over_350_logs_is_short_enough_to_be_read() -> None:
    cursor = Cursor()
    for number in range(350):
        cursor = cursor.moved("inst_a", book_log(f"ob_{number}"), Place(10**7 + number))
    assert cursor_of(cursor.to_text()) == cursor


def test_a_place_stands_before_what_was_not_read() -> None:
    assert BEGINNING.is_before(event(1, 0))
    assert behind(event(3, 4), is_last=False).is_before(event(3, 5))
    assert not behind(event(3, 4), is_last=False).is_before(event(3, 4))
    assert behind(event(3, 4), is_last=True).is_before(event(4, 0))
    assert not behind(event(3, 4), is_last=True).is_before(event(3, 5))


def test_what_happens_to_one_thing_stands_in_one_lane_of_its_area() -> None:
    lanes = {lane_for("signed", f"order {number}") for number in range(1000)}
    assert lanes == set(lanes_of("signed"))
    assert len(lanes) == LANES
    assert lane_for("signed", "order 1") == lane_for("signed", "order 1")


def test_an_event_id_names_its_log_entry_and_place_and_nothing_that_changes() -> None:
    first = FeedEvent("inst_a", "book/b", 3, 4, "2-maker", "order.filled", 5, frozenset({"customer/c"}), {})
    moved = FeedEvent("inst_a", "book/b", 3, 9, "2-maker", "order.filled", 5, frozenset(), {"x": 1})
    assert first.event_id == moved.event_id
    assert "." not in first.event_id
    assert first.event_id != FeedEvent("inst_b", "book/b", 3, 4, "2-maker", "x", 5, frozenset(), {}).event_id
    assert first.is_for({"public", "customer/c"})
    assert first.is_for(None)
    assert not first.is_for({"public", "customer/d"})
