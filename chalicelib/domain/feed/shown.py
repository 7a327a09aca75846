"""Events as JSON: in answers to a long poll, and in webhooks."""

from __future__ import annotations

from datetime import UTC, datetime

from chalicelib.domain.feed.event import FeedEvent, Json


def event_json(event: FeedEvent) -> dict[str, Json]:
    """Return an event as docs/events.md shows it."""
    return {
        "id": event.event_id,
        "type": event.type,
        "time": iso_ms(event.at_ms),
        "log": event.log,
        "sequence": event.sequence,
        "part": event.part,
        "body": event.body,
    }


def iso_ms(at_ms: int) -> str:
    """Return a time, Unix ms, as the feed shows it: ISO 8601, UTC, ms."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
