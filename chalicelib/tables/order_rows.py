"""Forms of order rows: as admitted, as an entry leaves an open order, and as it leaves a closed one."""

from __future__ import annotations

from chalicelib.domain.books.orders import OrderRow, OrderUpdate
from chalicelib.domain.books.vocabulary import CloseReason, OrderStatus, OrderType, PlaceOrder, TimeInForce
from chalicelib.domain.ledger.amounts import Side
from chalicelib.tables.rows import Row, UnreadableRow, reads_row

_AMOUNTS = ("value", "expires_at_ms", "stop_price", "distance", "step")
_EXTRAS = ("external_id", *_AMOUNTS)
"""Members of ``PlaceOrder`` that a row lacks where they are None."""


def admitted_row(owner: str, book_id: str, order: PlaceOrder) -> Row:
    """Return the row that admission puts, as stored: only the members that the order has."""
    extras = {name: getattr(order, name) for name in _EXTRAS}
    return {
        "owner": owner,
        "order_id": order.order_id,
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


def decided_row(owner: str, book_id: str, order: PlaceOrder, update: OrderUpdate, sequence: int, at_ms: int) -> Row:
    """Return an order's row after journal entry ``sequence``: the open one, or the closed one, which has a reason."""
    row = admitted_row(owner, book_id, order) | changed_by(order, update, sequence, at_ms)
    if not update.status.is_live:
        row["reason"] = None if update.reason is None else update.reason.value
    return row


def changed_by(order: PlaceOrder, update: OrderUpdate, sequence: int, at_ms: int) -> Row:
    """Return the members that journal entry ``sequence`` changed in an order's row. order: with its terms by then."""
    triggered: Row = {"triggered": True} if update.triggered else {}
    amended: Row = {"price": order.price, "quantity": order.quantity} if update.amended else {}
    changed: Row = {
        "status": update.status.value,
        "filled": update.filled,
        "notional": update.sums.notional,
        "fee": update.sums.fee,
        "sequence": sequence,
        "updated_at_ms": at_ms,
    }
    return changed | triggered | amended


@reads_row
def placed_of(row: Row) -> PlaceOrder:
    """Return the command that placed an order, as admitted. Raises UnreadableRow."""

    def amount(name: str) -> int | None:
        value = row.get(name)
        return None if value is None else int(value)

    return PlaceOrder(
        order_id=str(row["order_id"]),
        customer=str(row["customer"]),
        side=Side(row["side"]),
        order_type=OrderType(row["order_type"]),
        time_in_force=TimeInForce(row["time_in_force"]),
        price=None if row["price"] is None else int(row["price"]),
        quantity=int(row["quantity"]),
        hold=int(row["hold"]),
        post_only=bool(row["post_only"]),
        external_id=row.get("external_id"),
        **{name: amount(name) for name in _AMOUNTS},
    )


@reads_row
def order_of(row: Row) -> OrderRow:
    """Return the order that a row shows. Raises UnreadableRow."""
    refuse_earlier_form(row)
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
        cancel_refused="cancel_refused" in row,
        notional=row.get("notional", 0),
        fee=row.get("fee", 0),
        triggered=row.get("triggered", False),
        **{name: row.get(name) for name in _EXTRAS},
    )


def refuse_earlier_form(row: Row) -> None:
    """Raise UnreadableRow for an open order among the closed ones, where earlier versions had both."""
    if "live" in row:
        raise UnreadableRow(
            f"{row.get('owner')} {row.get('order_id')}: an earlier version has written this open order beside the "
            "closed ones: CHANGELOG.md says what to do with tables of earlier versions"
        )
