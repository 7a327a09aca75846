"""Order rows (table ``orders``): an owner's orders as lists show them.

Admission puts a row (``live`` set, no sequence). The matcher updates it under the sequence of the journal entry that it
projects, and removes ``live`` with the last update::

    (no row) --admit--> no sequence, live --project N--> sequence N, live --project M > N--> sequence M, not live
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice

from ulid import ULID

from chalicelib.domain.books.orders import OrderRow, OrderUpdate
from chalicelib.domain.books.vocabulary import CloseReason, OrderStatus, OrderType, PlaceOrder, TimeInForce
from chalicelib.domain.ledger.amounts import Side
from chalicelib.support.ids import TIME_MS_MAX, greatest_id, least_id
from chalicelib.tables.dynamodb import Database, Put, Row, Update, Write, batched, reads_row

TABLE = "orders"
ORDER = "ord"
"""Prefix of an order's id and of its sort key."""
LIVE_INDEX = "live_orders_by_owner"
INDEX_LAG_MS_MAX = 10_000
"""Rows younger than this are read from the table: the index may trail it."""
PAGE_ROWS = 100
"""Default number of rows that a listing reads at a time."""


def is_order_id(sort_key: str) -> bool:
    """Return whether a sort key names an order; external ids stand beside an owner's orders."""
    return sort_key.startswith(f"{ORDER}_")


def admitted_row(owner: str, book_id: str, order: PlaceOrder) -> Row:
    """Return the row that admission puts, as stored: only the members that the order has."""
    extras = {"value": order.value, "external_id": order.external_id, "expires_at_ms": order.expires_at_ms}
    return {
        "owner": owner,
        "order_id": order.order_id,
        "live": order.order_id,
        "book_id": book_id,
        "customer": order.customer,
        "side": order.side.value,
        "order_type": order.order_type.value,
        "time_in_force": order.time_in_force.value,
        "price": order.price,
        "quantity": order.quantity,
        "filled": 0,
        "notional": 0,
        "fee": 0,
        "status": OrderStatus.OPEN.value,
        "hold": order.hold,
        "post_only": order.post_only,
    } | {name: extra for name, extra in extras.items() if extra is not None}


@reads_row
def placed_of(row: Row) -> PlaceOrder:
    """Return the command that placed an order, as admitted. Raises UnreadableRow."""
    price, value, expires_at_ms = row["price"], row.get("value"), row.get("expires_at_ms")
    return PlaceOrder(
        order_id=str(row["order_id"]),
        customer=str(row["customer"]),
        side=Side(row["side"]),
        order_type=OrderType(row["order_type"]),
        time_in_force=TimeInForce(row["time_in_force"]),
        price=None if price is None else int(price),
        quantity=int(row["quantity"]),
        hold=int(row["hold"]),
        post_only=bool(row["post_only"]),
        value=None if value is None else int(value),
        external_id=row.get("external_id"),
        expires_at_ms=None if expires_at_ms is None else int(expires_at_ms),
    )


