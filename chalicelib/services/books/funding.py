"""Funding: which of a request's orders are admitted, taken in order, and what each of them holds (T38, T40, T76)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from chalicelib.domain.books.admission import OrderRequest, Refusal, RefusalCode, size_refusal_of
from chalicelib.domain.books.config import BookConfig
from chalicelib.domain.books.vocabulary import OrderType, PlaceOrder
from chalicelib.domain.ledger.amounts import AMOUNT_MAX, Side, quantity_of_value
from chalicelib.domain.ledger.holds import hold_at_admission, market_buy_cost, market_buy_hold
from chalicelib.support.ascii_case import ascii_lower
from chalicelib.support.consistency import Inconsistent

Level = tuple[int, int]
"""Price and quantity that rests at it."""


@dataclass(slots=True)
class Known:
    """What is known of the customer whose orders are admitted.

    available: by side, of the asset that its orders hold, base units; a side that is not known has enough, until the
    transaction is refused. names: external ids in use, in lower case, with the ids of their orders.
    """

    available: dict[Side, int] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)


def is_market_buy_by_quantity(request: OrderRequest) -> bool:
    """Return whether the order's hold depends on the asks and on the account (T38)."""
    return request.order_type is OrderType.MARKET and request.side is Side.BUY and request.value is None


def sides_to_read(config: BookConfig, requests: Iterable[OrderRequest | Refusal]) -> set[Side]:
    """Return the sides whose account is read before funds are worked out.

    A market buy's budget depends on the account (T38). And where orders together would hold more than an account can
    have, the tables cannot take the sum, not even to refuse it.
    """
    sides: set[Side] = set()
    held: Counter[Side] = Counter()
    for request in requests:
        if isinstance(request, OrderRequest):
            hold = _hold(config, request)
            held[request.side] += hold or 0
            if hold is None or held[request.side] > AMOUNT_MAX:
                sides.add(request.side)
    return sides


def _hold(config: BookConfig, request: OrderRequest) -> int | None:
    return hold_at_admission(request.side, request.price, request.quantity, request.value, config.base_decimals)


def sized(
    config: BookConfig, request: OrderRequest, bids: Sequence[Level], asks: Sequence[Level]
) -> OrderRequest | Refusal:
    """Return an order by value with its quantity computed from the published depth (R25), or its refusal."""
    if request.value is None:
        return request
    levels = asks if request.side is Side.BUY else bids
    if not levels:
        return Refusal(RefusalCode.INVALID_VALUE, "There is nothing to trade against")
    quantity = quantity_of_value(levels, request.side, request.value, config.base_decimals, config.lot_size)
    if quantity == 0:
        return Refusal(RefusalCode.ORDER_TOO_SMALL, "The value pays for nothing")
    by_quantity = replace(request, quantity=quantity)
    return size_refusal_of(config, by_quantity) or by_quantity


def funded(
    config: BookConfig,
    requests: Iterable[OrderRequest | Refusal],
    asks: Sequence[Level],
    known: Known,
    new_id: Callable[[str], str],
) -> list[PlaceOrder | Refusal]:
    """Return each order as admitted, or its refusal; refusals among the requests stay as they are.

    An order finds what those before it leave. It is refused if its external id is in use, by one of them too, or if
    the rest of its account does not cover its hold; then it leaves everything to those after it.
    """
    left, names = dict(known.available), dict(known.names)

    def admitted(request: OrderRequest) -> PlaceOrder | Refusal:
        name = None if request.external_id is None else ascii_lower(request.external_id)
        if name in names:
            message = f"External id was given to another order: {request.external_id}"
            return Refusal(RefusalCode.EXTERNAL_ID_TAKEN, message, order_id=names[name])
        available = left.get(request.side)
        hold = _hold(config, request)
        required = market_buy_cost(asks, request.quantity, config.base_decimals) if hold is None else hold
        if available is not None and available < required:
            message = f"Insufficient balance: required {required}, available {available}"
            return Refusal(RefusalCode.INSUFFICIENT_BALANCE, message)
        if hold is None:
            if available is None:
                raise Inconsistent("a budget is made from a known balance")
            hold = market_buy_hold(required, available, config.market_collar_bps)
        if available is not None:
            left[request.side] = available - hold
        order_id = new_id("ord")
        if name is not None:
            names[name] = order_id
        return PlaceOrder(
            order_id,
            request.customer,
            request.side,
            request.order_type,
            request.time_in_force,
            request.price,
            request.quantity,
            hold,
            request.post_only,
            request.value,
            request.external_id,
            request.expires_at_ms,
            request.stop_price,
            request.distance,
            request.step,
        )

    return [request if isinstance(request, Refusal) else admitted(request) for request in requests]
