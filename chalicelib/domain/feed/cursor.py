"""Cursors: a place in each log of an instance, as one text that clients hand back unread."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from chalicelib.domain.feed.event import FeedEvent
from chalicelib.domain.feed.logs import log_digest

FORM = 1
TEXT_CHARACTERS_MAX = 8192
"""Longest cursor that is read: 350 logs."""
_TEXT = re.compile(r"[A-Za-z0-9_-]+")


class UnreadableCursor(ValueError):
    """The text is no cursor, or not one of this instance's."""


class Place(NamedTuple):
    """A place in a log: behind entry ``sequence`` and the first ``part`` events of the next one."""

    sequence: int
    part: int = 0

    def is_before(self, event: FeedEvent) -> bool:
        return (self.sequence + 1, self.part) <= (event.sequence, event.part)


BEGINNING = Place(0)


def behind(event: FeedEvent, is_last: bool) -> Place:
    """Return the place behind an event. is_last: whether it is its entry's last."""
    return Place(event.sequence) if is_last else Place(event.sequence - 1, event.part + 1)


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
        places = [(bytes.fromhex(digest), *place) for digest, place in self.places.items()]
        return base64.urlsafe_b64encode(msgspec.msgpack.encode((FORM, places))).rstrip(b"=").decode()


def cursor_of(text: str) -> Cursor:
    """Return the cursor that ``to_text`` wrote. Raises UnreadableCursor; takes time linear in the text's length."""
    if len(text) > TEXT_CHARACTERS_MAX or not _TEXT.fullmatch(text):
        raise UnreadableCursor("not a cursor")
    try:
        packed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        form, places = msgspec.msgpack.decode(packed, type=tuple[int, list[tuple[bytes, int, int]]])
    except (ValueError, RecursionError) as error:
        raise UnreadableCursor("not a cursor") from error
    if form != FORM or any(sequence < 0 or part < 0 for _, sequence, part in places):
        raise UnreadableCursor("not a cursor of this version")
    return Cursor({digest.hex(): Place(sequence, part) for digest, sequence, part in places})