class Orders:
    def __init__(self, database: Database) -> None:
        self._database = database

    def admit(self, owner: str, book_id: str, order: PlaceOrder) -> Write:
        """Return the write that creates the row. Refused if it exists."""
        order_not_exists = "attribute_not_exists(#order_id)"
        return Put(TABLE, admitted_row(owner, book_id, order), order_not_exists)

    def rows(self) -> Iterator[Row]:
        """Yield every row of every owner as stored. For operators: scans the table."""
        return self._database.scan(TABLE)

    def live_keys(self) -> Iterator[tuple[str, str]]:
        """Yield owner and id of all live orders, from an index that trails the table by moments.

        Scans that index: some hundred bytes for each live order.
        """
        return ((row["owner"], row["order_id"]) for row in self._database.scan(TABLE, LIVE_INDEX))

    def get(self, owner: str, order_id: str) -> OrderRow | None:
        """Return the order with this id, which may be any text; None if there is none."""
        row = self._database.get(TABLE, {"owner": owner, "order_id": order_id}) if is_order_id(order_id) else None
        return _order_of(row) if row else None

    def get_many(self, orders: Iterable[tuple[str, str]]) -> dict[str, OrderRow]:
        """Return the existing orders of these (owner, order id), by id, read consistently."""
        keys = [{"owner": owner, "order_id": order_id} for owner, order_id in orders if is_order_id(order_id)]
        return {row["order_id"]: _order_of(row) for row in self._database.get_many(TABLE, keys)}

    def stored(self, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Row]:
        """Return the existing rows of these keys (owner, order id or name), as stored, read consistently."""
        rows = self._database.get_many(TABLE, [{"owner": owner, "order_id": name} for owner, name in keys])
        return {(row["owner"], row["order_id"]): row for row in rows}

    def replace(self, before: Row | None, after: Row) -> None:
        """Replace a row that still is as ``before`` (None: there was none).

        Raises ConditionFailed if it has another sequence by now, or if a cancel was queued: the matcher is working on
        it.
        """
        if before is None:
            as_before, values = "attribute_not_exists(#order_id)", None
        elif "sequence" in before:
            as_before, values = "#sequence = :before", {":before": before["sequence"]}
        else:
            as_before, values = "attribute_exists(#order_id) AND attribute_not_exists(#sequence)", None
        no_cancel_since = "" if before is None or "cancel" in before else " AND attribute_not_exists(#cancel)"
        self._database.write(Put(TABLE, after, as_before + no_cancel_since, values))

    def queue_cancel(self, owner: str, order_id: str, command_id: str) -> Write:
        """Return the write that records the order's cancel command. Refused (row attached) unless the order is live.

        Also refused if a cancel is already queued: the caller waits for that one (T29).
        """
        order_is_live, no_cancel_yet = "attribute_exists(#live)", "attribute_not_exists(#cancel)"
        return Update(
            TABLE,
            {"owner": owner, "order_id": order_id},
            "SET #cancel = :command",
            f"{order_is_live} AND {no_cancel_yet}",
            {":command": command_id},
        )

    def cancel_of(self, owner: str, order_id: str) -> str | None:
        """Return the id of the cancel command recorded on the order's row; None: none yet."""
        row = self._database.get(TABLE, {"owner": owner, "order_id": order_id})
        return row.get("cancel") if row else None

    def note_refused_cancels(self, orders: Iterable[tuple[str, str]], sequence: int) -> None:
        """Record on the rows (owner, order id) that journal entry ``sequence`` found nothing to cancel.

        Refused on a row, which is no error, if another run has recorded it already.
        """
        order_exists, not_noted_yet = "attribute_exists(#order_id)", "attribute_not_exists(#cancel_refused)"
        self._database.write_each(
            [
                Update(
                    TABLE,
                    {"owner": owner, "order_id": order_id},
                    "SET #cancel_refused = :sequence",
                    f"{order_exists} AND {not_noted_yet}",
                    {":sequence": sequence},
                )
                for owner, order_id in dict.fromkeys(orders)
            ]
        )

    def project(self, updates: Mapping[tuple[str, str], OrderUpdate], sequence: int, at_ms: int) -> None:
        """Update the rows (owner, order id) to their state after journal entry ``sequence``, in parallel.

        Refused on a row, which is no error, if another run has projected this entry or a later one.
        """
        self._database.write_each([_projection(order, update, sequence, at_ms) for order, update in updates.items()])

    def newest_first(
        self, owner: str, page_rows: int = PAGE_ROWS, from_ms: int = 0, to_ms: int = TIME_MS_MAX
    ) -> Iterator[OrderRow]:
        """Yield an owner's orders, newest first, ties by id descending (T26): ids ascend with admission time.

        from_ms, to_ms: range of admission times, both ends included. Reads ``page_rows`` rows at a time.
        """
        values = {":owner": owner, ":first": least_id(ORDER, from_ms), ":last": greatest_id(ORDER, to_ms)}
        condition = "#owner = :owner AND #order_id BETWEEN :first AND :last"
        rows = self._database.query(TABLE, condition, values, ScanIndexForward=False, Limit=page_rows)
        return map(_order_of, rows)

    def live_newest_first(self, owner: str, now_ms: int, page_rows: int = PAGE_ROWS) -> Iterator[OrderRow]:
        """Yield an owner's live orders, newest first. Costs what it yields, plus the owner's last seconds.

        The index only names candidates: each row is read from the table, so closed orders are never yielded. At most
        ``page_rows`` rows are read from the table at a time, young ones included.
        """
        border = f"{ORDER}_{ULID.from_bytes(max(0, now_ms - INDEX_LAG_MS_MAX).to_bytes(6, 'big') + bytes(10))}"
        young = 0
        for row in self._query(owner, " AND #order_id >= :border", border, Limit=page_rows):
            if "live" in row:
                young += 1
                yield _order_of(row)
        candidates = self._query(owner, " AND #live < :border", border, IndexName=LIVE_INDEX, Limit=page_rows)
        rest_of_page = list(islice(candidates, page_rows - young % page_rows))
        for page in chain([rest_of_page], batched(candidates, page_rows)):
            yield from self._live_rows(owner, [candidate["order_id"] for candidate in page])

    def _live_rows(self, owner: str, order_ids: list[str]) -> Iterator[OrderRow]:
        rows = self._database.get_many(TABLE, [{"owner": owner, "order_id": order_id} for order_id in order_ids])
        rows.sort(key=lambda row: str(row["order_id"]), reverse=True)
        return (_order_of(row) for row in rows if "live" in row)

    def _query(self, owner: str, range_condition: str, border: str | None, **options: str | int) -> Iterator[Row]:
        values = {":owner": owner} | ({":border": border} if border else {})
        condition = f"#owner = :owner{range_condition}"
        return self._database.query(TABLE, condition, values, ScanIndexForward=False, **options)


