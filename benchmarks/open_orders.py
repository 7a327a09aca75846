"""Costs on AWS of finding a customer's open orders, in the present design and its alternatives: ``make listings``.

A computation by ``units``, of the rows that the calls would read and write. Each design has its writes (an order's life
cycle) and its reads (a first page of open orders, none placed in the last seconds):

* as is: open orders have a table of their own, and closing one is a put and a delete.
* index of keys: one table, with an index of the open orders' keys; each row is read by its key.
* index of rows: the index has whole rows, and the page is read from it alone. It trails the table by moments.
* local index: the same as a local secondary index, which can be read consistently.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from ulid import ULID

from benchmarks import units
from benchmarks.histories import order_row
from chalicelib.tables.rows import encode

PAGES = (1, 10, 50)
BORDER = units.read_units(0, consistent=True)
"""The query for orders of the last seconds, which the index may still lack."""


@dataclass(frozen=True, slots=True)
class Step:
    """One write in the life cycle of an order's row. closes: the order is no longer open after it."""

    after: units.Item
    in_transaction: bool = False
    closes: bool = False


@dataclass(frozen=True, slots=True)
class Design:
    """One design. index: the index that it writes. moves: whether closing puts a new row and deletes the open one."""

    name: str
    index: units.Index | None
    moves: bool = False

    def write_units(self, life: Sequence[Step]) -> float:
        used, before = 0.0, None
        for step in life:
            used += units.write_units(before, step.after, in_transaction=step.in_transaction)
            if self.index is not None:
                used += units.index_units(self.index, before, step.after)
            if self.moves and step.closes:
                used += units.write_units(before, None)
            before = step.after
        return used


def lives() -> dict[str, list[Step]]:
    """Return the writes of an order's row in the three most common life cycles."""
    ulid = ULID.from_bytes((1_736_937_000_000).to_bytes(6, "big") + bytes(10))
    filled = order_row("cust_000100", ulid, is_open=False)
    rests = order_row("cust_000100", ulid, is_open=True) | {"live": f"ord_{ulid}"}
    admitted = {name: rests[name] for name in rests.keys() - {"sequence", "updated_at_ms"}}
    partly = rests | {"filled": 10**18, "sequence": 123_457, "status": "PARTIALLY_FILLED"}
    cancelled = filled | {"filled": 0, "status": "CANCELLED", "reason": "USER_CANCELLED"}
    admit, rest = Step(encode(admitted), in_transaction=True), Step(encode(rests))
    return {
        "filled at once": [admit, Step(encode(filled), closes=True)],
        "rests, filled in two": [admit, rest, Step(encode(partly)), Step(encode(filled), closes=True)],
        "rests, cancelled": [admit, rest, Step(encode(cancelled), closes=True)],
    }


def designs() -> list[Design]:
    keys, name = ("owner", "live"), "open orders"
    return [
        Design("as is", None, moves=True),
        Design("index of keys", units.Index(name, keys, frozenset({"owner", "order_id", "live"}))),
        Design("index of rows", units.Index(name, keys, None)),
        Design("local index", units.Index(name, keys, None)),
    ]


def page_units(design: Design, rows: list[units.Item]) -> float:
    """Return the read units of a page of open orders."""
    if design.name == "index of keys":
        assert design.index is not None
        entries = [entry for entry in map(design.index.entry_of, rows) if entry is not None]
        found = units.query_units(entries, consistent=False)
        return BORDER + found + units.batch_get_units(rows, missing=0, consistent=True)
    if design.moves:
        rows = [{name: row[name] for name in row.keys() - {"live"}} for row in rows]
    return units.query_units(rows, consistent=design.name != "index of rows")


def main() -> None:
    by_life = lives()
    row = by_life["rests, cancelled"][1].after
    print(f"an open order's row has {units.item_bytes(row)} bytes")
    heads = [f"page of {count}" for count in PAGES] + list(by_life)
    print(f"{'':<16}" + "".join(f"{head:>22}" for head in heads))
    for design in designs():
        reads = [f"{page_units(design, [row] * count):g} read" for count in PAGES]
        writes = [f"{design.write_units(life):g} write" for life in by_life.values()]
        print(f"{design.name:<16}" + "".join(f"{cell:>22}" for cell in reads + writes))


if __name__ == "__main__":
    main()
