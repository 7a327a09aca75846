"""Checks the lanes of the outbox: numbers 1, 2, 3, ... without gaps, and events that can be read.

Memory: about 200 bytes a lane.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from chalicelib.domain.feed.event import FeedEvent
from chalicelib.domain.feed.outbox import OutboxEntry, events_of
from chalicelib.services.books.disagreements import Disagreement, typed
from chalicelib.tables.outbox import outbox_entry_of
from chalicelib.tables.rows import Row


@dataclass(slots=True)
class LaneCheck:
    """lanes: number of entries and highest number, by owner."""

    lanes: dict[str, tuple[int, int]] = field(default_factory=dict)

    def add(self, row: Row) -> tuple[OutboxEntry, list[FeedEvent]]:
        """Add a row of the table ``outbox``; return its entry and events. Raises one of UNREADABLE."""
        instance, entry = outbox_entry_of(row)
        entries, highest = self.lanes.get(row["owner"], (0, 0))
        self.lanes[row["owner"]] = entries + 1, max(highest, entry.number)
        return typed(entry), [typed(event) for event in events_of(instance, entry)]

    def disagreements(self) -> Iterator[Disagreement]:
        for owner, (entries, highest) in sorted(self.lanes.items()):
            if entries != highest:
                yield Disagreement(f"outbox {owner}, number of entries", str(highest), str(entries))
