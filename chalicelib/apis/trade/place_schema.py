"""The form of orders as this desk takes them (R14, R23, R24): what is wrong with a body, member by member.

The first faulty member in the table's order is answered (R10). Amounts are read twice: for their form here, and for
their decimals when the pair tells how many there are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from chalicelib.apis.kit.exact_json import UnreadableJson
from chalicelib.apis.kit.neutral import is_neutral
from chalicelib.apis.trade.decimals import NotAnAmount, floored, parse, parts_of, units_of
from chalicelib.apis.trade.envelope import invalid
from chalicelib.apis.trade.figures import Decimals
from chalicelib.apis.trade.query import order_id_of
from chalicelib.domain.books.admission import OrderRequest
from chalicelib.domain.books.vocabulary import OrderType, TimeInForce
from chalicelib.domain.ledger.amounts import Side
from chalicelib.services.books.amending import NewTerms
from chalicelib.support.canonical import Number

SIDES = {side.value.lower(): side for side in Side}
TYPES = {order_type.value.lower(): order_type for order_type in OrderType}
POST_ONLY, IOC, FOK, EXPIRATION = FLAGS = ("post_only", "immediate_or_cancel", "fill_or_kill", "expiration")
FLAGS_OF = {
    OrderType.LIMIT: FLAGS,
    OrderType.MARKET: (FOK,),
    OrderType.CEILING: (FOK,),
    OrderType.STOP_LIMIT: (EXPIRATION,),
    OrderType.TRAILING: (EXPIRATION,),
    OrderType.ICEBERG: (POST_ONLY, EXPIRATION),
}
"""The flags that a type has. A market order passes over others; on the other types they are faults (O21)."""
OWN_MEMBERS = {
    "stop_price": OrderType.STOP_LIMIT,
    "distance": OrderType.TRAILING,
    "step_amount": OrderType.ICEBERG,
}
"""Members that one type has. They change what is executed: on any other order they are faults, not dropped (R41)."""
NOT_AMENDED = ("price", "value", *OWN_MEMBERS)
"""Members of a placement that an amendment cannot change: faults, not dropped (R68)."""
BY_VALUE_MAYBE = (OrderType.MARKET, OrderType.CEILING)
"""Types that have no price. A market order goes by amount or by value, a ceiling order by value."""
VALUE_MIN = 1
"""What a LIMIT order must be worth at least, in quote base units, where its book asks for no more (R35, T45)."""
EXPIRATION_S_MAX = 100_000_000_000
"""An expiration below this is in seconds, from here on in ms (R24)."""
EXPIRATION_MS_MAX = 253_402_300_799_999
"""The last moment of the year 9999: what lies beyond is no time that anybody means."""
TIMEOUT_S_MIN, TIMEOUT_S_MAX = 5, 86_400
NO_TIMEOUT = f"It is neither 0 nor from {TIMEOUT_S_MIN} to {TIMEOUT_S_MAX}."
"""Bounds of a dead man's switch in seconds (O10)."""
_EXTERNAL_ID = re.compile(r"[\x21-\x7e]{1,36}")

Word = TypeVar("Word")
Members = dict[str, Any]
"""A body's members, numbers as Number; a member that is null counts as absent."""


@dataclass(frozen=True, slots=True)
class PlaceBody:
    """An order as asked for. Its numbers are well-formed; their decimals are checked later."""

    pair: str
    side: Side
    order_type: OrderType
    amount: Number | str | None
    value: Number | str | None
    price: Number | str | None
    post_only: bool
    time_in_force: TimeInForce
    external_id: str | None
    expires_at_ms: int | None
    stop_price: Number | str | None = None
    distance: Number | str | None = None
    step_amount: Number | str | None = None

    @property
    def ends_at_its_turn(self) -> bool:
        """Whether the order's turn may end it, or, of a post-only one, tells whether it rests (R64)."""
        return self.order_type in BY_VALUE_MAYBE or self.time_in_force is not TimeInForce.GTC or self.post_only

    def request(self, customer: str, decimals: Decimals) -> OrderRequest:
        """Return the order in the program's own words. Raises Fault for more decimals than the assets have (R14)."""
        amount, value = _units("amount", self.amount, decimals.base), _units("value", self.value, decimals.quote)
        return OrderRequest(
            customer=customer,
            side=self.side,
            order_type=self.order_type,
            time_in_force=self.time_in_force,
            price=_units("price", self.price, decimals.quote),
            quantity=amount or 0,
            post_only=self.post_only,
            value=value,
            notional_min=VALUE_MIN,
            external_id=self.external_id,
            expires_at_ms=self.expires_at_ms,
            stop_price=_units("stop_price", self.stop_price, decimals.quote),
            distance=_units("distance", self.distance, decimals.quote),
            step=_units("step_amount", self.step_amount, decimals.base),
        )


