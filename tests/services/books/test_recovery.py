"""Starting again: from snapshots, after faults between commit and projection, without the stream."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from chalicelib.domain.books.journal import JournalEntry
from chalicelib.domain.books.snapshot import BookState
from chalicelib.domain.books.vocabulary import OrderStatus
from chalicelib.services.books.depth import DepthReader
from chalicelib.services.books.matcher import Matcher
from chalicelib.services.books.projection import Projector
from chalicelib.services.books.redrive import redrive
from chalicelib.services.books.stream import match_records
from chalicelib.support.outcomes import Unavailable
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.snapshots import Snapshots
from tests.faults import Call, WatchedClient, unavailable
from tests.invariants import check_invariants
from tests.scenarios import CREDITED, FUNDS, Scenario, random_commands
from tests.world import NOW_MS, QUOTE, World


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Snapshots after every kilobyte of the journal, in pieces of 300 bytes."""
    monkeypatch.setattr("chalicelib.domain.books.snapshot.SNAPSHOT_AFTER_BYTES_MIN", 1000)
    monkeypatch.setattr("chalicelib.tables.snapshots.PIECE_BYTES_MAX", 300)


@pytest.mark.usefixtures("often")
def test_a_new_matcher_reads_the_snapshot_and_what_came_after_it_only(world: World) -> None:
    random_commands(world, 40, seed=1)
    assert world.deliver() == []
    snapshot = Snapshots(world.database).newest(world.book)
    assert snapshot is not None
    world.database.delete_many(
        "journal", [{"book": world.book, "sequence": number} for number in range(1, snapshot.sequence + 1)]
    )
    assert list(world.journal.after(world.book, 0)) == list(world.journal.after(world.book, snapshot.sequence))
    late = world.placed("ann", "BUY", 1, 105)
    assert world.deliver(records=world.records[-1:]) == []
    assert world.order("ann", late).sequence is not None
    assert world.deliver() == []


@pytest.mark.usefixtures("often")
def test_snapshots_are_written_as_the_journal_grows_and_cost_no_more_than_it(world: World) -> None:
    """Written when the entries since the last one exceed the larger of the least size and that snapshot's own."""
    written: dict[int, int] = {}
    matcher = world.matcher()
    for seed in range(20):
        at = len(world.records)
        random_commands(world, 5, seed)
        assert world.deliver(matcher, world.records[at:]) == []
        snapshot = Snapshots(world.database).newest(world.book)
        if snapshot is not None:
            written[snapshot.sequence] = len(snapshot.content)
    journal_bytes = sum(stored for _, stored in world.journal.sized_after(world.book, 0))
    assert len(written) > 2
    assert sum(written.values()) - max(written.values()) < journal_bytes
    check_invariants(world, CREDITED)


READERS: dict[str, Callable[[World], Callable[[], object]]] = {
    "the expiry of orders": lambda world: partial(world.matcher().expire_due, world.book),
    "a reader of depths": lambda world: partial(DepthReader(world.database).whole, world.config),
}
"""Who keeps books in memory, and is not told of new entries."""


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize("reader", READERS)
def test_t159_a_book_in_memory_that_is_far_behind_its_journal_is_loaded_from_its_snapshot(
    world: World, reader: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What that reads is bounded by the snapshot, however much others have decided since."""
    look, matcher, folded = READERS[reader](world), world.matcher(), list[int]()
    replay = BookState.replay

    def counted(state: BookState, entry: JournalEntry) -> Any:
        folded.append(entry.sequence)
        return replay(state, entry)

    monkeypatch.setattr(BookState, "replay", counted)
    look()
    for _ in range(100):
        world.placed("ann", "BUY", 1, 100)
        assert world.deliver(matcher, world.records[-1:]) == []
    decided, folded[:] = len(list(world.journal.after(world.book, 0))), []
    look()
    assert 0 < len(folded) < decided / 4
    before = len(folded)
    look()
    assert len(folded) == before, "it is in memory as it is now"


@pytest.mark.usefixtures("often")
def test_a_snapshot_that_cannot_be_read_is_passed_over_for_the_whole_journal(world: World) -> None:
    random_commands(world, 40, seed=1)
    assert world.deliver() == []
    pieces = world.database.query("journal", "#book = :book", {":book": f"{world.book}/snapshot"})
    broken = [row | {"piece": b"?"} for row in pieces if "piece" in row]
    assert broken
    world.database.put_many("journal", broken)
    random_commands(world, 10, seed=2)
    assert world.deliver() == []
    check_invariants(world, CREDITED)


@pytest.mark.usefixtures("often")
def test_a_batch_does_not_depend_on_its_snapshot(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A snapshot that cannot be written is left for the next batch."""
    matcher = world.matcher()
    with monkeypatch.context() as patch:
        patch.setattr(Snapshots, "write", unavailable)
        random_commands(world, 40, seed=1)
        assert world.deliver(matcher) == []
    assert Snapshots(world.database).newest(world.book) is None
    random_commands(world, 1, seed=2)
    assert world.deliver(matcher, world.records[40:]) == []
    assert Snapshots(world.database).newest(world.book) is not None
    check_invariants(world, CREDITED)


@pytest.mark.usefixtures("often")
def test_no_book_of_a_batch_waits_for_the_snapshot_of_another(memory_database: Database) -> None:
    calls: list[str] = []

    def note(operation: str, call: Call) -> Any:
        calls.append(operation)
        return call()

    worlds = [Scenario(lambda _world: None, {"instance": f"inst_{name}"}).world(memory_database) for name in "ab"]
    for world in worlds:
        random_commands(world, 40, seed=1)
    client: Any = WatchedClient(memory_database._client, note)
    matcher = Matcher(Database(client, memory_database._prefix), lambda: NOW_MS)
    assert match_records(matcher, [record for world in worlds for record in world.records]) == []
    first, second = (Snapshots(memory_database).newest(world.book) for world in worlds)
    assert first is not None
    assert second is not None
    written = ["batch_write_item", "update_item"]  # a snapshot's pieces, and the pointer to it
    assert [call for call in calls if call in ("batch_execute_statement", *written)][-4:] == 2 * written


def test_a_redrive_finishes_what_was_committed_and_not_projected_even_with_an_empty_inbox(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.placed("ann", "BUY", 10, 50)
    world.placed("ben", "SELL", 10, 50)
    with monkeypatch.context() as patch:
        patch.setattr(Projector, "project", lambda *_: (_ for _ in ()).throw(Unavailable("gone")))
        world.deliver()
    keys = [{"book": row["book"], "command": row["command"]} for row in world.database.scan("inbox")]
    world.database.delete_many("inbox", keys)
    assert redrive(world.database, world.matcher(), world.book) == 0
    assert world.balance("ben", QUOTE)[0] > FUNDS


def test_a_redrive_decides_in_the_order_in_which_the_commands_arrived(world: World) -> None:
    """The stream has lost everything: the cancel must not come before the order that it came after."""
    sold = world.placed("ann", "SELL", 10, 50)
    bought = world.placed("ben", "BUY", 10, 50)
    world.cancel("ann", sold)
    assert redrive(world.database, world.matcher(), world.book) == 3
    assert world.order("ben", bought).status is OrderStatus.FILLED
    assert world.order("ann", sold).cancel_refused
    check_invariants(world, CREDITED)
