"""Orders by owner: open ones (table ``open-orders``) and closed ones (table ``orders``), which lists show as one.

An order is open as long as it has a row among the open ones. Admission alone puts that row, so it never comes back.
The matcher updates it under the sequence of the journal entry that it projects. To close an order, it puts the whole
row among the closed ones, then deletes the open one::

    (no row) --admit--> open, no sequence --entry N--> open, sequence N --entry M--> closed, sequence M

A crash between the two leaves both rows until the entry is projected again. Readers look among the open ones first, so
they miss no order that closes meanwhile, and take the open row where both are there: an order is closed once, for all
readers (T68).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from itertools import groupby, islice

from chalicelib.domain.books.orders import OrderRow, OrderUpdate
from chalicelib.domain.books.vocabulary import PlaceOrder
from chalicelib.support.ids import TIME_MS_MAX, greatest_id, least_id
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.order_rows import (
    admitted_row,
    changed_by,
    decided_row,
    order_of,
    placed_of,
    refuse_earlier_form,
)
from chalicelib.tables.read_ahead import RowAt, row_at
from chalicelib.tables.rows import Row
from chalicelib.tables.writes import Delete, Put, Update, Write

OPEN_TABLE = "open-orders"
TABLE = "orders"
ORDER = "ord"
"""Prefix of an order's id and of its sort key."""
PAGE_ROWS = 100
"""Default number of rows that a listing reads at a time."""

Key = tuple[str, str]
"""Owner and order id."""


def is_order_id(sort_key: str) -> bool:
    """Return whether a sort key names an order; external ids stand beside an owner's closed orders."""
    return sort_key.startswith(f"{ORDER}_")


def open_order_at(owner: str, order_id: str) -> RowAt:
    """Return where the row of an open order stands.

    A closed order is read after it, never with it: one that closes in between would be missed.
    """
    return row_at(OPEN_TABLE, {"owner": owner, "order_id": order_id})


