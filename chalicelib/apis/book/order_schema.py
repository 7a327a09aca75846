"""The form of requests about orders (T16 to T19, T25)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import ValidationInfo, field_validator
from pydantic_core import core_schema

from chalicelib.apis.book.envelope import Detail, Fault
from chalicelib.apis.book.schema import (
    ID_CHARACTERS_MAX,
    ID_MESSAGE,
    NOT_SERVED_MESSAGE,
    READ_ROWS_MAX,
    REF,
    REF_MESSAGE,
    Amount,
    Body,
    Id,
    Page,
    Parameters,
    Ref,
    checked,
    one_of,
    validation_fault,
)
from chalicelib.apis.kit.forms import OBJECT_MESSAGE, bad, flag, several
from chalicelib.domain.books.admission import BATCH_ORDERS_MAX, OrderRequest
from chalicelib.domain.books.vocabulary import OrderStatus, OrderType, TimeInForce
from chalicelib.domain.ledger.amounts import Side
from chalicelib.support.consistency import Inconsistent

BATCH_MESSAGE = f"must be a list of 1 to {BATCH_ORDERS_MAX} orders"
ONE_BOOK_MESSAGE = "must have one customerRef and one orderBookId"
IDS_MESSAGE = f"must be a list of 1 to {BATCH_ORDERS_MAX} strings of 1 to {ID_CHARACTERS_MAX} characters"
POST_ONLY_MESSAGE = "must be a boolean, true only with LIMIT and GTC"
_BOOK_ID = re.compile(f".{{1,{ID_CHARACTERS_MAX}}}", re.DOTALL)


class PlaceOrderBody(Body):
    """Body of POST offchain/orders."""

    not_served: ClassVar = dict.fromkeys(("userAddress", "value", "stopPrice", "distance", "stepAmount", "expiresAt"))

    orderBookId: Id
    customerRef: Ref
    side: Annotated[Side, one_of(Side)]
    orderType: Annotated[OrderType, one_of(OrderType)]
    price: Amount | None = None
    quantity: Amount
    timeInForce: Annotated[TimeInForce, one_of(TimeInForce)] = TimeInForce.GTC
    postOnly: Annotated[bool, flag(POST_ONLY_MESSAGE)] = False

    @field_validator("price", mode="before")
    @classmethod
    def _market_has_no_price(cls, value: object, info: ValidationInfo) -> object:
        """Ignore the price of a MARKET order, whatever it is (T16)."""
        return None if info.data.get("orderType") is OrderType.MARKET else value

    @field_validator("postOnly")
    @classmethod
    def _post_only_rests(cls, value: bool, info: ValidationInfo) -> bool:
        """Post-only goes with LIMIT and GTC alone (T18)."""
        order_type, force = info.data.get("orderType", OrderType.LIMIT), info.data.get("timeInForce", TimeInForce.GTC)
        if value and (order_type, force) != (OrderType.LIMIT, TimeInForce.GTC):
            raise bad(POST_ONLY_MESSAGE)
        return value

    def request(self) -> OrderRequest:
        """Return the order that was asked for, in the program's own words."""
        return OrderRequest(
            customer=self.customerRef,
            side=self.side,
            order_type=self.orderType,
            time_in_force=self.timeInForce,
            price=self.price,
            quantity=self.quantity,
            post_only=self.postOnly,
        )


class PlaceBatchBody(Body):
    """Body of POST offchain/orders/batch. The form of each order is looked at on its own: ``batch_of``."""

    orders: Annotated[list[Any], several(BATCH_MESSAGE, core_schema.any_schema(), BATCH_ORDERS_MAX)]


def batch_of(members: Mapping[str, Any]) -> list[PlaceOrderBody | Fault]:
    """Return each order of a batch, or the fault of its form (T76).

    Raises Fault if they are not a list of 1 to 25, or name more than one customer or book.
    """
    orders = [_order_or_fault(order) for order in checked(PlaceBatchBody, members).orders]
    named = {(order.customerRef, order.orderBookId) for order in orders if isinstance(order, PlaceOrderBody)}
    if len(named) > 1:
        raise validation_fault([Detail("orders", ONE_BOOK_MESSAGE)])
    return orders


def _order_or_fault(order: object) -> PlaceOrderBody | Fault:
    if not isinstance(order, dict):
        return validation_fault([Detail("body", OBJECT_MESSAGE)])
    try:
        return checked(PlaceOrderBody, order)
    except Fault as fault:
        return fault


class CancelBatchBody(Body):
    """Body of DELETE offchain/orders: which orders, and whose they are."""

    customerRef: Ref
    orderIds: Annotated[
        list[str],
        several(
            IDS_MESSAGE,
            core_schema.str_schema(strict=True, min_length=1, max_length=ID_CHARACTERS_MAX),
            BATCH_ORDERS_MAX,
        ),
    ]


class CancelOrderBody(Body):
    """Body of DELETE offchain/orders/{orderId}: whose order it is."""

    customerRef: Ref


@dataclass(frozen=True, slots=True)
class ListQuery:
    """Query of a list of orders; None: all books, all statuses."""

    book_id: str | None
    status: OrderStatus | None
    page: Page

    @property
    def rows_at_a_time(self) -> int:
        """How many rows to read at a time: many where a filter may pass over most of them."""
        passes_over = self.book_id is not None or (self.status is not None and not self.status.is_live)
        return READ_ROWS_MAX if passes_over else self.page.rows_at_a_time


def list_query(query: Mapping[str, list[str]]) -> ListQuery:
    """Return the checked query of a list of orders. Raises Fault."""
    parameters = Parameters(query)
    book_id = parameters.single("orderBookId", _BOOK_ID, ID_MESSAGE)
    status = parameters.word("status", OrderStatus)
    page = parameters.page()
    parameters.refuse_faulty()
    return ListQuery(book_id, OrderStatus(status) if status else None, page)


def cancel_all_query(query: Mapping[str, list[str]], body: bytes) -> str | None:
    """Return the book to which a cancel-all is confined, None: all of them. Raises Fault.

    What is not read could have confined it further, so another parameter, or a body with members, is a fault (T98).
    """
    parameters = Parameters(query)
    book_id = parameters.single("orderBookId", _BOOK_ID, ID_MESSAGE)
    for name in query:
        if name != "orderBookId":
            parameters.refuse(name, NOT_SERVED_MESSAGE)
    if body.strip() not in (b"", b"{}"):
        parameters.refuse("body", NOT_SERVED_MESSAGE)
    parameters.refuse_faulty()
    return book_id


def customer_query(query: Mapping[str, list[str]]) -> str:
    """Return the customerRef that a query must name. Raises Fault."""
    parameters = Parameters(query)
    customer = parameters.single("customerRef", REF, REF_MESSAGE, is_required=True)
    parameters.refuse_faulty()
    if customer is None:
        raise Inconsistent("a faulty parameter is refused")
    return customer
