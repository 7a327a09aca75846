"""Fills (table ``fills``): each owner's halves of trades, packed: a row has an owner's fills of one journal entry.

A row follows from the entry alone, so whoever projects the entry again writes the same row. It is filed under its
newest trade: rows read newest first tell by their keys which trades cannot come any more.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any

import msgspec

from chalicelib.domain.books.fills import Fill
from chalicelib.domain.books.vocabulary import OrderType
from chalicelib.domain.ledger.amounts import Side
from chalicelib.support.ids import TIME_MS_MAX, greatest_id, least_id
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.parallel import Call
from chalicelib.tables.rows import Row, UnreadableRow, reads_row

TABLE = "fills"
PAGE_ROWS = 100
"""Default number of rows that a listing reads at a time."""
FILLS_IN_ROW_MAX = 100
"""Most fills of a row; an owner with more of them in an entry has several rows. A row stays far below 400 KB."""

_SHARED = ("owner", "book_id", "sequence", "at_ms")
"""What all fills of a row have in common; attributes of the row."""
_OWN = (
    "trade_id", "order_id", "side", "is_maker", "order_type", "other_order_id", "counterparty", "price", "quantity",
    "notional", "fee",
)  # fmt: skip
"""What each fill has for itself: the places of its JSON array. A row has an array of these arrays, by zlib."""
_own_of = attrgetter(*_OWN)
_decoder = msgspec.json.Decoder(list[tuple[str, str, Side, bool, OrderType, str, str, int, int, int, int]])


class Fills:
    def __init__(self, database: Database) -> None:
        self._database = database

    def puts(self, fills: Iterable[Fill]) -> list[Call]:
        """Return the calls that write an entry's fills, given in order of trades; to make in any order."""
        return self._database.put_calls(TABLE, map(row_of, packed(fills)))

    def put_rows(self, rows: Iterable[Row]) -> None:
        """Write rows in their stored form (``row_of``)."""
        self._database.put_many(TABLE, rows)

    def stored(self, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Row]:
        """Return the existing rows of these keys (owner, sort key), as stored, read consistently."""
        rows = self._database.get_many(TABLE, [{"owner": owner, "fill": fill} for owner, fill in keys])
        return {(row["owner"], row["fill"]): row for row in rows}

    def in_earlier_form(self, fills: Iterable[Fill]) -> list[Row]:
        """Return the existing rows of these fills in the form of earlier versions, a row for each fill."""
        return list(self.stored((fill.owner, f"{fill.trade_id}/{fill.side.value}") for fill in fills).values())

    def remove(self, rows: Iterable[Row]) -> None:
        self._database.delete_many(TABLE, [{"owner": row["owner"], "fill": row["fill"]} for row in rows])

    def newest_first(
        self, owner: str, page_rows: int = PAGE_ROWS, *, from_ms: int = 0, to_ms: int = TIME_MS_MAX
    ) -> Iterator[Fill]:
        """Yield an owner's fills, newest trade first; of a trade with itself the BUY before the SELL (T34).

        from_ms, to_ms: time range, both ends included. Reads ``page_rows`` + 1 rows at a time: the extra row tells that
        no newer trade follows the last fill of the others. Raises UnreadableRow.
        """
        condition = "#owner = :owner AND #fill BETWEEN :first AND :last"
        values = {":owner": owner, ":first": least_id("trade", from_ms), ":last": greatest_id("trade", to_ms)}
        rows = self._database.query(TABLE, condition, values, ScanIndexForward=False, Limit=page_rows + 1)
        waiting: list[Fill] = []
        for row in rows:
            # Trades of one ms in two books may alternate: those of a row wait until no later row can have newer ones.
            newer = [fill for fill in waiting if fill.trade_id > row["fill"]]
            yield from newer
            waiting = sorted(waiting[len(newer) :] + fills_in(row), key=lambda fill: fill.trade_id, reverse=True)
        yield from waiting

    def rows(self) -> Iterator[Row]:
        """Yield every row of every owner as stored. For operators: scans the table."""
        return self._database.scan(TABLE)


def packed(fills: Iterable[Fill]) -> Iterator[list[Fill]]:
    """Yield the fills of each row of an entry. fills: of that entry, in order of trades.

    A row has an owner's fills in order of trades, FILLS_IN_ROW_MAX at most. Both halves of a trade with itself are in
    one row, the BUY first (T34).
    """
    of_owners: dict[str, list[Fill]] = {}
    for fill in fills:
        of_owners.setdefault(fill.owner, []).append(fill)
    for of_owner in of_owners.values():
        row: list[Fill] = []
        for _, halves in groupby(of_owner, lambda fill: fill.trade_id):
            trade = sorted(halves, key=lambda fill: fill.side)
            if len(row) + len(trade) > FILLS_IN_ROW_MAX:
                yield row
                row = []
            row += trade
        yield row


def key_of(fills: Sequence[Fill]) -> tuple[str, str]:
    """Return owner and sort key of the row of these fills."""
    return fills[-1].owner, fills[-1].trade_id


def row_of(fills: Sequence[Fill]) -> Row:
    """Return the row of fills that ``packed`` has put together, as stored."""
    owner, newest = key_of(fills)
    shared = {name: getattr(fills[0], name) for name in _SHARED}
    own = msgspec.json.encode([_own_of(fill) for fill in fills])
    return {"owner": owner, "fill": newest} | shared | {"fills": zlib.compress(own)}


def is_row_of(fills: Sequence[Fill], row: Row | None) -> bool:
    """Tell whether a row with the key of these fills stores them, however it was compressed."""
    if row is None or row | {"fills": None} != row_of(fills) | {"fills": None}:
        return False
    try:
        return fills_in(row) == fills
    except UnreadableRow:
        return False


@reads_row
def fills_in(row: Row) -> list[Fill]:
    """Return a row's fills in order of trades. Raises UnreadableRow."""
    if "/" in row["fill"]:
        raise UnreadableRow(
            f"{row['owner']} {row['fill']}: an earlier version has written this fill in a row of its own. 'tallybook "
            "rebuild --all' writes fills anew: CHANGELOG.md says what to do with tables of earlier versions"
        )
    shared = {name: row[name] for name in _SHARED}
    try:
        own: list[tuple[Any, ...]] = _decoder.decode(zlib.decompress(row["fills"]))
    except msgspec.DecodeError as error:
        raise ValueError(f"fills: {error}") from error
    return [Fill(**shared, **dict(zip(_OWN, values, strict=True))) for values in own]