class Orders:
    def __init__(self, database: Database) -> None:
        self._database = database

    def admit(self, owner: str, book_id: str, order: PlaceOrder) -> Write:
        """Return the write that creates the row of an open order. Refused if it exists."""
        order_not_exists = "attribute_not_exists(#order_id)"
        return Put(OPEN_TABLE, admitted_row(owner, book_id, order), order_not_exists)

    def still_has_terms(self, owner: str, order: OrderRow) -> Write:
        """Return a write that changes nothing, refused unless the order is open with the price and quantity as read."""
        terms = {"price": order.price, "quantity": order.quantity}
        return Update(
            OPEN_TABLE,
            {"owner": owner, "order_id": order.order_id},
            "SET " + ", ".join(f"#{name} = :{name}" for name in terms),
            " AND ".join(f"#{name} = :{name}" for name in terms),
            {f":{name}": value for name, value in terms.items()},
        )

    def open_rows(self) -> Iterator[Row]:
        """Yield every open order's row as stored. As ``open_table_rows`` otherwise."""
        return (row for row in self.open_table_rows() if is_order_id(_order_id(row)))

    def open_table_rows(self) -> Iterator[Row]:
        """Yield every row of an open order or of an amendment under way, as stored: scans their table."""
        return self._database.scan(OPEN_TABLE)

    def rows(self) -> Iterator[Row]:
        """Yield every closed order's and every external id's row as stored. For operators: scans the table."""
        return self._database.scan(TABLE)

    def get(self, owner: str, order_id: str) -> OrderRow | None:
        """Return the order with this id, which may be any text; None if there is none."""
        row = self._row(OPEN_TABLE, owner, order_id) or self._row(TABLE, owner, order_id)
        return None if row is None else order_of(row)

    def get_open(self, owner: str, order_id: str) -> OrderRow | None:
        """Return the open order with this id, which may be any text; None if there is none."""
        row = self._row(OPEN_TABLE, owner, order_id)
        return None if row is None else order_of(row)

    def placed(self, owner: str, order_id: str) -> PlaceOrder | None:
        """Return the command that placed an open order; None if there is none. Raises UnreadableRow."""
        row = self._row(OPEN_TABLE, owner, order_id)
        return None if row is None else placed_of(row)

    def get_many(self, orders: Iterable[Key]) -> dict[str, OrderRow]:
        """Return the existing ones of these orders, by id, read consistently."""
        keys = list(orders)
        rows = {row["order_id"]: row for row in self._rows(OPEN_TABLE, keys)}
        rest = [(owner, order_id) for owner, order_id in keys if order_id not in rows]
        rows |= {row["order_id"]: row for row in self._rows(TABLE, rest)}
        return {order_id: order_of(row) for order_id, row in rows.items()}

    def open_ids(self, orders: Iterable[Key]) -> set[str]:
        """Return the ids of these orders that are open."""
        return {row["order_id"] for row in self._rows(OPEN_TABLE, orders)}

    def _row(self, table: str, owner: str, order_id: str) -> Row | None:
        return self._database.get(table, {"owner": owner, "order_id": order_id}) if is_order_id(order_id) else None

    def _rows(self, table: str, orders: Iterable[Key]) -> list[Row]:
        keys = [{"owner": owner, "order_id": order_id} for owner, order_id in orders if is_order_id(order_id)]
        return self._database.get_many(table, keys)

    def stored(self, table: str, keys: Iterable[Key]) -> dict[Key, Row]:
        """Return the existing rows of these keys (owner, order id or name), as stored, read consistently."""
        rows = self._database.get_many(table, [{"owner": owner, "order_id": name} for owner, name in keys])
        return {(row["owner"], row["order_id"]): row for row in rows}

    def replace(self, table: str, before: Row | None, after: Row | None) -> None:
        """Replace a row that still is as ``before`` (None: there was none); after: None deletes it.

        Raises ConditionFailed if it has another sequence by now: the matcher is working on it.
        """
        if before is None:
            as_before, values = "attribute_not_exists(#order_id)", None
        elif "sequence" in before:
            as_before, values = "#sequence = :before", {":before": before["sequence"]}
        else:
            as_before, values = "attribute_exists(#order_id) AND attribute_not_exists(#sequence)", None
        if after is not None:
            self._database.write(Put(table, after, as_before, values))
        elif before is not None:
            key = {"owner": before["owner"], "order_id": before["order_id"]}
            self._database.write(Delete(table, key, as_before, values), lambda found: found is None)

    def note_refused_cancels(self, orders: Iterable[Key], sequence: int) -> None:
        """Record on the rows of these orders that journal entry ``sequence`` refused their cancels.

        They have closed; only a cancel that the core could not decide is refused while its order is open. Refused on a
        row, which is no error, if another run has recorded it already.
        """
        keys = list(dict.fromkeys(orders))
        closed_by_then = "attribute_exists(#order_id) AND #sequence <= :sequence"
        refused = self._database.write_each([_note(TABLE, key, closed_by_then, sequence) for key in keys])
        still_open = [keys[at] for at, row in refused.items() if row is None]
        self._database.write_each(
            [_note(OPEN_TABLE, key, "attribute_exists(#order_id)", sequence) for key in still_open]
        )

    def project(
        self, book_id: str, updates: Sequence[tuple[str, PlaceOrder, OrderUpdate]], sequence: int, at_ms: int
    ) -> None:
        """Show orders, each with its owner, as journal entry ``sequence`` left them.

        Writes all rows, in parallel; then deletes the open rows of the closed orders. Refused on a row, which is no
        error, if another run has projected this entry or a later one.
        """
        closed = [{"owner": owner, "order_id": order.order_id} for owner, order, to in updates if not to.status.is_live]
        writes = [_projection(owner, book_id, order, to, sequence, at_ms) for owner, order, to in updates]
        for row in self._database.write_each(writes).values():
            refuse_earlier_form(row or {})
        self._database.write_each([Delete(OPEN_TABLE, key) for key in closed])

    def newest_first(
        self, owner: str, page_rows: int = PAGE_ROWS, from_ms: int = 0, to_ms: int = TIME_MS_MAX
    ) -> Iterator[OrderRow]:
        """Yield an owner's orders, newest first, ties by id descending (T26): ids ascend with admission time.

        from_ms, to_ms: range of admission times, both ends included. Reads ``page_rows`` open and as many closed rows
        at a time. Closed rows of a range of ids are read after its open ones, so an order that closes is not missed.
        """
        first, last = least_id(ORDER, from_ms), greatest_id(ORDER, to_ms)
        open_rows = self._query(OPEN_TABLE, owner, first, last, page_rows)
        yielded, is_last = "", False
        while not is_last:
            page = list(islice(open_rows, page_rows))
            is_last = len(page) < page_rows
            lowest = first if is_last else _order_id(page[-1])
            closed_rows = self._query(TABLE, owner, lowest, last, page_rows)
            for order_id, same in groupby(merge(page, closed_rows, key=_order_id, reverse=True), _order_id):
                if order_id != yielded:  # by the page before, which ended there
                    yield order_of(next(same))
            yielded = last = lowest

    def open_newest_first(self, owner: str, page_rows: int = PAGE_ROWS, to_ms: int = TIME_MS_MAX) -> Iterator[OrderRow]:
        """Yield an owner's open orders up to an admission time, newest first. Reads ``page_rows`` rows at a time."""
        rows = self._query(OPEN_TABLE, owner, least_id(ORDER, 0), greatest_id(ORDER, to_ms), page_rows)
        return map(order_of, rows)

    def books_of_open(self, owner: str) -> Iterator[str]:
        """Yield the id of the book of each of an owner's open orders, newest first. Costs as ``open_newest_first``.

        Rows that are damaged count, as long as they name a book.
        """
        rows = self._query(OPEN_TABLE, owner, least_id(ORDER, 0), greatest_id(ORDER, TIME_MS_MAX), PAGE_ROWS)
        return (str(row["book_id"]) for row in rows if "book_id" in row)

    def _query(self, table: str, owner: str, first: str, last: str, page_rows: int) -> Iterator[Row]:
        """Yield the rows of an owner's ids from ``last`` down to ``first``."""
        values = {":owner": owner, ":first": first, ":last": last}
        condition = "#owner = :owner AND #order_id BETWEEN :first AND :last"
        return self._database.query(table, condition, values, ScanIndexForward=False, Limit=page_rows)


