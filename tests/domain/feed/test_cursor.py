"""Cursors: places in logs, as text and back; bad text is refused, whatever it is."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from chalicelib.domain.feed.cursor import BEGINNING, TEXT_CHARACTERS_MAX, Cursor, Place, UnreadableCursor, cursor_of
from chalicelib.domain.feed.event import FeedEvent
from chalicelib.domain.feed.logs import LANES, book_log, lane_for, lanes_of

STAMP = "0badcafe"
NAME = b"digest" + bytes.fromhex(STAMP)
OTHERS: dict[str, Any] = {"instance": "inst_b", "log": "book/c", "sequence": 4, "stamp": "0badcaff", "name": "2-taker"}


def event(sequence: int, part: int) -> FeedEvent:
    return FeedEvent("inst_a", "book/b", sequence, STAMP, part, f"{part}-x", "x", 0, frozenset(), {})


def packed(value: object) -> str:
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(value)).rstrip(b"=").decode()


def test_a_cursor_is_read_as_it_was_written() -> None:
    cursor = Cursor().moved("inst_a", "book/b", Place(7, STAMP)).moved("inst_a", "ledger/3", Place(0, STAMP, 2))
    again = cursor_of(cursor.to_text())
    assert again == cursor
    assert again.place("inst_a", "book/b") == Place(7, STAMP)
    assert again.place("inst_a", "book/another") == BEGINNING
    assert again.place("inst_b", "book/b") == BEGINNING, "another instance's log of the same name is another log"


@pytest.mark.parametrize(
    "text",
    [
        "", "=", "not a cursor", "é", "AAAA", packed([]), packed([2]), packed(2), packed([2, b""]), packed([2, {}, []]),
        packed([2, NAME, [-1, 0]]), packed([2, NAME, [1, -1]]), packed([2, NAME, [True, 0]]), packed([2, NAME, [1]]),
        packed([2, NAME, [1.0, 0]]), packed([2, NAME, [1, 0, 1, 0]]), packed([2, NAME + b"a", [1, 0]]),
        packed([2, NAME + b"aaaaa", [1, 0, 1]]), packed([2, "a" * 10, [1, 0]]), packed([3, NAME, [1, 0]]),
        packed([1, [[b"a" * 8, 1, 0]]]), packed([2, NAME, [1, 0]])[:-1],
        base64.urlsafe_b64encode(b"\x91" * 5000).decode(), "A" * (TEXT_CHARACTERS_MAX + 1),
    ],
)  # fmt: skip
def test_text_that_is_no_cursor_or_one_of_an_earlier_form_is_refused(text: str) -> None:
    with pytest.raises(UnreadableCursor):
        cursor_of(text)


def test_a_cursor_over_350_logs_is_short_enough_to_be_read() -> None:
    cursor = Cursor()
    for number in range(350):
        cursor = cursor.moved("inst_a", book_log(f"ob_{number}"), Place(2**32 - 1, STAMP))
    assert len(cursor.to_text()) <= 7500
    assert cursor_of(cursor.to_text()) == cursor


def test_what_happens_to_one_thing_stands_in_one_lane_of_its_area() -> None:
    lanes = {lane_for("signed", f"order {number}") for number in range(1000)}
    assert lanes == set(lanes_of("signed"))
    assert len(lanes) == LANES
    assert lane_for("signed", "order 1") == lane_for("signed", "order 1")


def test_an_event_id_names_its_log_entry_and_place_and_nothing_that_changes() -> None:
    first = FeedEvent("inst_a", "book/b", 3, STAMP, 4, "2-maker", "order.filled", 5, frozenset({"customer/c"}), {})
    moved = replace(first, part=9, receivers=frozenset(), body={"x": 1})
    assert first.event_id == moved.event_id
    assert "." not in first.event_id
    others = [replace(first, **{name: other}) for name, other in OTHERS.items()]
    assert len({first.event_id, *(other.event_id for other in others)}) == len(OTHERS) + 1
    assert first.is_for({"public", "customer/c"})
    assert first.is_for(None)
    assert not first.is_for({"public", "customer/d"})
