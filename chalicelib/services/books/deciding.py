"""Deciding as the matcher does it: steps of a command, refused where a commit could not hold their events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from chalicelib.domain.books.book import Book
from chalicelib.domain.books.commands import QueuedUndecidable, Step, decide
from chalicelib.domain.books.events import Event, Traded, Triggered
from chalicelib.domain.books.vocabulary import Command

COMMAND_BYTES_MAX = 2_500_000
"""Bound of a command's events, compressed; a larger command is rejected. Its entries and the uncommitted ones before it
must fit one transaction (4 MB)."""
EVENT_BYTES_MAX = 200
"""Bound of a compressed event without the maker's customerRef: the largest amounts and random ids."""
REF_BYTES_MAX = 1024
"""The longest customerRef: 256 code points of 4 bytes."""


class Undecidable(Exception):
    """The core failed on a command, and may have left the book half changed."""


class CommandTooLarge(Exception):
    """The command would trade with more orders than one commit can hold."""


def steps_of(book: Book, command: Command, at_ms: int) -> Iterator[Step]:
    """Decide a command and yield its steps. Raises Undecidable where the core raises before the command is decided.

    A step whose events are too large for a commit counts as undecidable. An error after the command's own step is not
    the command's fault and is raised unchanged, as QueuedUndecidable is.
    """
    is_decided = False
    try:
        for step in decide(book, command, at_ms):
            if step.command is not None and _may_be_too_large(step.events):
                raise CommandTooLarge(f"{len(step.events)} events")
            is_decided = is_decided or step.command is not None
            yield step
    except QueuedUndecidable:
        raise
    except Exception as error:
        if is_decided:
            raise
        raise Undecidable from error


def sized(steps: Iterable[Step]) -> Iterator[Step]:
    """Yield steps. Raises QueuedUndecidable where a triggered order's events are too large for a commit (O4)."""
    for step in steps:
        first = step.events[0]
        if isinstance(first, Triggered) and _may_be_too_large(step.events):
            raise QueuedUndecidable(first.order.order_id)
        yield step


def _may_be_too_large(events: list[Event]) -> bool:
    if len(events) * (EVENT_BYTES_MAX + REF_BYTES_MAX) <= COMMAND_BYTES_MAX:
        return False
    makers = sum(len(event.maker.customer.encode()) for event in events if isinstance(event, Traded))
    return len(events) * EVENT_BYTES_MAX + makers > COMMAND_BYTES_MAX
