"""The form of orders as this desk takes them (R14, R23, R24): what is wrong with a body, member by member."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.apis.kit.neutral import is_neutral
from chalicelib.apis.trade.decimals import NotAnAmount, floored
from chalicelib.apis.trade.envelope import invalid
from chalicelib.apis.trade.figures import Decimals
from chalicelib.apis.trade.members import Members, external_id, flag, number, text, units, word
from chalicelib.domain.books.admission import OrderRequest
from chalicelib.domain.books.vocabulary import OrderType, TimeInForce
from chalicelib.domain.ledger.amounts import Side
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
BY_VALUE_MAYBE = (OrderType.MARKET, OrderType.CEILING)
"""Types that have no price. A market order goes by amount or by value, a ceiling order by value."""
VALUE_MIN = 1
"""What a LIMIT order must be worth at least, in quote base units, where its book asks for no more (R35, T45)."""
EXPIRATION_S_MAX = 100_000_000_000
"""An expiration below this is in seconds, from here on in ms (R24)."""
EXPIRATION_MS_MAX = 253_402_300_799_999
"""The last moment of the year 9999: what lies beyond is no time that anybody means."""


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
        amount, value = units("amount", self.amount, decimals.base), units("value", self.value, decimals.quote)
        return OrderRequest(
            customer=customer,
            side=self.side,
            order_type=self.order_type,
            time_in_force=self.time_in_force,
            price=units("price", self.price, decimals.quote),
            quantity=amount or 0,
            post_only=self.post_only,
            value=value,
            notional_min=VALUE_MIN,
            external_id=self.external_id,
            expires_at_ms=self.expires_at_ms,
            stop_price=units("stop_price", self.stop_price, decimals.quote),
            distance=units("distance", self.distance, decimals.quote),
            step=units("step_amount", self.step_amount, decimals.base),
        )


def place_body(members: Members, now_ms: int) -> PlaceBody:
    """Return the order in the members. Raises Fault at the first faulty one.

    now_ms: the time, after which an order may expire.
    """
    pair = text(members, "pair")
    side, order_type = word(members, "side", SIDES), word(members, "type", TYPES)
    amount, value = _size(members, order_type)
    price = None
    if order_type not in BY_VALUE_MAYBE:
        trails_freely = order_type is OrderType.TRAILING and side is Side.SELL
        price = number(members, "price", is_required=not trails_freely)
    own = {
        name: number(members, name, is_required=True)
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
    named = external_id(members)
    for name in OWN_MEMBERS:
        if name not in own and not is_neutral(members.get(name)):
            raise invalid(name)
    force = TimeInForce.IOC if is_ioc else TimeInForce.FOK if is_fok else TimeInForce.GTC
    return PlaceBody(pair, side, order_type, amount, value, price, post_only, force, named, expires_at_ms, **own)


def _size(members: Members, order_type: OrderType) -> tuple[Number | str | None, Number | str | None]:
    """Return the amount and the value, of which an order has one."""
    if order_type not in BY_VALUE_MAYBE:
        return number(members, "amount", is_required=True), None
    amount, value = (number(members, name) for name in ("amount", "value"))
    if order_type is OrderType.CEILING and value is None:
        raise invalid("value")
    if (amount is None) == (value is None):
        raise invalid("amount")
    return amount, value


def _flag_of(members: Members, order_type: OrderType, name: str) -> bool:
    """Return a flag of the order. Raises Fault where it is true and the type has no such flag, or none it looks at."""
    is_known = name in FLAGS_OF[order_type]
    is_set = (is_known or order_type is not OrderType.MARKET) and flag(members, name)
    if is_set and not is_known:
        raise invalid(name)
    return is_set


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
