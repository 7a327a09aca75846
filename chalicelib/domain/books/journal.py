"""Journal entries: a hash chain of what a book decided, written and replayed.

An entry's hash is SHA-256 over the previous entry's hash and the canonical form of everything else in it, so a book's
journal is tamper-evident from its first entry on. Canonical form: compact JSON, members sorted by name, UTF-8, amounts
as decimal strings. Replaying all entries into an empty book gives the book.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from ulid import ULID

from chalicelib.domain.books.book import Book
from chalicelib.domain.books.events import Event
from chalicelib.domain.books.forms import RawEvent, UnknownEvent, decode, encode
from chalicelib.support.canonical import canonical, quoted
from chalicelib.support.consistency import Inconsistent

GENESIS_HASH = "0" * 64
"""What the first entry of a book names as its predecessor's hash."""

ENTRY_EVENT_BYTES_MAX = 300_000
"""Events of one entry, uncompressed; keeps an entry under DynamoDB's 400 KB whatever compression does."""


class BrokenJournal(Exception):
    """An entry does not follow from the one before it, or names an order that is not there."""


@dataclass(frozen=True)
class JournalEntry:
    """One commit of a book.

    at_ms: when it was decided, ms since the epoch; never less than in the entry before.
    watermark: the highest stream sequence number that the book has consumed.
    content: its events as a canonical JSON array, UTF-8: encoded once, and then measured, hashed and stored.
    redriven: ids of commands in this entry that came from the inbox instead of the stream. Their stream sequence is
        unknown, so a later delivery of them is recognised by id alone.
    """

    book: str
    sequence: int
    at_ms: int
    watermark: int
    previous_hash: str
    hash: str
    content: bytes
    redriven: tuple[str, ...] = ()

    @cached_property
    def events(self) -> tuple[RawEvent, ...]:
        """The events, parsed from the content when they are first asked for."""
        return tuple(json.loads(self.content))

    @property
    def content_hash(self) -> str:
        """The hash that the entry must have: of the previous one, and of everything else in the entry."""
        head = f'{self.previous_hash}{{"at":{self.at_ms},"book":{quoted(self.book)},"events":'
        tail = f',"redriven":{canonical(self.redriven)},"sequence":{self.sequence},"watermark":"{self.watermark}"}}'
        return hashlib.sha256(b"".join((head.encode(), self.content, tail.encode()))).hexdigest()


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a book's journal: what the next entry must follow."""

    sequence: int = 0
    at_ms: int = 0
    watermark: int = 0
    hash: str = GENESIS_HASH


def head_of(entry: JournalEntry) -> Head:
    return Head(entry.sequence, entry.at_ms, entry.watermark, entry.hash)


def draft(
    book: str, head: Head, at_ms: int, watermark: int, events: Iterable[Event], redriven: Sequence[str] = ()
) -> list[JournalEntry]:
    """Return the entries that follow ``head`` with these events: one, or several where one would be too large."""
    entries: list[JournalEntry] = []
    at_ms, watermark = max(at_ms, head.at_ms), max(watermark, head.watermark)
    for content in _contents(events):
        names = tuple(redriven) if not entries else ()
        entry = JournalEntry(book, head.sequence + 1, at_ms, watermark, head.hash, "", content, names)
        entries.append(replace(entry, hash=entry.content_hash))
        head = head_of(entries[-1])
    return entries


def _contents(events: Iterable[Event]) -> Iterator[bytes]:
    """Yield JSON arrays of the events, each as long as an entry may be."""
    texts: list[bytes] = []
    size = 0
    for event in events:
        text = encode(event).encode()
        if texts and size + len(text) + 1 > ENTRY_EVENT_BYTES_MAX:
            yield b"[%b]" % b",".join(texts)
            texts, size = [], 0
        texts.append(text)
        size += len(text) + 1
    if texts:
        yield b"[%b]" % b",".join(texts)


def verify(entry: JournalEntry, head: Head) -> None:
    """Raise BrokenJournal unless the entry follows ``head`` and its hash is that of its content."""
    if entry.sequence != head.sequence + 1 or entry.previous_hash != head.hash:
        raise BrokenJournal(f"{entry.book}: entry {entry.sequence} does not follow {head.sequence}")
    if entry.content_hash != entry.hash:
        raise BrokenJournal(f"{entry.book}: entry {entry.sequence} is not what was hashed")


def replay(book: Book, entry: JournalEntry) -> list[Event]:
    """Fold the entry into the book and return its events. Raises BrokenJournal."""
    events: list[Event] = []
    book.begin(entry.at_ms)
    try:
        raws = entry.events
    except (ValueError, TypeError) as error:
        raise BrokenJournal(f"{entry.book}: entry {entry.sequence} has no list of events") from error
    for raw in raws:
        try:
            event = decode(raw, book)
            book.apply(event)
        except UnknownEvent as error:
            raise BrokenJournal(f"{entry.book}: entry {entry.sequence}: {error}") from error
        except (KeyError, ValueError, TypeError, Inconsistent) as error:
            raise BrokenJournal(f"{entry.book}: entry {entry.sequence} cannot be folded at {raw}") from error
        events.append(event)
    return events


def trade_id(entry: JournalEntry, number: int) -> str:
    """Return the id of the entry's trade at this event number: a ULID (T15) made from the entry alone.

    Its time is the entry's; its random part is the sequence, the event number and the book's digest, so ids of one
    book ascend as its trades happened, and every fold gives the same ones.
    """
    book_digest = hashlib.sha256(entry.book.encode()).digest()[:4]
    tail = (entry.sequence % 2**32).to_bytes(4, "big") + number.to_bytes(2, "big") + book_digest
    return f"trade_{ULID.from_bytes(entry.at_ms.to_bytes(6, 'big') + tail)}"
