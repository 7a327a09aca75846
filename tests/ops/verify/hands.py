"""Helpers that edit tables by hand (find a row, change it, forge an entry) and run ``verify`` on the result."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

from chalicelib.domain.books.fills import Fill
from chalicelib.domain.books.journal import JournalEntry
from chalicelib.domain.ledger.owners import customer_key
from chalicelib.ops.verify.report import Report
from chalicelib.ops.verify.verifier import Verifier
from chalicelib.services.books.disagreements import Disagreement, Disproved
from chalicelib.support.canonical import canonical
from chalicelib.tables.fills import fills_in, row_of
from chalicelib.tables.rows import Row
from tests.memory import MemoryDynamoDB
from tests.world import INSTANCE, World

FUNDS = 10**6


@dataclass(frozen=True)
class Built:
    """earlier_depth: the depth view before the last entry, in which dan buys 7 of eve's at 100 in one trade."""

    client: MemoryDynamoDB
    world: World
    earlier_depth: Row


def verified(world: World) -> Report:
    """Verify the book, then everything. Return the first report."""
    report = Verifier(world.database).verify(world.book)
    assert Verifier(world.database).verify(None) == report
    return report


def disagreement(world: World) -> Disagreement:
    """Return the disagreement found in the book; verifying everything must find the same."""
    told = []
    for book in (world.book, None):
        with pytest.raises(Disproved) as disproved:
            Verifier(world.database).verify(book)
        told.append(disproved.value.disagreement)
    assert told[0] == told[1]
    return told[0]


def rows(world: World, table: str, **attributes: object) -> list[Row]:
    """Return the rows with these attributes; there must be at least one."""
    found = [row for row in world.database.scan(table) if all(row.get(name) == attributes[name] for name in attributes)]
    assert found
    return found


def stored_fills(world: World) -> list[Fill]:
    """Return all fills; there must be at least one."""
    return [fill for row in rows(world, "fills") for fill in fills_in(row)]


def edit_fill(world: World, row: Row, number: int, **changes: object) -> Fill:
    """Change members of a fill in a row; each value must differ from the present one. Return the fill as it was."""
    fills = fills_in(row)
    before: Any = fills[number]
    assert all(getattr(before, name) != value for name, value in changes.items())
    fills[number] = replace(before, **changes)
    world.database.put_many("fills", [row | {"fills": row_of(fills)["fills"]}])
    return fills_in(row)[number]


def edit(world: World, table: str, row: Row, **changes: object) -> None:
    """Change attributes of a row; each value must differ from the present one."""
    assert all(row[name] != value for name, value in changes.items())
    world.database.put_many(table, [row | changes])


def remove(world: World, table: str, row: Row, *keys: str) -> None:
    world.database.delete_many(table, [{key: row[key] for key in keys}])


def account(world: World, customer: str, asset: str) -> Row:
    (row,) = rows(world, "accounts", owner=customer_key(INSTANCE, customer), entry=f"balance/{asset}")
    return row


def journal(world: World) -> list[JournalEntry]:
    return list(world.journal.after(world.book, 0))


def remove_entry(world: World, entry: JournalEntry) -> None:
    world.database.delete_many("journal", [{"book": entry.book, "sequence": entry.sequence}])


def forge(world: World, entry: JournalEntry, name: str, is_smart: bool) -> JournalEntry:
    """Increase an amount of the entry's first trade by one. is_smart: recompute the entry's hash."""
    events: Any = [dict(event) for event in entry.events]
    trade = next(event for event in events if event["type"] == "traded")
    trade[name] = str(int(trade[name]) + 1)
    forged = replace(entry, content=canonical(events).encode())
    if is_smart:
        forged = replace(forged, hash=forged.content_hash)
    remove_entry(world, entry)
    world.journal.append([forged])
    return forged


def traded_in(world: World) -> list[JournalEntry]:
    """Return the entries with trades."""
    return [entry for entry in journal(world) if any(event["type"] == "traded" for event in entry.events)]
