"""Orders of the book desk: placing, cancelling, looking at them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from tallybook_client.book.envelope import Results, posted
from tallybook_client.book.errors import BookError, OrderNotFound
from tallybook_client.book.models import Amended, Cancelled, CancelledAll, NewOrder, Order, Trade
from tallybook_client.paging import by_offset
from tallybook_client.transport import Repeat, Request, Session, path_of, query_of
from tallybook_client.wire import json_of, members_of

BASE = "/orderbooks/stocks/api/offchain"
PLACE, ONE = f"{BASE}/orders", f"{BASE}/orders/{{order}}"
OF_CUSTOMER = f"{BASE}/customers/{{customer}}/orders"
PAGE_SIZE_MAX = 100

Status = Literal["OPEN", "PARTIALLY_FILLED", "FILLED", "CANCELLED", "EXPIRED", "REJECTED"]


@dataclass(frozen=True, slots=True)
class Orders:
    """``desk.orders``: the orders of a venue's customers."""

    _session: Session

    def place(self, order: NewOrder, *, wait_s: int = 0, key: str | None = None) -> Order:
        """Place an order; return it as admitted, or with ``wait_s`` (at most 10) as first matched (T20, T21).

        key: the ``Idempotency-Key``, else a new one; it holds for a day. Raises BookError, OutcomeUnknown.
        """
        return posted(self._session, PLACE, members_of(order), Order, key, wait_s)

    def place_batch(
        self, orders: Sequence[NewOrder], *, wait_s: int = 0, key: str | None = None
    ) -> list[Order | BookError]:
        """Place 1 to 25 orders of one customer in one book; return for each the order, or why it was refused (T76)."""
        members = {"orders": [members_of(order) for order in orders]}
        return posted(self._session, f"{PLACE}/batch", members, Results, key, wait_s).of(Order)

    def cancel(self, order_id: str, customer_ref: str) -> Cancelled:
        """Cancel what is left of an order, and wait for it (T29). Raises OrderNotFound if it is closed already.

        A cancel that is still queued is asked for again. If an answer is lost, the order itself tells what came of it.
        """
        request = Request("DELETE", path_of(ONE, order=order_id), body=json_of({"customerRef": customer_ref}))
        try:
            return self._session.send(request).data(Cancelled)
        except OrderNotFound as error:
            if not error.follows_a_lost_one:
                raise
            order = self.one(order_id, customer_ref)
            if order.cancel_reason != "USER_CANCELLED" or order.updated_at is None:
                raise
            return Cancelled(id=order.id, status=order.status, cancelled_at=order.updated_at)

    def amend(
        self,
        order_id: str,
        customer_ref: str,
        *,
        price: int | None = None,
        quantity: int | None = None,
        key: str | None = None,
    ) -> Amended:
        """Give an open order a new price, a new total quantity, or both, and wait for it (T117), in base units.

        key: the ``Idempotency-Key``, else a new one. Raises OrderNotFound if the order is closed already, InvalidPrice,
        InvalidQuantity, InsufficientBalance; AmendmentPending: it is queued, and a repeat under the key tells.
        """
        terms = {"price": price, "quantity": quantity}
        asked = {name: str(value) for name, value in terms.items() if value is not None}
        path, members = path_of(ONE, order=order_id), {"customerRef": customer_ref} | asked
        return posted(self._session, path, members, Amended, key, method="PATCH")

    def cancel_batch(self, order_ids: Sequence[str], customer_ref: str) -> list[Cancelled | BookError]:
        """Cancel 1 to 25 orders of a customer; return for each what came of it (T78)."""
        body = json_of({"customerRef": customer_ref, "orderIds": order_ids})
        request = Request("DELETE", PLACE, body=body, repeat=Repeat.IF_NOTHING_WAS_DONE)
        return self._session.send(request).data(Results).of(Cancelled)

    def cancel_all(self, customer_ref: str, order_book_id: str | None = None) -> CancelledAll:
        """Cancel all orders of a customer, in one book or in all. Raises CancelPending if not all is done in time: the
        rest is queued, and a repeat names what it closes (T98).
        """
        path, query = path_of(OF_CUSTOMER, customer=customer_ref), query_of(orderBookId=order_book_id)
        request = Request("DELETE", path, query, repeat=Repeat.IF_NOTHING_WAS_DONE)
        return self._session.send(request).data(CancelledAll)

    def one(self, order_id: str, customer_ref: str) -> Order:
        """Return an order with its last change and why it closed. Raises OrderNotFound."""
        return self._session.get(path_of(ONE, order=order_id), Order, query_of(customerRef=customer_ref))

    def of_customer(
        self,
        customer_ref: str,
        *,
        order_book_id: str | None = None,
        status: Status | None = None,
        limit: int | None = None,
    ) -> Iterator[Order]:
        """Yield a customer's orders, newest first, page by page (T26). limit: how many; None: all."""

        def page(size: int, offset: int) -> list[Order]:
            query = query_of(orderBookId=order_book_id, status=status, limit=size, offset=offset)
            return self._session.get(path_of(OF_CUSTOMER, customer=customer_ref), list[Order], query)

        return by_offset(page, lambda order: order.id, PAGE_SIZE_MAX, limit)

    def trades_of_customer(self, customer_ref: str, *, limit: int | None = None) -> Iterator[Trade]:
        """Yield a customer's trades, newest first; one with itself is two, the BUY first (T34)."""
        path = path_of(f"{BASE}/customers/{{customer}}/trades", customer=customer_ref)

        def page(size: int, offset: int) -> list[Trade]:
            return self._session.get(path, list[Trade], query_of(limit=size, offset=offset))

        return by_offset(page, lambda trade: (trade.id, trade.side), PAGE_SIZE_MAX, limit)