@dataclass(frozen=True, slots=True)
class AmendBody:
    """The terms that an order is to get, as asked for. order_id: as it is inside. Decimals are checked later."""

    order_id: str
    unit_price: Number | str | None
    amount: Number | str | None

    def terms(self, decimals: Decimals) -> NewTerms:
        """Return the terms in the program's own words. Raises Fault for more decimals than the assets have (R14)."""
        price, amount = (
            _units("unit_price", self.unit_price, decimals.quote),
            _units("amount", self.amount, decimals.base),
        )
        return NewTerms(price, amount, VALUE_MIN)


def members_of(body: bytes) -> Members:
    """Return the body's members but for null ones. Raises Fault on ``body`` where it is no JSON object."""
    return {name: value for name, value in _every_member_of(body).items() if value is not None}


def _every_member_of(body: bytes) -> Members:
    members = _json_of(body)
    if not isinstance(members, dict):
        raise invalid("body")
    return members


def _members_if_any(body: bytes) -> Members:
    """Return the members of a body that needs none: no body, null, and PHP's [] for an empty map have none (R42)."""
    if not body.strip() or _json_of(body) in (None, []):
        return {}
    return _every_member_of(body)


def _json_of(body: bytes) -> object:
    try:
        return parse(body)
    except UnreadableJson as error:
        raise invalid("body") from error


def place_body(members: Members, now_ms: int) -> PlaceBody:
    """Return the order in the members. Raises Fault at the first faulty one.

    now_ms: the time, after which an order may expire.
    """
    pair = text(members, "pair")
    side, order_type = _word(members, "side", SIDES), _word(members, "type", TYPES)
    amount, value = _size(members, order_type)
    price = None
    if order_type not in BY_VALUE_MAYBE:
        trails_freely = order_type is OrderType.TRAILING and side is Side.SELL
        price = _number(members, "price", is_required=not trails_freely)
    own = {
        name: _number(members, name, is_required=True)
        for name, its_type in OWN_MEMBERS.items()
        if its_type is order_type
    }
    post_only, is_ioc, is_fok = (_flag_of(members, order_type, name) for name in (POST_ONLY, IOC, FOK))
    if post_only and (is_ioc or is_fok):
        raise invalid(POST_ONLY)
    if is_ioc and is_fok:
        raise invalid(IOC)
    expires_at_ms = None
    if EXPIRATION in FLAGS_OF[order_type]:
        expires_at_ms = _expiration(members, now_ms)
    elif order_type is OrderType.CEILING and not is_neutral(members.get(EXPIRATION)):
        raise invalid(EXPIRATION)
    if expires_at_ms is not None and (is_ioc or is_fok):
        raise invalid(EXPIRATION)
    external_id = members.get("external_id")
    if external_id is not None and not (isinstance(external_id, str) and _EXTERNAL_ID.fullmatch(external_id)):
        raise invalid("external_id")
    for name in OWN_MEMBERS:
        if name not in own and not is_neutral(members.get(name)):
            raise invalid(name)
    force = TimeInForce.IOC if is_ioc else TimeInForce.FOK if is_fok else TimeInForce.GTC
    return PlaceBody(pair, side, order_type, amount, value, price, post_only, force, external_id, expires_at_ms, **own)


def _size(members: Members, order_type: OrderType) -> tuple[Number | str | None, Number | str | None]:
    """Return the amount and the value, of which an order has one."""
    if order_type not in BY_VALUE_MAYBE:
        return _number(members, "amount", is_required=True), None
    amount, value = (_number(members, name) for name in ("amount", "value"))
    if order_type is OrderType.CEILING and value is None:
        raise invalid("value")
    if (amount is None) == (value is None):
        raise invalid("amount")
    return amount, value


