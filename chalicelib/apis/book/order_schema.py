"""The form of requests about orders (T16 to T19, T25)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, ValidationInfo, field_validator
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
from chalicelib.apis.kit.forms import OBJECT_MESSAGE, Form, bad, flag, several
from chalicelib.apis.kit.neutral import is_neutral
from chalicelib.domain.books.admission import BATCH_ORDERS_MAX, OrderRequest
from chalicelib.domain.books.vocabulary import OrderStatus, OrderType, TimeInForce
from chalicelib.domain.ledger.amounts import Side
from chalicelib.services.books.amending import NewTerms
from chalicelib.support.consistency import Inconsistent

BATCH_MESSAGE = f"must be a list of 1 to {BATCH_ORDERS_MAX} orders"
ONE_BOOK_MESSAGE = "must have one customerRef and one orderBookId"
IDS_MESSAGE = f"must be a list of 1 to {BATCH_ORDERS_MAX} strings of 1 to {ID_CHARACTERS_MAX} characters"
POST_ONLY_MESSAGE = "must be a boolean, true only with LIMIT and GTC, without advanced or with ICEBERG"
FORCE_MESSAGE = "must be GTC with this advanced type"
PLAIN_TYPES = (OrderType.LIMIT, OrderType.MARKET)
ADVANCED_TYPES = {
    OrderType.STOP_LIMIT: "stopPrice",
    OrderType.TRAILING: "distance",
    OrderType.ICEBERG: "stepAmount",
    OrderType.CEILING: "value",
}
"""The advanced types of orders (O16), each with the member that it must have; it has none of the others."""
_BOOK_ID = re.compile(f".{{1,{ID_CHARACTERS_MAX}}}", re.DOTALL)


class AdvancedBody(Form):
    """The member ``advanced`` of an order that is more than LIMIT or MARKET (O16)."""

    model_config = ConfigDict(validate_default=True)

    type: Annotated[OrderType, one_of(ADVANCED_TYPES)]
    stopPrice: Amount | None = None
    distance: Amount | None = None
    stepAmount: Amount | None = None
    value: Amount | None = None

    @field_validator("stopPrice", "distance", "stepAmount", "value", mode="before")
    @classmethod
    def _as_its_type_says(cls, value: object, info: ValidationInfo) -> object:
        """The type's own member is required; another one may only ask for nothing (T48)."""
        order_type = info.data.get("type")
        if order_type is None:
            return None
        if ADVANCED_TYPES[order_type] == info.field_name:
            if value is None:
                raise bad(f"is required with {order_type}")
            return value
        if not is_neutral(value):
            raise bad(f"does not go with {order_type}")
        return None

    def goes_with(self, order_type: OrderType) -> bool:
        """Return whether it may stand beside this ``orderType``: what the order is once it trades."""
        match self.type:
            case OrderType.TRAILING:
                return True
            case OrderType.CEILING:
                return order_type is OrderType.MARKET
            case _:
                return order_type is OrderType.LIMIT


