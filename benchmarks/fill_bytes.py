"""Bytes and write units of a row of fills: an owner's fills of one journal entry, packed (docs/decisions).

Ids, prices and quantities are as random as in use: those are what compresses least. The fills are of one order of the
owner's, each with another customer.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from ulid import ULID

from benchmarks import units
from chalicelib.domain.books.fills import Fill
from chalicelib.domain.books.journal import JournalEntry, trade_id
from chalicelib.domain.books.vocabulary import OrderType
from chalicelib.domain.ledger.amounts import Side
from chalicelib.domain.ledger.owners import customer_key
from chalicelib.tables.fills import row_of
from chalicelib.tables.rows import encode

AT_MS = 1_741_089_600_000
INSTANCE, BOOK_ID = "inst_bench001", "ob_01JHMK1SM0VFDWJZAXWFHFWSTP"
COUNTS = (1, 2, 10, 100)
REFS = {
    "11 characters": ("cust_large0", "cust_{:06d}"),
    "256 characters, the others' alike but for 6": ("x" * 256, "x" * 250 + "{:06d}"),
}
"""The owner's customerRef, and the other customers' by number."""


def fills(count: int, customer: str, other: str) -> list[Fill]:
    """Return an owner's fills of one entry. other: the other customers' refs, with a place for a number."""
    draw = random.Random(count)
    entry = JournalEntry(f"{INSTANCE}/{BOOK_ID}", 123_456, AT_MS, 0, "", "", b"[]")
    mine = _order_id(draw)
    return [
        Fill(
            owner=customer_key(INSTANCE, customer),
            trade_id=trade_id(entry, 2 * number + 1),
            order_id=mine,
            book_id=BOOK_ID,
            side=Side.SELL,
            is_maker=True,
            order_type=OrderType.LIMIT,
            other_order_id=_order_id(draw),
            counterparty=other.format(number),
            price=draw.randrange(10**4, 10**5) * 10**16,
            quantity=draw.randrange(1, 10**4) * 10**15,
            notional=draw.randrange(10**20, 10**21),
            fee=draw.randrange(10**17, 10**18),
            sequence=entry.sequence,
            at_ms=AT_MS,
        )
        for number in range(count)
    ]


def _order_id(draw: random.Random) -> str:
    return f"ord_{ULID.from_bytes((AT_MS - draw.randrange(10**7)).to_bytes(6, 'big') + draw.randbytes(10))}"


def row_bytes(count: int, customer: str, other: str) -> int:
    """Return the size of a row with so many fills."""
    return units.item_bytes(encode(row_of(fills(count, customer, other))))


def main() -> None:
    print(f"| fills in a row, with customerRefs of | {' | '.join(map(str, COUNTS))} |")
    print(f"|{' --- |' * (len(COUNTS) + 1)}")
    for name, refs in REFS.items():
        sizes = [row_bytes(count, *refs) for count in COUNTS]
        cells = (f"{size:,} bytes, {-(-size // units.WRITE_BYTES)} units" for size in sizes)
        print(f"| {name} | {' | '.join(cells)} |".replace(" 1 units", " 1 unit"))


if __name__ == "__main__":
    main()
