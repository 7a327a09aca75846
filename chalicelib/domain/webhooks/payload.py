"""Bodies of webhooks."""

from __future__ import annotations

from chalicelib.domain.feed.event import FeedEvent
from chalicelib.domain.feed.shown import event_json
from chalicelib.support.canonical import compact


def payload_of(event: FeedEvent, *, is_body_alone: bool) -> bytes:
    """Return what is posted. is_body_alone: nothing but the event's body, as the escrow desk's vendor does (E24)."""
    return compact(event.body if is_body_alone else event_json(event)).encode(errors="replace")
