"""Amounts: integers in base units, and what a quantity is worth at a price. No rounding makes money.

Payments round down, holds round up (T41, T42).
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

AMOUNT_MAX = 10**38 - 1
"""Largest amount the ledger keeps: 38 digits, what a DynamoDB number holds exactly."""


class Side(StrEnum):
    BUY = "BUY"
    SELL = "SELL"


def unit(decimals: int) -> int:
    """Return how many base units one whole asset has."""
    return int(10**decimals)


def decimal_text(units: int, decimals: int) -> str:
    """Return units / 10**decimals with exactly the digits needed.

    >>> decimal_text(2347418, 8), decimal_text(4260000, 2), decimal_text(-5, 0), decimal_text(0, 8)
    ('0.02347418', '42600', '-5', '0')
    """
    sign, digits = ("-" if units < 0 else ""), str(abs(units)).rjust(decimals + 1, "0")
    whole, fraction = (digits[:-decimals], digits[-decimals:].rstrip("0")) if decimals else (digits, "")
    return f"{sign}{whole}.{fraction}" if fraction else f"{sign}{whole}"


def units_in(text: str, decimals: int) -> int | None:
    """Return the base units of a decimal text without sign; None if it has more decimals than the asset.

    >>> units_in("150.25", 2), units_in("150.250", 2), units_in("7", 0), units_in("0.001", 2)
    (15025, 15025, 7, None)
    """
    whole, _, fraction = text.partition(".")
    digits = fraction.rstrip("0")
    return int(whole + digits.ljust(decimals, "0")) if len(digits) <= decimals else None


def worth(price: int, quantity: int, decimals: int) -> int:
    """Return what is paid for a quantity, quote base units, rounded down (T41). decimals: of the quantity's asset.

    price: quote base units for one whole asset.

    >>> worth(150, 2, decimals=0), worth(150, 2 * 10**18, decimals=18), worth(150, 2, decimals=18)
    (300, 300, 0)
    """
    return price * quantity // unit(decimals)


def worth_rounded_up(price: int, quantity: int, decimals: int) -> int:
    """Return ``worth``, rounded up.

    >>> worth(7, 15, decimals=1), worth_rounded_up(7, 15, decimals=1)
    (10, 11)
    """
    return -(-price * quantity // unit(decimals))


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
