"""The form of what comes in: bodies, queries, path parameters. Content is checked elsewhere."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, ValidationInfo, field_validator

from chalicelib.core.config import OrderRequest
from chalicelib.core.vocabulary import BookStatus, OrderStatus, OrderType, Side, TimeInForce
from chalicelib.wire.http import BadPercentEncoding, percent_decoded
from chalicelib.wire.trusset.envelope import Detail, Fault

REF_CHARACTERS_MAX = 256
ID_CHARACTERS_MAX = 100
LIMIT_DEFAULT, LIMIT_MAX = 50, 100
LEVELS_DEFAULT, LEVELS_MAX = 20, 100
READ_ROWS_MIN, READ_ROWS_MAX = 10, 100
OFFSET_MAX = 2**31 - 1

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_DIGITS = re.compile(r"[0-9]+")
_FROM_ONE = re.compile(r"0*[1-9][0-9]*")
_REF = re.compile(r"[^\x00-\x1f\x7f]{1,256}")
_PREFERENCE = re.compile(r"\s*wait\s*=\s*\"?([^\";]*)\"?\s*(;.*)?", re.IGNORECASE)
WAIT_S_MAX = 10

Amount = Annotated[str, StringConstraints(strict=True, pattern=r"^(0|[1-9][0-9]{0,37})\z")]
Ref = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=256, pattern=r"^[^\x00-\x1f\x7f]*\z")]
Id = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=100)]
Body = TypeVar("Body", bound=BaseModel)
Row = TypeVar("Row")

_MESSAGES = {
    "orderBookId": "must be a string of 1 to 100 characters",
    "orderId": "must be 1 to 100 characters without control characters",
    "customerRef": "must be a string of 1 to 256 characters without control characters",
    "side": "must be one of BUY, SELL",
    "orderType": "must be one of LIMIT, MARKET",
    "price": "must be a string of 1 to 38 digits",
    "quantity": "must be a string of 1 to 38 digits",
    "timeInForce": "must be one of GTC, IOC, FOK",
    "postOnly": "must be a boolean, true only with LIMIT and GTC",
    "status": "must be one of " + ", ".join(OrderStatus),
    "limit": "must be an integer from 1",
    "levels": "must be an integer from 1",
    "offset": f"must be an integer from 0 to {OFFSET_MAX}",
}


class PlaceOrderBody(BaseModel):
    """Body of POST offchain/orders, its members in the order in which faults are listed (T7)."""

    model_config = ConfigDict(extra="ignore")

    orderBookId: Id
    customerRef: Ref
    side: Literal["BUY", "SELL"]
    orderType: Literal["LIMIT", "MARKET"]
    price: Amount | None = None
    quantity: Amount
    timeInForce: Literal["GTC", "IOC", "FOK"] = "GTC"
    postOnly: Annotated[bool, Field(strict=True)] = False

    @field_validator("price", mode="before")
    @classmethod
    def _market_has_no_price(cls, value: object, info: ValidationInfo) -> object:
        """With MARKET the price is not looked at, whatever it is (T16)."""
        return None if info.data.get("orderType") == "MARKET" else value

    @field_validator("timeInForce", mode="before")
    @classmethod
    def _null_time_in_force(cls, value: object) -> object:
        return "GTC" if value is None else value

    @field_validator("postOnly", mode="before")
    @classmethod
    def _null_post_only(cls, value: object) -> object:
        return False if value is None else value

    @field_validator("postOnly")
    @classmethod
    def _post_only_rests(cls, value: bool, info: ValidationInfo) -> bool:
        """Post-only goes with LIMIT and GTC alone (T18)."""
        if value and (info.data.get("orderType", "LIMIT"), info.data.get("timeInForce", "GTC")) != ("LIMIT", "GTC"):
            raise ValueError("postOnly needs LIMIT and GTC")
        return value

    def request(self) -> OrderRequest:
        """Return the order that was asked for, in the program's own words."""
        return OrderRequest(
            customer=self.customerRef,
            side=Side(self.side),
            order_type=OrderType(self.orderType),
            time_in_force=TimeInForce(self.timeInForce),
            price=None if self.price is None else int(self.price),
            quantity=int(self.quantity),
            post_only=self.postOnly,
        )


class CancelOrderBody(BaseModel):
    """Body of DELETE offchain/orders/{orderId}: whose order it is."""

    model_config = ConfigDict(extra="ignore")

    customerRef: Ref


@dataclass(frozen=True, slots=True)
class Page:
    """Which rows of a list. limit: rows, at most 100. offset: rows left out before them."""

    limit: int
    offset: int

    @property
    def rows_at_a_time(self) -> int:
        """How many rows to read at a time where most of them are shown: as many as are needed, within bounds."""
        return max(READ_ROWS_MIN, min(READ_ROWS_MAX, self.offset + self.limit))

    def of(self, rows: Iterable[Row]) -> Iterator[Row]:
        return islice(rows, self.offset, self.offset + self.limit)


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


