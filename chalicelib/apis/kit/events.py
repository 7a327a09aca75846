"""Long poll of the feed, as all desks share it: from where to read, how long to wait, how an event looks.

``after`` is the cursor of an earlier answer, ``start`` for the oldest events kept, or absent for now: an answer without
events and with a cursor. ``Prefer: wait=N`` waits for the first event.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chalicelib.apis.kit.page_bytes import answer_bytes, fitting
from chalicelib.apis.kit.preference import wait_preference
from chalicelib.domain.feed.cursor import cursor_of
from chalicelib.domain.feed.shown import event_json
from chalicelib.services.feed.reading import EVENTS_MAX, Feed, Scope

LIMIT_DEFAULT, LIMIT_MAX = 100, EVENTS_MAX
WAIT_S_MAX = 20
"""API Gateway ends a request after 29 s."""
START = "start"
TYPES_MAX = 50
TYPES_PATTERN = rf"[A-Za-z0-9_.]{{1,64}}(?:,[A-Za-z0-9_.]{{1,64}}){{0,{TYPES_MAX - 1}}}"
TYPES_MESSAGE = f"must be a comma list of 1 to {TYPES_MAX} types of events, as docs/events.md lists them"
CURSOR_MESSAGE = f"must be the cursor of an earlier answer to such a request, or {START}"
GONE_MESSAGE = (
    "The cursor is too old, or of other tables. Read anew what you keep, then follow from the cursor given here"
)
TOO_MANY_LOGS_MESSAGE = "must name books: the instance has more of them than one request follows"


@dataclass(frozen=True, slots=True)
class Followed:
    """An answer's events as JSON, the cursor behind them, whether more follow at once, and headers."""

    events: Sequence[Mapping[str, object]]
    cursor: str
    has_more: bool
    headers: Mapping[str, str]


def followed(feed: Feed, scope: Scope, after: str | None, limit: int, prefer: str) -> Followed:
    """Return the events of a scope after a cursor. prefer: the header.

    Raises UnreadableCursor, CursorGone, TooManyLogs, Unavailable.
    """
    if after is None:
        return Followed([], feed.ends(scope).to_text(), has_more=False, headers={})
    cursor = feed.beginning(scope) if after == START else cursor_of(after)
    wait_s = wait_preference(prefer, WAIT_S_MAX)
    page = feed.wait(scope, cursor, limit, wait_s or 0)
    shown = fitting([event_json(event) for event in page.events], _bytes_of)
    page = page.first(len(shown))
    applied = {} if wait_s is None else {"Preference-Applied": f"wait={wait_s}"}
    return Followed(shown, page.cursor.to_text(), page.has_more, applied)


def _bytes_of(event: Mapping[str, object]) -> int:
    return answer_bytes(json.dumps(event, ensure_ascii=False))
