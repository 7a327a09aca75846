"""What the subscribers of the feed benchmark share: the phases of a run, and how depths are noted."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

UNDISTURBED, DISTURBED = "undisturbed", "with kills and cuts"


@dataclass(frozen=True, slots=True)
class Phases:
    """A run begins undisturbed. Unix ms: from when events are timed, and when the first kill or cut may come."""

    since_ms: float
    disturbed_ms: float

    def of(self, at_ms: float) -> str:
        """Return the phase in which an event was decided."""
        return UNDISTURBED if at_ms < self.disturbed_ms else DISTURBED

    def note(self, delays: dict[str, Counter[int]], at_ms: float) -> None:
        """Count how many ms ago an event was decided that came just now, by phase; early ones not."""
        if at_ms >= self.since_ms:
            delays.setdefault(self.of(at_ms), Counter())[int(time.time() * 1000 - at_ms)] += 1


def depth_digest(depth: Mapping[tuple[str, int], int]) -> str:
    """Return a short form of a depth: open quantity by side and price."""
    return hashlib.sha256(repr(sorted(depth.items())).encode()).hexdigest()[:16]


def due_between(passed: int, sequence: int, every: int) -> range:
    """Return the sequences at which a depth is noted, from the one passed on, before an entry's changes are applied."""
    return range(-(-max(passed, 1) // every) * every, sequence, every)