def _flag_of(members: Members, order_type: OrderType, name: str) -> bool:
    """Return a flag of the order. Raises Fault where it is true and the type has no such flag, or none it looks at."""
    is_known = name in FLAGS_OF[order_type]
    is_set = (is_known or order_type is not OrderType.MARKET) and _flag(members, name)
    if is_set and not is_known:
        raise invalid(name)
    return is_set


def amend_body(members: Members) -> AmendBody:
    """Return what the members ask of an order. Raises Fault at the first faulty one (R68)."""
    order_id = order_id_of(text(members, "order_id"), "order_id")
    unit_price, amount = (_number(members, name) for name in ("unit_price", "amount"))
    if unit_price is None and amount is None:
        raise invalid("unit_price")
    for name in NOT_AMENDED:
        if not is_neutral(members.get(name)):
            raise invalid(name)
    return AmendBody(order_id, unit_price, amount)


def pair_to_cancel(body: bytes, query: Mapping[str, list[str]]) -> str | None:
    """Return the pair whose orders are to be canceled, None for all pairs. Raises Fault.

    No pair means all, so one that is misspelt (null, too), or stands in the query, is a fault and not ignored.
    """
    members = _members_if_any(body)
    for name in (*members, *query):
        if name != "pair" or name in query:
            raise invalid(name)
    return text(members, "pair") if members.get("pair") is not None else None


def timeout_member(body: bytes, query: Mapping[str, list[str]]) -> int:
    """Return after how many seconds all orders are to be canceled, 0 for never (O10). Raises Fault.

    Another member, such as a pair, would say which ones: it is a fault and not ignored.
    """
    members = _every_member_of(body)
    for name in (*members, *query):
        if name != "timeout" or name in query:
            raise invalid(name)
    try:
        timeout_s = units_of(members.get("timeout"), 0)
    except NotAnAmount as error:
        raise invalid("timeout", error.reason and NO_TIMEOUT) from error
    if timeout_s and not TIMEOUT_S_MIN <= timeout_s <= TIMEOUT_S_MAX:
        raise invalid("timeout", NO_TIMEOUT)
    return timeout_s


def order_id_member(members: Members) -> str:
    """Return the order id that a cancel names, as it is inside. Raises Fault on ``id``."""
    return order_id_of(text(members, "id"), "id")


def external_id_member(members: Members) -> str:
    """Return the external id that a cancel names. Raises Fault on ``external_id``."""
    external_id = text(members, "external_id")
    if not _EXTERNAL_ID.fullmatch(external_id):
        raise invalid("external_id")
    return external_id


def text(members: Members, name: str) -> str:
    """Return a member that must be a text. Raises Fault."""
    value = members.get(name)
    if not isinstance(value, str) or not value:
        raise invalid(name)
    return value


def _word(members: Members, name: str, words: Mapping[str, Word]) -> Word:
    value = members.get(name)
    if not isinstance(value, str) or value not in words:
        raise invalid(name)
    return words[value]


def _number(members: Members, name: str, *, is_required: bool = False) -> Number | str | None:
    value = members.get(name)
    if value is None and not is_required:
        return None
    if not isinstance(value, Number | str):
        raise invalid(name)
    try:
        parts_of(value)
    except NotAnAmount as error:
        raise invalid(name, error.reason) from error
    return value


def _expiration(members: Members, now_ms: int) -> int | None:
    """Return when the order expires, in ms since the epoch, rounded down; it lies in the future (R24)."""
    value = members.get("expiration")
    if value is None:
        return None
    try:
        thousandths = floored(value, 3)
    except NotAnAmount as error:
        raise invalid("expiration") from error
    is_in_seconds = thousandths < EXPIRATION_S_MAX * 1000
    expires_at_ms = thousandths if is_in_seconds else thousandths // 1000
    if not now_ms < expires_at_ms <= EXPIRATION_MS_MAX:
        raise invalid("expiration")
    return expires_at_ms


def _units(name: str, value: Number | str | None, decimals: int) -> int | None:
    if value is None:
        return None
    try:
        return units_of(value, decimals)
    except NotAnAmount as error:
        raise invalid(name, error.reason) from error


def _flag(members: Members, name: str) -> bool:
    value = members.get(name, False)
    if not isinstance(value, bool):
        raise invalid(name)
    return value
