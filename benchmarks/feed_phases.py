"""The phases of a run of the feed benchmark, and how long events took in each."""

from __future__ import annotations

import time
from collections import Counter
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
