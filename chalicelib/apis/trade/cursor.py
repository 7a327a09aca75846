"""Cursors of lists (R18): a position between rows, not a result. New rows do not shift it, and it never expires."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

from ulid import ULID

from chalicelib.support.ids import TIME_MS_MAX

PAGE_MAX = 10**6
_CURSOR = re.compile(r"v1\.([np])\.(0|[1-9][0-9]{0,14})\.([0-9A-HJKMNP-TV-Z]{26})\.([1-9][0-9]{0,6})")


class NotACursor(ValueError):
    """The text is no cursor of an answer."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """A position in a list, newest first, and a direction.

    is_older: the page has older rows; else the nearest newer ones. at_ms, ulid: time and id of the row at the position.
    page: the number of the cursor's page.
    """

    is_older: bool
    at_ms: int
    ulid: str
    page: int

    def text(self) -> str:
        plain = f"v1.{'n' if self.is_older else 'p'}.{self.at_ms}.{self.ulid}.{self.page}"
        return base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")


def cursor_of(text: str) -> Cursor:
    """Return the cursor that ``Cursor.text`` wrote. Raises NotACursor."""
    try:
        plain = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError) as error:
        raise NotACursor(text) from error
    match = _CURSOR.fullmatch(plain)
    if match is None or int(match[2]) > TIME_MS_MAX or int(match[4]) > PAGE_MAX:
        raise NotACursor(text)
    cursor = Cursor(match[1] == "n", int(match[2]), match[3], int(match[4]))
    try:
        ulid = ULID.from_str(cursor.ulid)
    except ValueError as error:
        raise NotACursor(text) from error
    if (str(ulid), ulid.milliseconds, cursor.text()) != (cursor.ulid, cursor.at_ms, text):
        raise NotACursor(text)
    return cursor
