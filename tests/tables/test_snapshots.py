"""Snapshots: complete or absent, the newest wins, old ones are removed."""

from __future__ import annotations

import pytest

from chalicelib.domain.books.snapshot import BrokenSnapshot
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.rows import Row
from chalicelib.tables.snapshots import Snapshot, Snapshots
from tests.ordering import in_order

BOOK = "inst_test0001/ob_test"


@pytest.fixture
def snapshots(store: Database, monkeypatch: pytest.MonkeyPatch) -> Snapshots:
    """Pieces of ten bytes, so that a snapshot has several."""
    monkeypatch.setattr("chalicelib.tables.snapshots.PIECE_BYTES_MAX", 10)
    return Snapshots(store)


def at(sequence: int, size: int = 35) -> Snapshot:
    return Snapshot(sequence, bytes((sequence + n) % 256 for n in range(size)))


def pieces(store: Database) -> list[Row]:
    rows = list(store.query("journal", "#book = :book", {":book": f"{BOOK}/snapshot"}))
    return [row for row in rows if "piece" in row]


def test_a_book_has_no_snapshot_at_first(snapshots: Snapshots) -> None:
    assert snapshots.newest(BOOK) is None


@pytest.mark.parametrize("size", [1, 10, 11, 35, 600])
def test_a_snapshot_is_put_together_again_from_its_pieces(snapshots: Snapshots, store: Database, size: int) -> None:
    snapshots.write(BOOK, at(3, size))
    assert snapshots.newest(BOOK) == at(3, size)
    assert len(pieces(store)) == -(-size // 10)


def test_the_newest_takes_the_place_of_older_ones_and_their_pieces_go(snapshots: Snapshots, store: Database) -> None:
    snapshots.write(BOOK, at(3, 95))
    snapshots.write(BOOK, at(12, 25))
    assert snapshots.newest(BOOK) == at(12, 25)
    assert len(pieces(store)) == 3


def test_written_twice_is_written_once(snapshots: Snapshots, store: Database) -> None:
    snapshots.write(BOOK, at(3))
    once = list(store.scan("journal"))
    snapshots.write(BOOK, at(3))
    assert in_order(store.scan("journal")) == in_order(once)


def test_an_older_one_that_comes_late_is_not_seen_and_goes_with_the_next(snapshots: Snapshots, store: Database) -> None:
    """A slow matcher writes the snapshot of sequence 3 after another has written that of sequence 12."""
    snapshots.write(BOOK, at(12))
    snapshots.write(BOOK, at(3))
    assert snapshots.newest(BOOK) == at(12)
    snapshots.write(BOOK, at(20))
    assert snapshots.newest(BOOK) == at(20)
    assert len(pieces(store)) == 4


def test_one_that_is_still_being_written_is_not_seen(snapshots: Snapshots, store: Database) -> None:
    snapshots.write(BOOK, at(3))
    store.put_many("journal", [{"book": f"{BOOK}/snapshot", "sequence": 12 * 10_000, "piece": b"half"}])
    assert snapshots.newest(BOOK) == at(3)
    snapshots.write(BOOK, at(13))
    assert snapshots.newest(BOOK) == at(13)
    assert len(pieces(store)) == 4


def test_a_reader_that_is_overtaken_by_a_newer_one_reads_that(snapshots: Snapshots, store: Database) -> None:
    """Between its look at the pointer and its reading of the pieces, the old pieces go."""
    snapshots.write(BOOK, at(3))

    class Overtaken(Database):
        is_overtaken = False

        def get(self, table: str, key: object) -> Row | None:
            pointer = store.get(table, key)  # type: ignore[arg-type]
            if not self.is_overtaken:
                self.is_overtaken = True
                snapshots.write(BOOK, at(12))
            return pointer

    assert Snapshots(Overtaken(store._client, store._prefix)).newest(BOOK) == at(12)


def test_a_missing_or_changed_piece_is_noticed(snapshots: Snapshots, store: Database) -> None:
    snapshots.write(BOOK, at(3))
    first, *_, last = pieces(store)
    store.put_many("journal", [first | {"piece": b"0123456789"}])
    with pytest.raises(BrokenSnapshot, match="not what was written"):
        snapshots.newest(BOOK)
    store.put_many("journal", [first])
    assert snapshots.newest(BOOK) == at(3)
    store.delete_many("journal", [{"book": last["book"], "sequence": last["sequence"]}])
    with pytest.raises(BrokenSnapshot, match="missing"):
        snapshots.newest(BOOK)


def test_books_have_snapshots_of_their_own(snapshots: Snapshots) -> None:
    snapshots.write(BOOK, at(3))
    snapshots.write("inst_test0001/ob_other", at(4))
    assert snapshots.newest(BOOK) == at(3)
    assert snapshots.newest("inst_test0001/ob_other") == at(4)
