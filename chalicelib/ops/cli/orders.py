"""Commands that place, amend and cancel orders at the book desk, for a customer of the venue."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import App, Group, Parameter
from cyclopts.validators import LimitedChoice

from chalicelib.domain.tenancy.answers import KEY, KEY_RULE
from chalicelib.ops.cli.api_access import Access, BookId, iso
from chalicelib.ops.cli.arguments import Amount, Customer, Printed, pattern, read_by, whole
from chalicelib.ops.cli.failures import Code, CommandFailed
from tallybook_client.book import NewOrder
from tallybook_client.book.models import Order
from tallybook_client.wire import members_of

WAIT_S_MAX, LIMIT_MAX = 10, 100_000
_LOCAL = Access()
_TERMS = ("Parameters", Group("", validator=LimitedChoice(1, 2), show=False))
IdempotencyKey = Annotated[
    str | None,
    read_by(pattern(KEY.pattern, KEY_RULE), "Idempotency-Key: done once under it, however often asked"),
]
OrderId = Annotated[str, Parameter(help="as in ord_...", metavar="ORDER")]

app = App(name="orders", help="Orders of a venue's customers, over HTTP.")


@app.command
def place(
    *,
    book: BookId,
    customer: Customer,
    side: Literal["BUY", "SELL"],
    quantity: Annotated[Amount, Parameter(help="base units of the base asset")],
    price: Annotated[Amount | None, Parameter(help="base units of the quote asset; required for LIMIT")] = None,
    type: Literal["LIMIT", "MARKET"] = "LIMIT",
    time_in_force: Literal["GTC", "IOC", "FOK"] | None = None,
    post_only: Annotated[bool, Parameter(help="refuse it rather than let it take")] = False,
    wait: Annotated[int, read_by(whole(0, WAIT_S_MAX), "seconds to wait for its first matching, 0 to 10")] = 2,
    key: IdempotencyKey = None,
    access: Access = _LOCAL,
) -> Printed:
    """Place an order, and wait a moment for what came of it.

    $ tallybook orders place --book ob_offchain_001 --customer cust_12345 \\
        --side BUY --price 100000000000000000000 --quantity 5000000000000000000
    """
    if type == "MARKET" and price is not None:
        raise CommandFailed("a MARKET order has no price: leave out --price, or let it be LIMIT", Code.USAGE)
    order = NewOrder(
        order_book_id=book,
        customer_ref=customer,
        side=side,
        order_type=type,
        quantity=quantity,
        price=price,
        time_in_force=time_in_force,
        post_only=post_only or None,
    )
    with access.desk(book) as desk:
        placed = desk.orders.place(order, wait_s=wait, key=key)
        return _members(placed) | {"time_in_force": placed.time_in_force}


@app.command(name="list")
def list_orders(
    *,
    customer: Customer,
    book: BookId | None = None,
    status: Literal["OPEN", "PARTIALLY_FILLED", "FILLED", "CANCELLED", "EXPIRED", "REJECTED"] | None = None,
    limit: Annotated[int, read_by(whole(1, LIMIT_MAX), "orders at most")] = 100,
    access: Access = _LOCAL,
) -> Printed:
    """List a customer's orders, newest first.

    $ tallybook orders list --customer cust_12345 --status OPEN
    """
    with access.desk(book) as desk:
        found = desk.orders.of_customer(customer, order_book_id=book, status=status, limit=limit)
        return {"orders": [_members(order) for order in found]}


@app.command
def show(order: OrderId, /, *, customer: Customer, access: Access = _LOCAL) -> Printed:
    """Show an order as it is now.

    $ tallybook orders show ORDER --customer cust_12345
    """
    with access.desk() as desk:
        found = desk.orders.one(order, customer)
        last = {"cancel_reason": found.cancel_reason, "updated_at": iso(found.updated_at)}
        advanced = {} if found.advanced is None else {"advanced": members_of(found.advanced)}
        return _members(found) | {"time_in_force": found.time_in_force} | last | advanced


@app.command
def amend(
    order: OrderId,
    /,
    *,
    customer: Customer,
    price: Annotated[Amount | None, Parameter(group=_TERMS, help="new price, base units of the quote asset")] = None,
    quantity: Annotated[
        Amount | None, Parameter(group=_TERMS, help="new total with what is filled, base units of the base asset")
    ] = None,
    key: IdempotencyKey = None,
    access: Access = _LOCAL,
) -> Printed:
    """Give an open order a new price, a new quantity, or both, and wait for it.

    $ tallybook orders amend ORDER --customer cust_12345 \\
        --quantity 4000000000000000000
    """
    with access.desk() as desk:
        done = desk.orders.amend(order, customer, price=price, quantity=quantity, key=key)
        return {
            "order_id": done.id,
            "status": done.status,
            "price": None if done.price is None else str(done.price),
            "quantity": str(done.quantity),
            "amendment_id": done.amendment_id,
        }


@app.command
def cancel(order: OrderId, /, *, customer: Customer, access: Access = _LOCAL) -> Printed:
    """Cancel what is left of an order.

    $ tallybook orders cancel ORDER --customer cust_12345
    """
    with access.desk() as desk:
        done = desk.orders.cancel(order, customer)
        return {"order_id": done.id, "status": done.status, "cancelled_at": iso(done.cancelled_at)}


@app.command
def cancel_all(*, customer: Customer, book: BookId | None = None, access: Access = _LOCAL) -> Printed:
    """Cancel all orders of a customer, in one book or in all.

    $ tallybook orders cancel-all --customer cust_12345
    """
    with access.desk(book) as desk:
        done = desk.orders.cancel_all(customer, book)
        return {"cancelled": done.cancelled, "order_ids": list(done.order_ids)}


def _members(order: Order) -> Printed:
    """Return what a list tells of an order, and so every answer (T26)."""
    return {
        "order_id": order.id,
        "order_book_id": order.order_book_id,
        "customer": order.customer_ref,
        "side": order.side,
        "type": order.order_type,
        "price": None if order.price is None else str(order.price),
        "quantity": str(order.quantity),
        "filled_quantity": str(order.filled_quantity),
        "status": order.status,
        "created_at": iso(order.created_at),
    }