class PlaceOrderBody(Body):
    """Body of POST offchain/orders."""

    not_served: ClassVar = dict.fromkeys(("userAddress", "value", "stopPrice", "distance", "stepAmount", "expiresAt"))

    @classmethod
    def unserved(cls, members: Mapping[str, Any]) -> list[str]:
        """Return such members, then the first one in ``advanced`` that ``advanced`` does not have (T121)."""
        given = members.get("advanced")
        advanced = given if isinstance(given, dict) else {}
        own = AdvancedBody.model_fields
        inside = (name for name, value in advanced.items() if name not in own and not is_neutral(value))
        return list(dict.fromkeys([*super().unserved(members), *islice(inside, 1)]))

    orderBookId: Id
    customerRef: Ref
    side: Annotated[Side, one_of(Side)]
    orderType: Annotated[OrderType, one_of(PLAIN_TYPES)]
    advanced: AdvancedBody | None = None
    price: Amount | None = None
    quantity: Amount
    timeInForce: Annotated[TimeInForce, one_of(TimeInForce)] = TimeInForce.GTC
    postOnly: Annotated[bool, flag(POST_ONLY_MESSAGE)] = False

    @field_validator("price", mode="before")
    @classmethod
    def _market_has_no_price(cls, value: object, info: ValidationInfo) -> object:
        """Ignore the price of a MARKET order, whatever it is (T16)."""
        return None if info.data.get("orderType") is OrderType.MARKET else value

    @field_validator("advanced")
    @classmethod
    def _goes_with_the_type(cls, value: AdvancedBody | None, info: ValidationInfo) -> AdvancedBody | None:
        order_type = info.data.get("orderType")
        if value is not None and order_type is not None and not value.goes_with(order_type):
            raise bad(f"does not go with {order_type}")
        return value

    @field_validator("quantity", mode="before")
    @classmethod
    def _value_tells_the_quantity(cls, value: object, info: ValidationInfo) -> object:
        """Ignore the quantity of a CEILING order, whatever it is (O7)."""
        return "0" if _advanced_type(info) is OrderType.CEILING else value

    @field_validator("timeInForce")
    @classmethod
    def _parked_and_sliced_are_good_till_cancelled(cls, value: TimeInForce, info: ValidationInfo) -> TimeInForce:
        if value is not TimeInForce.GTC and _advanced_type(info) not in (None, OrderType.CEILING):
            raise bad(FORCE_MESSAGE)
        return value

    @field_validator("postOnly")
    @classmethod
    def _post_only_rests(cls, value: bool, info: ValidationInfo) -> bool:
        """Post-only goes with LIMIT and GTC alone (T18), and of the advanced types with ICEBERG."""
        order_type, force = info.data.get("orderType", OrderType.LIMIT), info.data.get("timeInForce", TimeInForce.GTC)
        is_resting = (order_type, force) == (OrderType.LIMIT, TimeInForce.GTC)
        if value and not (is_resting and _advanced_type(info) in (None, OrderType.ICEBERG)):
            raise bad(POST_ONLY_MESSAGE)
        return value

    def request(self) -> OrderRequest:
        """Return the order that was asked for, in the program's own words."""
        advanced = self.advanced
        return OrderRequest(
            customer=self.customerRef,
            side=self.side,
            order_type=self.orderType if advanced is None else advanced.type,
            time_in_force=self.timeInForce,
            price=self.price,
            quantity=self.quantity,
            post_only=self.postOnly,
            value=None if advanced is None else advanced.value,
            stop_price=None if advanced is None else advanced.stopPrice,
            distance=None if advanced is None else advanced.distance,
            step=None if advanced is None else advanced.stepAmount,
            is_limit=self.orderType is OrderType.LIMIT,
        )


def _advanced_type(info: ValidationInfo) -> OrderType | None:
    """Return the advanced type of the order whose later member is looked at; None: it has none, or a faulty one."""
    advanced = info.data.get("advanced")
    return None if advanced is None else advanced.type


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


class AmendOrderBody(Body):
    """Body of PATCH offchain/orders/{orderId}: whose order it is, and the terms that it is to get (T117)."""

    not_served: ClassVar = dict.fromkeys(
        ("side", "orderType", "timeInForce", "postOnly", "advanced", "value", "stopPrice", "distance", "stepAmount",
         "expiresAt", "userAddress", "orderBookId")
    )  # fmt: skip

    model_config = ConfigDict(validate_default=True)

    customerRef: Ref
    price: Amount | None = None
    quantity: Amount | None = None

    @field_validator("quantity")
    @classmethod
    def _changes_something(cls, value: int | None, info: ValidationInfo) -> int | None:
        if value is None and info.data.get("price", 0) is None:
            raise bad("is required without a price")
        return value

    def terms(self) -> NewTerms:
        return NewTerms(self.price, self.quantity)


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
