"""Snapshots (table ``journal``, under ``<book>/snapshot``): a book's state in pieces, beside its entries.

Piece n of the snapshot at sequence s has the sort key s * 10,000 + n. Row 0 is the pointer to the newest complete
snapshot; it moves only after all pieces of the new one are written, so a reader never sees an incomplete one::

    old pieces | new pieces being written     pointer -> old    readers: old
    old pieces | new pieces                   pointer -> new    readers: new, or old: they read the pointer again
                 new pieces                   pointer -> new    readers: new

The state at a sequence is always the same, so two matchers write the same rows. Pieces left by a crash lie below the
next pointer and are removed with the old snapshot's.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from chalicelib.domain.books.snapshot import BrokenSnapshot
from chalicelib.support.consistency import Inconsistent
from chalicelib.tables.attempts import tries
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.journal import TABLE
from chalicelib.tables.rows import whole
from chalicelib.tables.writes import ConditionFailed, Update

PIECE_BYTES_MAX = 350_000
"""Size of a piece in bytes: below DynamoDB's limit of 400 KB for a row."""
PIECES_MAX = 10_000
READ_TRIES_MAX = 5


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A complete snapshot as stored."""

    sequence: int
    content: bytes


class Snapshots:
    def __init__(self, database: Database) -> None:
        self._database = database

    def newest(self, book: str) -> Snapshot | None:
        """Return the newest complete snapshot, or None. Raises BrokenSnapshot if its pieces are damaged."""
        try:
            return self._newest(book)
        except (KeyError, TypeError) as error:
            raise BrokenSnapshot(f"{book}: {error!r}") from error

    def _newest(self, book: str) -> Snapshot | None:
        for _ in tries(READ_TRIES_MAX, self._database.pause):
            pointer = self._database.get(TABLE, _pointer_key(book))
            if pointer is None:
                return None
            sequence = whole(pointer, "snapshot_sequence")
            first, last = _piece_keys(sequence)
            condition = "#book = :book AND #sequence BETWEEN :first AND :last"
            values = {":book": _partition(book), ":first": first, ":last": last}
            pieces = [row["piece"] for row in self._database.query(TABLE, condition, values)]
            if len(pieces) == whole(pointer, "pieces"):
                content = b"".join(pieces)
                if hashlib.sha256(content).hexdigest() != pointer["digest"]:
                    raise BrokenSnapshot(f"{book}: the snapshot at {sequence} is not what was written")
                return Snapshot(sequence, content)
            # A newer snapshot replaced it between the two reads; the pointer names that one now.
        raise BrokenSnapshot(f"{book}: pieces of its snapshot are missing")

    def write(self, book: str, snapshot: Snapshot) -> None:
        """Store a snapshot and remove older ones. Writing an older one than stored changes nothing for readers.

        Raises what a write raises; an incomplete snapshot does no harm, and the next one removes it.
        """
        content, sequence = snapshot.content, snapshot.sequence
        pieces = [content[at : at + PIECE_BYTES_MAX] for at in range(0, len(content), PIECE_BYTES_MAX)]
        if not (0 < len(pieces) < PIECES_MAX):
            raise Inconsistent("the snapshot is too large")
        first, _ = _piece_keys(sequence)
        rows = ({"book": _partition(book), "sequence": first + n, "piece": piece} for n, piece in enumerate(pieces))
        self._database.put_many(TABLE, rows)
        no_pointer_yet, pointer_is_older = "attribute_not_exists(#book)", "#snapshot_sequence < :sequence"
        pointer = Update(
            TABLE,
            _pointer_key(book),
            "SET #snapshot_sequence = :sequence, #pieces = :pieces, #digest = :digest",
            f"{no_pointer_yet} OR {pointer_is_older}",
            {":sequence": sequence, ":pieces": len(pieces), ":digest": hashlib.sha256(content).hexdigest()},
        )
        try:
            digest = hashlib.sha256(content).hexdigest()
            self._database.write(pointer, lambda row: row is not None and row["digest"] == digest)
        except ConditionFailed:  # this snapshot or a newer one is stored already
            return
        self._remove_before(book, sequence)

    def _remove_before(self, book: str, sequence: int) -> None:
        first, _ = _piece_keys(sequence)
        condition = "#book = :book AND #sequence BETWEEN :oldest AND :last"
        values = {":book": _partition(book), ":oldest": 1, ":last": first - 1}
        rows = self._database.query(TABLE, condition, values, ProjectionExpression="#book, #sequence")
        self._database.delete_many(TABLE, [{"book": row["book"], "sequence": row["sequence"]} for row in rows])


def _partition(book: str) -> str:
    return f"{book}/snapshot"


def _pointer_key(book: str) -> dict[str, str | int]:
    return {"book": _partition(book), "sequence": 0}


def _piece_keys(sequence: int) -> tuple[int, int]:
    """Return the lowest and highest sort key that the snapshot's pieces can have."""
    return sequence * PIECES_MAX, (sequence + 1) * PIECES_MAX - 1
