"""What a matcher tells whoever watches it. Pure: it knows no log and no metric.

``MatchObserver`` itself looks away: it is what everybody gets who names no other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chalicelib.domain.books.events import Event
from chalicelib.domain.books.vocabulary import Command


@dataclass(frozen=True, slots=True)
class Committed:
    """What became part of a book's journal in one write.

    sequence: of the last entry. entries: how many. commands: those that were decided in them. at_ms: when the write was
    through, ms since the epoch.
    """

    book: str
    sequence: int
    entries: int
    events: Sequence[Event]
    commands: Sequence[Command]
    at_ms: int


class MatchObserver:
    """Is told of each thing once it has happened; must not raise. Of what it is not interested in it keeps nothing."""

    def delivered(self, records: int) -> None:
        """A batch of so many stream records came in."""

    def committed(self, what: Committed) -> None:
        """Entries stand in the journal; they are not projected yet."""

    def redelivered(self, commands: int) -> None:
        """So many of the commands that came in were decided before, or came twice."""

    def lost_fencing(self, book: str) -> None:
        """Another matcher had written the next entry of the book first."""

    def finished_for_others(self, book: str, entries: int) -> None:
        """So many entries were projected that somebody else had committed and not projected."""

    def passed_over(self, commands: int) -> None:
        """So many commands of a parked book were left in the inbox."""

    def left_unfinished(self, commands: int) -> None:
        """So many commands are handed back, to be delivered again."""


UNWATCHED = MatchObserver()
