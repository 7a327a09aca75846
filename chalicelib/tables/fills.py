"""Fills (table ``fills``): each owner's half of each trade. Writing a fill is idempotent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from chalicelib.domain.books.fills import Fill
from chalicelib.domain.books.vocabulary import OrderType
from chalicelib.domain.ledger.amounts import Side
from chalicelib.support.ids import TIME_MS_MAX, greatest_id, least_id
from chalicelib.tables.dynamodb import Database, Row, reads_row
from chalicelib.tables.parallel import Call

TABLE = "fills"
PAGE_ROWS = 100
"""Default number of rows that a listing reads at a time."""


class Fills:
    def __init__(self, database: Database) -> None:
        self._database = database

    def puts(self, fills: Iterable[Fill]) -> list[Call]:
        """Return the calls that write fills, to make in any order.

        A customer who trades with itself has two fills of one trade, told apart by side (T34).
        """
        return self._database.put_calls(TABLE, map(row_of, fills))

    def put_rows(self, rows: Iterable[Row]) -> None:
        """Write fills in their stored form (``row_of``)."""
        self._database.put_many(TABLE, rows)

    def stored(self, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Row]:
        """Return the existing rows of these keys (owner, sort key), as stored, read consistently."""
        rows = self._database.get_many(TABLE, [{"owner": owner, "fill": fill} for owner, fill in keys])
        return {(row["owner"], row["fill"]): row for row in rows}

    def newest_first(
        self, owner: str, page_rows: int = PAGE_ROWS, *, from_ms: int = 0, to_ms: int = TIME_MS_MAX
    ) -> Iterator[Fill]:
        """Yield an owner's fills, newest trade first; of a trade with itself the BUY before the SELL (T34).

        from_ms, to_ms: time range, both ends included. Reads ``page_rows`` + 1 rows at a time, since a trade may have
        its other half in the extra row.
        """
        first, last = least_id("trade", from_ms), f"{greatest_id('trade', to_ms)}/{Side.SELL.value}"
        condition = "#owner = :owner AND #fill BETWEEN :first AND :last"
        values = {":owner": owner, ":first": first, ":last": last}
        rows = self._database.query(TABLE, condition, values, ScanIndexForward=False, Limit=page_rows + 1)
        for _, halves in groupby(map(_fill_of, rows), lambda fill: fill.trade_id):
            yield from sorted(halves, key=lambda fill: fill.side)

    def rows(self) -> Iterator[Row]:
        """Yield every row of every owner as stored. For operators: scans the table."""
        return self._database.scan(TABLE)


def row_of(fill: Fill) -> Row:
    """Return the fill's row as stored."""
    return {
        "owner": fill.owner,
        "fill": f"{fill.trade_id}/{fill.side.value}",
        "trade_id": fill.trade_id,
        "order_id": fill.order_id,
        "book_id": fill.book_id,
        "side": fill.side.value,
        "is_maker": fill.is_maker,
        "order_type": fill.order_type.value,
        "other_order_id": fill.other_order_id,
        "counterparty": fill.counterparty,
        "price": fill.price,
        "quantity": fill.quantity,
        "notional": fill.notional,
        "fee": fill.fee,
        "sequence": fill.sequence,
        "at_ms": fill.at_ms,
    }


@reads_row
def _fill_of(row: Row) -> Fill:
    values = {name: row[name] for name in Fill.__slots__} | {
        "side": Side(row["side"]),
        "order_type": OrderType(row["order_type"]),
    }
    return Fill(**values)
