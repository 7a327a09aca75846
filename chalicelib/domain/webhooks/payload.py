"""Bodies of webhooks."""

from __future__ import annotations

from datetime import UTC, datetime

from chalicelib.domain.feed.event import FeedEvent, Json
from chalicelib.support.canonical import compact


def event_json(event: FeedEvent) -> dict[str, Json]:
    """Return an event as docs/events.md shows it."""
    at = datetime.fromtimestamp(event.at_ms / 1000, UTC)
    return {
        "id": event.event_id,
        "type": event.type,
        "time": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "log": event.log,
        "sequence": event.sequence,
        "part": event.part,
        "body": event.body,
    }


def payload_of(event: FeedEvent, *, is_body_alone: bool) -> bytes:
    """Return what is posted. is_body_alone: nothing but the event's body, as the escrow desk's vendor does (E24)."""
    return compact(event.body if is_body_alone else event_json(event)).encode(errors="replace")
