"""``verify`` detects changed, removed and forged journal entries by the hash chain, the replay or the rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.books.journal import JournalEntry
from chalicelib.domain.ledger.owners import customer_key
from chalicelib.services.books.disagreements import Disagreement
from chalicelib.services.books.redrive import redrive
from chalicelib.support.canonical import canonical
from tests.ops.verify.hands import Built, disagreement, edit, forge, journal, remove_entry, rows, traded_in, verified
from tests.world import INSTANCE, World


def test_a_changed_trade_price_is_revealed_by_the_entrys_hash(world: World) -> None:
    entry = traded_in(world)[1]
    forge(world, entry, "price", is_smart=False)
    told = disagreement(world)
    assert told.where == f"{world.book} entry {entry.sequence}, hash of its content"
    assert told.expected == entry.hash


def test_a_forged_entry_with_a_valid_hash_is_revealed_by_the_makers_price(world: World) -> None:
    """A trade happens at the price at which its maker rests: the entry does not follow from the book."""
    for entry in traded_in(world)[-2:]:
        changed = forge(world, entry, "price", is_smart=True)
        told = disagreement(world)
        assert told.where == f"{world.book} entry {entry.sequence}, events"
        assert str(next(event for event in changed.events if event["type"] == "traded")) in told.found
        remove_entry(world, changed)
        world.journal.append([entry])


def test_a_forged_entry_with_a_valid_hash_breaks_the_chain_at_the_next_one(world: World) -> None:
    entry = traded_in(world)[1]
    forged = forge(world, entry, "makerFee", is_smart=True)
    told = disagreement(world)
    where = f"{world.book} entry {entry.sequence + 1}, previous hash"
    assert told == Disagreement(where, forged.hash, entry.hash)


def test_a_forged_last_trade_is_revealed_by_the_candles(world: World) -> None:
    forge(world, journal(world)[-1], "notional", is_smart=True)
    assert disagreement(world).where == f"{world.book} depth view, open candle of 1m"


@pytest.mark.parametrize(("name", "attribute"), [("makerFee", "fee"), ("takerFee", "fee")])
def test_a_forged_last_entry_is_revealed_by_the_fills(world: World, name: str, attribute: str) -> None:
    entry = journal(world)[-1]
    forge(world, entry, name, is_smart=True)
    told = disagreement(world)
    assert told.where.startswith("fill trade_")
    assert told.where.endswith(f", {attribute}")
    assert int(told.expected) == int(told.found) + 1


def test_a_forged_release_of_a_hold_is_revealed_by_the_resting_order(world: World) -> None:
    world.placed("cat", "SELL", 2, 91, "IOC")
    assert world.deliver(records=world.records[-1:]) == []
    entry = journal(world)[-1]
    forge(world, entry, "released", is_smart=True)
    told = disagreement(world)
    assert told.where == f"{world.book} after entry {entry.sequence}"
    assert "hold" in told.found


@pytest.mark.parametrize("at", [0, 3])
def test_an_entry_removed_at_the_beginning_or_in_the_middle_is_detected(world: World, at: int) -> None:
    entry = journal(world)[at]
    remove_entry(world, entry)
    told = disagreement(world)
    where = f"{world.book} entry {entry.sequence}"
    assert told == Disagreement(where, "the entry", f"entry {entry.sequence + 1} in its place")


def test_an_entry_removed_from_the_end_is_revealed_by_the_depth_view(world: World) -> None:
    last = journal(world)[-1].sequence
    remove_entry(world, journal(world)[-1])
    told = disagreement(world)
    assert told.where == f"{world.book} depth view, sequence"
    assert told.expected == f"{last - 1} at most, the journal's last entry"
    assert told.found.startswith(f"{last}: entries were removed from the journal's end")


def test_an_entry_removed_with_its_depth_view_is_revealed_by_the_rows(world: World, built: Built) -> None:
    last = journal(world)[-1].sequence
    remove_entry(world, journal(world)[-1])
    world.database.put_many("books", [built.earlier_depth])
    told = disagreement(world)
    assert told.where.startswith("fills trade_")
    assert told.where.endswith(f" of {customer_key(INSTANCE, 'dan')}, sequence")
    assert told.found.startswith(f"{last}: entries were removed from the journal's end")


def test_a_missing_journal_is_detected(world: World) -> None:
    for entry in journal(world):
        remove_entry(world, entry)
    assert disagreement(world).where == f"{world.book} depth view, sequence"


def test_an_entry_that_cannot_be_read_is_reported(world: World) -> None:
    entry = journal(world)[2]
    (row,) = (row for row in rows(world, "journal", book=world.book) if row["sequence"] == entry.sequence)
    stored = "events" if "events" in row else "events_zlib"
    edit(world, "journal", row, **{stored: b"nonsense"})
    assert disagreement(world).where == f"{world.book} entry after {entry.sequence - 1}"


def _accept_twice(entry: JournalEntry) -> JournalEntry:
    events = (*entry.events, next(event for event in entry.events if event["type"] == "accepted"))
    return _rehashed(entry, events)


def _trade_unknown(entry: JournalEntry) -> JournalEntry:
    return _rehashed(entry, ({"type": "rested", "order": "ord_none", "remaining": "1"},))


def _nonsense(entry: JournalEntry) -> JournalEntry:
    return _rehashed(entry, ({"type": "bookChanged", "command": "chg_1", "status": "NONSENSE"},))


def _rehashed(entry: JournalEntry, events: Any) -> JournalEntry:
    changed = replace(entry, content=canonical(events).encode())
    return replace(changed, hash=changed.content_hash)


@pytest.mark.parametrize(
    ("forgery", "where"),
    [(_accept_twice, ", order ord_"), (_trade_unknown, ", events"), (_nonsense, ", events")],
)
def test_an_impossible_last_entry_is_reported(
    world: World, forgery: Callable[[JournalEntry], JournalEntry], where: str
) -> None:
    entry = journal(world)[-1]
    remove_entry(world, entry)
    world.journal.append([forgery(entry)])
    assert disagreement(world).where.startswith(f"{world.book} entry {entry.sequence}{where}")


def test_entries_that_are_not_projected_yet_are_reported(world: World, built: Built) -> None:
    last = journal(world)[-1].sequence
    world.database.put_many("books", [built.earlier_depth])
    told = disagreement(world)
    assert (told.where, told.expected) == (f"{world.book} depth view, sequence", str(last))
    assert "redrive" in told.found
    redrive(world.database, world.matcher(), world.book)
    verified(world)
