"""Holds: what each kind of order sets aside. A hold is a function of the open order alone.

| order | hold |
| --- | --- |
| book, with a price | ``hold_of_limit`` of what is unfilled (T42), parked or hidden too |
| book, without | SELL: its quantity; BUY by value: the value (R25); BUY by quantity: ``market_buy_hold`` (T38) |
| signed | ``SignedOrder.hold``: BUY: ``worth`` of all of it; SELL: its quantity; both plus incentive, in quote (K33) |
| escrow | ``Order.hold``: what was paid in and is not reimbursed (E12, E21) |

An order on a book trades at several prices, each payment rounded down, so its hold is rounded up and no trade finds
too little. A signed order has one price: its fills come to ``worth`` of the whole at most.
"""

from __future__ import annotations

from collections.abc import Iterable

from chalicelib.domain.ledger.amounts import Side, worth_rounded_up
from chalicelib.domain.ledger.fees import BPS


def hold_of_limit(side: Side, price: int, quantity: int, base_decimals: int) -> int:
    """Return what an open LIMIT order of this unfilled quantity holds (T42): SELL: base units, BUY: quote base units.

    >>> hold_of_limit(Side.BUY, 7, 15, 1), hold_of_limit(Side.SELL, 7, 15, 1)
    (11, 15)
    """
    return quantity if side is Side.SELL else worth_rounded_up(price, quantity, base_decimals)


def hold_at_admission(
    side: Side, price: int | None, quantity: int, value: int | None, base_decimals: int
) -> int | None:
    """Return what a book order holds before its turn, in base units of the held asset.

    None for a BUY by quantity without a price: its hold depends on the asks (``market_buy_hold``).
    price: the order's limit; None: it has none. value: of a BUY by value, else None.

    >>> hold_at_admission(Side.SELL, None, 15, None, 1), hold_at_admission(Side.BUY, None, 15, 8, 1)
    (15, 8)
    """
    if side is Side.SELL or price is None:
        return quantity if side is Side.SELL else value
    return hold_of_limit(side, price, quantity, base_decimals)


def extra_of_amendment(
    side: Side, price: int, remaining: int, hold: int, new_price: int, new_remaining: int, base_decimals: int
) -> int:
    """Return what an amendment sets aside beside the order's hold, in base units of the held asset (O8).

    price, remaining, hold: of the order as it was read. It is enough however much fills before the amendment's turn:
    each fill gives back at least what its quantity costs at the old price, rounded down, hence the unit more.

    >>> extra_of_amendment(Side.BUY, 7, 15, 105, 8, 20, 0), extra_of_amendment(Side.BUY, 7, 15, 105, 7, 10, 0)
    (56, 0)
    >>> extra_of_amendment(Side.SELL, 7, 15, 15, 9, 20, 0)
    5
    """
    if side is Side.SELL:
        return max(0, new_remaining - remaining)
    if new_price <= price and new_remaining <= remaining:
        return 0
    more = max(0, new_remaining - remaining)
    whole = worth_rounded_up(new_price, new_remaining, base_decimals) - hold
    return max(0, whole, worth_rounded_up(new_price, more, base_decimals)) + 1


def market_buy_cost(asks: Iterable[tuple[int, int]], quantity: int, base_decimals: int) -> int:
    """Return C of T38: ceil(sum(price * quantity) / 10**d) over asks (price, quantity), best first, in quote units."""
    product = 0
    for price, offered in asks:
        taken = min(offered, quantity)
        product += price * taken
        quantity -= taken
        if not quantity:
            break
    return worth_rounded_up(1, product, base_decimals)


def market_buy_hold(cost: int, available: int, collar_bps: int) -> int:
    """Return H of T38: the cost lifted by the book's collar, as far as ``available`` reaches. Quote units."""
    return min(available, -(-cost * (BPS + collar_bps) // BPS))
