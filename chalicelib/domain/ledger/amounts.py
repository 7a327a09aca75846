"""Ledger arithmetic: what an order holds, what a trade moves. Integers in base units, no rounding that makes money.

Rounding is always written at the place that needs it: payments round down, holds round up (T41, T42).
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

FEE_SCALE_BPS = 10_000


def unit(decimals: int) -> int:
    """Return how many base units one whole asset has."""
    return int(10**decimals)


def hold_of_limit(side: Side, price: int, quantity: int, base_decimals: int) -> int:
    """Return what an open LIMIT order of this unfilled quantity holds (T42).

    SELL: the quantity, in base; BUY: ceil(price * quantity / 10**base_decimals), in quote.

    >>> hold_of_limit(Side.BUY, 7, 15, 1)
    11
    """
    if side is Side.SELL:
        return quantity
    return -(-price * quantity // unit(base_decimals))


def market_buy_cost(asks: Iterable[tuple[int, int]], quantity: int, base_decimals: int) -> int:
    """Return C of T38: ceil(sum(price * quantity) / 10**d) over asks (price, quantity), best first, in quote units."""
    product = 0
    for price, offered in asks:
        taken = min(offered, quantity)
        product += price * taken
        quantity -= taken
        if not quantity:
            break
    return -(-product // unit(base_decimals))


def market_buy_hold(cost: int, available: int, collar_bps: int) -> int:
    """Return H of T38: the cost lifted by the book's collar, as far as ``available`` reaches. Quote units."""
    return min(available, -(-cost * (FEE_SCALE_BPS + collar_bps) // FEE_SCALE_BPS))


def quantity_of_value(
    levels: Iterable[tuple[int, int]], side: Side, value: int, base_decimals: int, lot_size: int = 1
) -> int:
    """Return the quantity that a MARKET order by value comes to (R25), in base units, a multiple of the lot (T45).

    levels: those of the other side, (price, quantity), best first. A buy takes what the value pays for, rounding each
    level's cost up; a sell what brings the value in, rounding each level's yield down, and the lot up. Where the side
    runs out, it is all whole lots of it.

    >>> quantity_of_value([(35000000, 1000000), (35100000, 2000000)], Side.BUY, 500000, 8)
    1427350
    """
    scale, left, quantity = unit(base_decimals), value, 0
    for price, offered in levels:
        product = price * offered
        worth = -(-product // scale) if side is Side.BUY else product // scale
        if worth > left:
            wanted = left * scale
            if side is Side.SELL:
                return -(-(quantity + -(-wanted // price)) // lot_size) * lot_size
            quantity += wanted // price
            break
        left -= worth
        quantity += offered
    return quantity // lot_size * lot_size


class Side(StrEnum):
    BUY = "BUY"
    SELL = "SELL"