def json_object(body: bytes) -> dict[str, Any]:
    """Return the body's members, whatever its Content-Type says (T11). Raises Fault on ``body``."""
    try:
        value = json.loads(body.decode(), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise validation_fault([Detail("body", "must be a JSON object")]) from error
    if not isinstance(value, dict):
        raise validation_fault([Detail("body", "must be a JSON object")])
    return value


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def body_hash(members: Mapping[str, Any]) -> str:
    """Return what tells two requests of one idempotency key apart: SHA-256 of the sorted compact body (T12)."""
    text = json.dumps(members, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def place_order_body(members: Mapping[str, Any]) -> PlaceOrderBody:
    return _checked(PlaceOrderBody, members)


def cancel_order_body(members: Mapping[str, Any]) -> CancelOrderBody:
    return _checked(CancelOrderBody, members)


def _checked(model: type[Body], members: Mapping[str, Any]) -> Body:
    """Return the checked body. Raises Fault with every faulty field, once each, in the order of the table (T7)."""
    try:
        return model.model_validate(members)
    except ValidationError as error:
        names = dict.fromkeys(str(fault["loc"][0]) for fault in error.errors())
        raise validation_fault([Detail(name, _MESSAGES[name]) for name in names]) from error


def customer_ref(segment: str) -> str:
    """Return the customerRef in a path segment. Raises Fault INVALID_PARAM."""
    return _path_parameter("customerRef", segment, REF_CHARACTERS_MAX)


def book_id(segment: str) -> str:
    """Return the orderBookId in a path segment, whatever it may name. Raises Fault INVALID_PARAM."""
    return _path_parameter("orderBookId", segment, ID_CHARACTERS_MAX)


def order_id(segment: str) -> str:
    """Return the orderId in a path segment, whatever it may name. Raises Fault INVALID_PARAM."""
    return _path_parameter("orderId", segment, ID_CHARACTERS_MAX)


def _path_parameter(name: str, segment: str, characters_max: int) -> str:
    try:
        value = percent_decoded(segment)
    except BadPercentEncoding as error:
        raise Fault("INVALID_PARAM", f"{name} must be percent-encoded UTF-8") from error
    if not 1 <= len(value) <= characters_max or _CONTROL.search(value):
        raise Fault("INVALID_PARAM", f"{name} {_MESSAGES[name]}")
    return value


def list_query(query: Mapping[str, list[str]]) -> ListQuery:
    """Return the checked query of a list of orders. Raises Fault."""
    parameters = _Parameters(query)
    book_id = parameters.single("orderBookId", re.compile(f".{{1,{ID_CHARACTERS_MAX}}}", re.DOTALL))
    status = parameters.single("status", re.compile("|".join(OrderStatus)))
    page = _page(parameters)
    parameters.refuse_faulty()
    return ListQuery(book_id, OrderStatus(status) if status else None, page)


def page_query(query: Mapping[str, list[str]]) -> Page:
    """Return the checked page of a list that has no filters. Raises Fault."""
    parameters = _Parameters(query)
    page = _page(parameters)
    parameters.refuse_faulty()
    return page


def book_status_query(query: Mapping[str, list[str]]) -> BookStatus | None:
    """Return the status that a list of books is limited to, None for all. Raises Fault on ``status``."""
    values = query.get("status")
    if values is None:
        return None
    if len(values) != 1 or values[0] not in list(BookStatus):
        raise validation_fault([Detail("status", "must be one of " + ", ".join(BookStatus))])
    return BookStatus(values[0])


def levels_query(query: Mapping[str, list[str]]) -> int:
    """Return how many levels of each side are wanted: 20 by default, 100 at most. Raises Fault."""
    parameters = _Parameters(query)
    levels = parameters.single("levels", _FROM_ONE)
    parameters.refuse_faulty()
    return LEVELS_DEFAULT if levels is None else _bounded(levels, LEVELS_MAX)


def customer_query(query: Mapping[str, list[str]]) -> str:
    """Return the customerRef that a query must name. Raises Fault."""
    parameters = _Parameters(query)
    customer = parameters.single("customerRef", _REF, is_required=True)
    parameters.refuse_faulty()
    assert customer is not None
    return customer


class _Parameters:
    """Query parameters as they are looked at one by one; one given twice, or empty, is a fault of its own (T25)."""

    def __init__(self, query: Mapping[str, list[str]]) -> None:
        self._query = query
        self._faulty: list[str] = []

    def single(self, name: str, accepts: re.Pattern[str], *, is_required: bool = False) -> str | None:
        values = self._query.get(name)
        if values is None and not is_required:
            return None
        if values is None or len(values) != 1 or not accepts.fullmatch(values[0]):
            self.refuse(name)
            return None
        return values[0]

    def refuse(self, name: str) -> None:
        self._faulty.append(name)

    def refuse_faulty(self) -> None:
        """Raise Fault with every faulty parameter, in the order in which they were looked at (T7)."""
        if self._faulty:
            raise validation_fault([Detail(name, _MESSAGES[name]) for name in self._faulty])


def _page(parameters: _Parameters) -> Page:
    limit = parameters.single("limit", _FROM_ONE)
    offset = parameters.single("offset", _DIGITS)
    offset_rows = _bounded(offset or "0", OFFSET_MAX + 1)
    if offset_rows > OFFSET_MAX:
        parameters.refuse("offset")
    return Page(LIMIT_DEFAULT if limit is None else _bounded(limit, LIMIT_MAX), offset_rows)


def _bounded(digits: str, most: int) -> int:
    """Return the number, or ``most`` where it is larger, however many digits there are."""
    significant = digits.lstrip("0") or "0"
    return most if len(significant) > len(str(most)) else min(int(significant), most)


def wait_preference(header: str) -> int | None:
    """Return the seconds of ``Prefer: wait=n``, 10 at most; None where there is no such wish (T19)."""
    for preference in header.split(","):
        match = _PREFERENCE.fullmatch(preference)
        if match:
            seconds = match[1].strip()
            wait_s = _bounded(seconds, WAIT_S_MAX) if _DIGITS.fullmatch(seconds) else 0
            return wait_s or None
    return None


def validation_fault(details: list[Detail]) -> Fault:
    return Fault("VALIDATION_ERROR", "Request failed schema validation", details=details)
