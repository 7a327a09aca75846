"""Fills are packed by owner and entry, listed one by one, newest first, and never read from a row of another form."""

from __future__ import annotations

import random
import zlib
from collections.abc import Sequence
from dataclasses import asdict, replace
from itertools import islice
from typing import Any

import pytest

from benchmarks import fill_bytes, units
from chalicelib.domain.books.fills import Fill
from chalicelib.domain.books.journal import JournalEntry, trade_id
from chalicelib.domain.books.vocabulary import OrderType
from chalicelib.domain.ledger.amounts import Side
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.fills import FILLS_IN_ROW_MAX, Fills, fills_in, key_of, packed, row_of
from chalicelib.tables.rows import Row, UnreadableRow
from tests.tables.test_listing_cost import Reads
from tests.world import NOW_MS

OWNER = "inst_x/customer/ann"
PAGE_ROWS = 50
LARGEST = 10**38 - 1


def of_trade(
    number: int, *sides: Side, book_id: str = "ob_1", sequence: int = 1, at_ms: int = NOW_MS, **facts: Any
) -> list[Fill]:
    """Return ann's fills of a trade of an entry, as they are projected: the maker's first."""
    entry = JournalEntry(f"inst_x/{book_id}", sequence, at_ms, 0, "", "", b"[]")
    usual: dict[str, Any] = {
        "owner": OWNER, "trade_id": trade_id(entry, number), "order_id": f"ord_{number}", "book_id": book_id,
        "order_type": OrderType.LIMIT, "other_order_id": "ord_other", "counterparty": "ben", "price": LARGEST,
        "quantity": number + 1, "notional": LARGEST, "fee": 0, "sequence": sequence, "at_ms": at_ms,
    }  # fmt: skip
    return [Fill(**usual | {"side": side, "is_maker": side is sides[0]} | facts) for side in sides]


def entry_of(count: int, self_trades: Sequence[int] = (), **facts: Any) -> list[Fill]:
    """Return ann's fills of an entry of so many trades, of which she has both halves in some."""
    both = Side.SELL, Side.BUY
    return [
        fill
        for number in range(count)
        for fill in of_trade(number, *(both if number in self_trades else both[:1]), **facts)
    ]


def row_of_earlier_version(fill: Fill) -> Row:
    return asdict(fill) | {"fill": f"{fill.trade_id}/{fill.side}"}


def listed(fills: Sequence[Fill]) -> list[Fill]:
    """Return fills as lists show them: newest trade first, of a self-trade the BUY first (T34)."""
    return sorted(sorted(fills, key=lambda fill: fill.side), key=lambda fill: fill.trade_id, reverse=True)


def put(database: Database, *entries: Sequence[Fill]) -> None:
    for entry in entries:
        for call in Fills(database).puts(entry):
            call()


@pytest.mark.parametrize(
    ("count", "self_trades", "sizes"),
    [
        (1, (), [1]), (1, (0,), [2]), (100, (), [100]), (101, (), [100, 1]), (250, (), [100, 100, 50]),
        (99, (98,), [100]), (100, (99,), [99, 2]), (101, (99,), [99, 3]), (60, range(60), [100, 20]),
        (120, (0, 98), [99, 23]),
    ],
)  # fmt: skip
def test_a_row_has_an_owners_fills_of_an_entry_a_hundred_at_most_and_no_trade_in_part(
    count: int, self_trades: Sequence[int], sizes: list[int]
) -> None:
    fills = entry_of(count, self_trades)
    others = [replace(fill, owner=f"inst_x/customer/other{number}") for number, fill in enumerate(fills)]
    mixed = [fill for pair in zip(fills, others, strict=True) for fill in pair]
    rows = list(packed(mixed))
    own = [row for row in rows if row[0].owner == OWNER]
    assert [len(row) for row in own] == sizes
    by_side = sorted(fills, key=lambda fill: fill.side)
    assert [fill for row in own for fill in row] == sorted(by_side, key=lambda fill: fill.trade_id)
    trades = [{fill.trade_id for fill in row} for row in own]
    assert sum(map(len, trades)) == len(set().union(*trades)) == count
    assert [len(row) for row in rows if row[0].owner != OWNER] == [1] * len(others)
    assert all({fill.owner for fill in row} == {key_of(row)[0]} for row in rows)


def test_a_row_is_read_as_it_was_packed() -> None:
    facts = [{"fee": LARGEST}, {"counterparty": 'é"\\\n'}, {"order_type": OrderType.MARKET}, {"quantity": 1}]
    for fills in packed(entry_of(40, (3, 4, 39))):
        varied = [replace(fill, **facts[number % 4]) for number, fill in enumerate(fills)]
        row = row_of(varied)
        assert fills_in(row) == varied
        assert row["fill"] == max(fill.trade_id for fill in varied)
        assert sorted(row) == ["at_ms", "book_id", "fill", "fills", "owner", "sequence"]


def test_a_trade_with_oneself_is_listed_once_for_each_side_the_buy_first(memory_database: Database) -> None:
    for sides in (Side.SELL, Side.BUY), (Side.BUY, Side.SELL):
        put(memory_database, of_trade(3, *sides))
        assert [fill.side for fill in Fills(memory_database).newest_first(OWNER)] == [Side.BUY, Side.SELL]


