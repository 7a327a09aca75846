"""Telemetry of the matcher: the callbacks that it makes. Pure: no log and no metric.

``MatchObserver`` itself does nothing; it is the default.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chalicelib.domain.books.events import Event
from chalicelib.domain.books.vocabulary import Command


@dataclass(frozen=True, slots=True)
class Committed:
    """One commit: entries that one write added to a book's journal.

    sequence: of the last entry. entries: how many. commands: decided in them. at_ms: end of the write, Unix ms.
    """

    book: str
    sequence: int
    entries: int
    events: Sequence[Event]
    commands: Sequence[Command]
    at_ms: int


class MatchObserver:
    """Callbacks after each step. Must not raise; the defaults do nothing."""

    def delivered(self, records: int) -> None:
        """A batch of so many stream records was delivered."""

    def committed(self, what: Committed) -> None:
        """Entries stand in the journal; they are not projected yet."""

    def redelivered(self, commands: int) -> None:
        """So many of the delivered commands were decided before, or were delivered twice."""

    def lost_fencing(self, book: str) -> None:
        """Another matcher had written the next entry of the book first."""

    def finished_for_others(self, book: str, entries: int) -> None:
        """So many entries of another matcher, committed and not projected, were projected."""

    def passed_over(self, commands: int) -> None:
        """So many commands of a parked book were left in the inbox."""

    def left_unfinished(self, commands: int) -> None:
        """So many commands are handed back to the stream, to be delivered again."""


UNWATCHED = MatchObserver()