def _order_id(row: Row) -> str:
    return str(row["order_id"])


def _projection(owner: str, book_id: str, order: PlaceOrder, update: OrderUpdate, sequence: int, at_ms: int) -> Write:
    if not update.status.is_live:
        not_closed_yet = "attribute_not_exists(#order_id)"
        return Put(TABLE, decided_row(owner, book_id, order, update, sequence, at_ms), not_closed_yet)
    changes = changed_by(order, update, sequence, at_ms)
    order_is_open = "attribute_exists(#order_id)"
    entry_not_shown = "(attribute_not_exists(#sequence) OR #sequence < :sequence)"
    return Update(
        OPEN_TABLE,
        {"owner": owner, "order_id": order.order_id},
        "SET " + ", ".join(f"#{name} = :{name}" for name in changes),
        f"{order_is_open} AND {entry_not_shown}",
        {f":{name}": value for name, value in changes.items()},
    )


def _note(table: str, order: Key, order_is_there: str, sequence: int) -> Write:
    owner, order_id = order
    not_noted_yet = "attribute_not_exists(#cancel_refused)"
    return Update(
        table,
        {"owner": owner, "order_id": order_id},
        "SET #cancel_refused = :sequence",
        f"{order_is_there} AND {not_noted_yet}",
        {":sequence": sequence},
    )
