"""Cursors: a place in each log of an instance, as one text that clients hand back unread.

A place names an entry by its number and by its stamp. So a cursor of earlier tables is noticed: where tables were made
anew or restored, the entry of that number has another stamp, or is not there.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from chalicelib.domain.feed.event import FeedEvent
from chalicelib.domain.feed.logs import DIGEST_DIGITS, STAMP_DIGITS, log_digest

FORM = 2
TEXT_CHARACTERS_MAX = 8192
"""Longest cursor that is read: 350 logs with sequences below 2^32, each entry read to its end, take 7,500."""
NO_STAMP = "0" * STAMP_DIGITS
_NAME_BYTES = (DIGEST_DIGITS + STAMP_DIGITS) // 2
_TEXT = re.compile(r"[A-Za-z0-9_-]+")


class UnreadableCursor(ValueError):
    """The text is no cursor, or not one of this instance's."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a log: behind entry ``sequence`` and the first ``part`` events of the next one.

    stamp: that of the ``entry`` which the place names (``logs.stamp_of``).
    """

    sequence: int
    stamp: str
    part: int = 0

    @property
    def position(self) -> tuple[int, int]:
        """How far the place is, to be compared with others of its log."""
        return self.sequence, self.part

    @property
    def entry(self) -> int:
        """The sequence of the entry that was read last, in part or whole; 0: none was."""
        return self.sequence + (self.part > 0)


BEGINNING = Place(0, NO_STAMP)


def behind(event: FeedEvent, is_last: bool) -> Place:
    """Return the place behind an event. is_last: whether it is its entry's last."""
    whole = Place(event.sequence, event.stamp)
    return whole if is_last else Place(event.sequence - 1, event.stamp, event.part + 1)


@dataclass(frozen=True, slots=True)
class Cursor:
    """Places by digest of the log (``log_digest``). A log that it does not name has not begun: it is read whole."""

    places: Mapping[str, Place] = field(default_factory=dict)

    def place(self, instance: str, log: str) -> Place:
        return self.places.get(log_digest(instance, log), BEGINNING)

    def moved(self, instance: str, log: str, place: Place) -> Cursor:
        return Cursor({**self.places, log_digest(instance, log): place})

    def to_text(self) -> str:
        """Return the cursor as URL-safe text."""
        names = bytes.fromhex("".join(digest + place.stamp for digest, place in self.places.items()))
        positions = [number for place in self.places.values() for number in place.position]
        return base64.urlsafe_b64encode(msgspec.msgpack.encode((FORM, names, positions))).rstrip(b"=").decode()


def cursor_of(text: str) -> Cursor:
    """Return the cursor that ``to_text`` wrote. Raises UnreadableCursor; takes time linear in the text's length."""
    if len(text) > TEXT_CHARACTERS_MAX or not _TEXT.fullmatch(text):
        raise UnreadableCursor("not a cursor")
    try:
        packed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        form, names, positions = msgspec.msgpack.decode(packed, type=tuple[int, bytes, list[int]])
    except (ValueError, RecursionError) as error:
        raise UnreadableCursor("not a cursor of this version") from error
    count, rest = divmod(len(names), _NAME_BYTES)
    if form != FORM or rest or len(positions) != 2 * count or any(number < 0 for number in positions):
        raise UnreadableCursor("not a cursor of this version")
    places = {}
    for index in range(count):
        name = names[index * _NAME_BYTES : (index + 1) * _NAME_BYTES].hex()
        sequence, part = positions[2 * index : 2 * index + 2]
        places[name[:-STAMP_DIGITS]] = Place(sequence, name[-STAMP_DIGITS:], part)
    return Cursor(places)