def _projection(order: tuple[str, str], update: OrderUpdate, sequence: int, at_ms: int) -> Write:
    owner, order_id = order
    changes = "SET #status = :status, #filled = :filled, #sequence = :sequence, #updated_at_ms = :at, #reason = :reason"
    changes += " ADD #notional :notional, #fee :fee"
    if not update.status.is_live:
        changes += " REMOVE #live"
    order_exists = "attribute_exists(#order_id)"
    entry_not_shown = "(attribute_not_exists(#sequence) OR #sequence < :sequence)"
    return Update(
        TABLE,
        {"owner": owner, "order_id": order_id},
        changes,
        f"{order_exists} AND {entry_not_shown}",
        {
            ":status": update.status.value,
            ":filled": update.filled,
            ":notional": update.notional,
            ":fee": update.fee,
            ":sequence": sequence,
            ":at": at_ms,
            ":reason": None if update.reason is None else update.reason.value,
        },
    )


@reads_row
def _order_of(row: Row) -> OrderRow:
    reason = row.get("reason")
    return OrderRow(
        order_id=row["order_id"],
        book_id=row["book_id"],
        customer=row["customer"],
        side=Side(row["side"]),
        order_type=OrderType(row["order_type"]),
        time_in_force=TimeInForce(row["time_in_force"]),
        price=row["price"],
        quantity=row["quantity"],
        filled=row["filled"],
        status=OrderStatus(row["status"]),
        reason=None if reason is None else CloseReason(reason),
        sequence=row.get("sequence"),
        updated_at_ms=row.get("updated_at_ms"),
        cancel_queued="cancel" in row,
        cancel_refused="cancel_refused" in row,
        notional=row.get("notional", 0),
        fee=row.get("fee", 0),
        value=row.get("value"),
        external_id=row.get("external_id"),
        expires_at_ms=row.get("expires_at_ms"),
    )
