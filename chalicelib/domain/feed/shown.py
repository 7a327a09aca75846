"""Events as JSON: in answers to a long poll, and in webhooks."""

from __future__ import annotations

from datetime import UTC, datetime

from chalicelib.domain.feed.event import FeedEvent, Json


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