@pytest.mark.parametrize("page_rows", [1, 2, 3, 7, 100])
def test_each_fill_is_listed_once_newest_first_in_whatever_rows_it_is(
    memory_database: Database, monkeypatch: pytest.MonkeyPatch, page_rows: int
) -> None:
    """Also where entries of several books have one ms and one sequence, so that their trades alternate."""
    monkeypatch.setattr("chalicelib.tables.fills.FILLS_IN_ROW_MAX", 4)
    draw, entries = random.Random(page_rows), []
    for book in ("ob_1", "ob_2", "ob_3"):
        at_ms = NOW_MS
        for sequence in range(1, 9):
            numbers = sorted(draw.sample(range(40), draw.randrange(1, 15)))
            sides = ([Side.BUY], [Side.SELL], [Side.BUY, Side.SELL], [Side.SELL, Side.BUY])
            entries.append(
                [
                    fill
                    for number in numbers
                    for fill in of_trade(number, *draw.choice(sides), book_id=book, sequence=sequence, at_ms=at_ms)
                ]
            )
            at_ms += draw.randrange(2)
    put(memory_database, *entries)
    everything = [fill for entry in entries for fill in entry]
    assert len({fill.at_ms for fill in everything}) < len(entries) / 2
    fills = Fills(memory_database)
    assert list(fills.newest_first(OWNER, page_rows)) == listed(everything)
    for from_ms in range(NOW_MS - 1, NOW_MS + 9):
        for to_ms in range(from_ms, NOW_MS + 9):
            within = [fill for fill in everything if from_ms <= fill.at_ms <= to_ms]
            assert list(fills.newest_first(OWNER, page_rows, from_ms=from_ms, to_ms=to_ms)) == listed(within)


@pytest.mark.parametrize("fills_each", [1, 3, 100])
def test_a_page_reads_a_row_more_than_it_shows_at_most(memory_database: Database, fills_each: int) -> None:
    put(memory_database, *(entry_of(fills_each, sequence=number, at_ms=NOW_MS + number) for number in range(1, 300)))
    reads = Reads(memory_database)
    page = list(islice(Fills(reads.database).newest_first(OWNER, PAGE_ROWS), PAGE_ROWS))
    assert len(page) == PAGE_ROWS
    assert reads.rows <= PAGE_ROWS + 1


def test_writing_an_entry_again_changes_nothing(memory_database: Database) -> None:
    entry = entry_of(230, (7, 99))
    put(memory_database, entry)
    before = list(memory_database.scan("fills"))
    put(memory_database, entry)
    assert list(memory_database.scan("fills")) == before
    assert len(before) == 3


@pytest.mark.parametrize("refs", fill_bytes.REFS.values(), ids=fill_bytes.REFS)
def test_a_fill_alone_is_one_unit_and_a_hundred_are_a_tenth_of_a_hundred(refs: tuple[str, str]) -> None:
    """Also where customerRefs are as long as they may be."""
    assert fill_bytes.row_bytes(1, *refs) < units.WRITE_BYTES
    assert fill_bytes.row_bytes(FILLS_IN_ROW_MAX, *refs) < FILLS_IN_ROW_MAX // 10 * units.WRITE_BYTES


def test_a_row_of_a_hundred_stays_far_below_what_a_row_may_have() -> None:
    """Even if nothing could be compressed, and every character of a customerRef took four bytes."""
    fills = fill_bytes.fills(FILLS_IN_ROW_MAX, "x", "\U0001f600" * 256)
    assert len(zlib.decompress(row_of(fills)["fills"])) < 200_000


@pytest.mark.parametrize("table", ["earlier", "both"])
def test_a_fill_in_a_row_of_its_own_is_refused_with_what_to_do(memory_database: Database, table: str) -> None:
    """Earlier versions stored each half of a trade in a row of its own."""
    (fill,) = of_trade(3, Side.SELL)
    memory_database.put_many("fills", [row_of_earlier_version(fill)])
    if table == "both":
        put(memory_database, of_trade(9, Side.BUY, sequence=2))
    told = f"{OWNER} {fill.trade_id}/SELL: .* 'tallybook rebuild --all' .* CHANGELOG.md says what to do"
    with pytest.raises(UnreadableRow, match=told):
        list(Fills(memory_database).newest_first(OWNER))


@pytest.mark.parametrize(
    "fills",
    [
        b"", b"[]", zlib.compress(b"["), zlib.compress(b"{}"), zlib.compress(b"[[]]"), zlib.compress(b"[[1,2]]"), "x",
        None, 7,
    ],
)  # fmt: skip
def test_fills_that_cannot_be_read_are_refused(fills: object) -> None:
    row = row_of(of_trade(3, Side.SELL))
    with pytest.raises(UnreadableRow, match=f"{OWNER} {row['fill']} .*CHANGELOG.md"):
        fills_in(row | {"fills": fills})


@pytest.mark.parametrize(
    ("before", "after"),
    [(b",4,", b",4.0,"), (b",4,", b',"4",'), (b"false", b"0"), (b'"SELL"', b'"SOLD"'), (b'"LIMIT"', b"null")],
)
def test_a_value_of_another_type_is_refused(before: bytes, after: bytes) -> None:
    """A fraction is never cut, a text never taken for a number."""
    row = row_of(of_trade(3, Side.SELL, is_maker=False))
    content = zlib.decompress(row["fills"])
    assert content.count(before) == 1
    with pytest.raises(UnreadableRow, match=r"Expected|Invalid"):
        fills_in(row | {"fills": zlib.compress(content.replace(before, after))})
