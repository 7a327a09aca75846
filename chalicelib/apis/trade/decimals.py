"""Numbers of the trade desk: exact decimals in and out, never a binary float (R14, R37).

Internally, an amount is an integer of base units; in requests and answers it is a decimal number of whole assets. JSON
numbers are read with all digits sent and written with all digits needed.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Any

from chalicelib.apis.kit.exact_json import read_json
from chalicelib.domain.ledger.amounts import AMOUNT_MAX, decimal_text, unit
from chalicelib.support.canonical import Number

TEXT_CHARACTERS_MAX = 80
_DECIMAL = re.compile(r"(0|[1-9][0-9]*)(\.[0-9]+)?")


TOO_LARGE = f"It has more than {len(str(AMOUNT_MAX))} digits in base units."
NOISE = " It looks like a sum of binary floats: round it before it is sent."
NOISE_DIGITS = 16
"""A sum of binary floats is written with so many digits and more."""


class NotAnAmount(ValueError):
    """The value is no amount of the asset (R14). reason: a sentence that says why; empty for a faulty form (R62)."""

    def __init__(self, value: object, reason: str = "") -> None:
        super().__init__(repr(value))
        self.reason = reason


def dec(units: int, decimals: int) -> Number:
    """Return units / 10**decimals with exactly the digits needed (R37).

    >>> dec(2347418, 8).text, dec(4260000, 2).text, dec(0, 8).text
    ('0.02347418', '42600', '0')
    """
    return Number(decimal_text(units, decimals))


def units_of(value: object, decimals: int) -> int:
    """Return the base units of a JSON number, or of a string in its form. Raises NotAnAmount (R14).

    >>> units_of(Number("1e-7"), 8), units_of("0.150", 2)
    (10, 15)
    """
    coefficient, exponent = parts_of(value)
    shift = exponent + decimals
    if not coefficient:
        return 0
    if len(str(coefficient)) + shift > len(str(AMOUNT_MAX)):
        raise NotAnAmount(value, TOO_LARGE)
    if shift >= 0:
        return coefficient * unit(shift)
    units, left_over = divmod(coefficient, unit(min(-shift, len(str(coefficient)))))
    if left_over:
        is_noise = len(str(coefficient)) >= NOISE_DIGITS
        raise NotAnAmount(value, f"It has more than {decimals} decimals.{NOISE if is_noise else ''}")
    return units


def floored(value: object, decimals: int) -> int:
    """Return a number's value times 10**decimals, rounded down. Raises NotAnAmount, also for more than 38 digits.

    >>> floored(Number("1.0019"), 3), floored("17", 0), floored(Number("1e-999"), 3)
    (1001, 17, 0)
    """
    coefficient, exponent = parts_of(value)
    shift, digits = exponent + decimals, len(str(coefficient))
    if coefficient and digits + shift > len(str(AMOUNT_MAX)):
        raise NotAnAmount(value, TOO_LARGE)
    if shift >= 0:
        return coefficient * unit(shift) if coefficient else 0
    return coefficient // unit(min(-shift, digits))


def parts_of(value: object) -> tuple[int, int]:
    """Return (coefficient, exponent) of a value in the form of an amount. Raises NotAnAmount."""
    text = value.text if isinstance(value, Number) else value
    if not isinstance(text, str):
        raise NotAnAmount(value)
    if len(text) > TEXT_CHARACTERS_MAX:
        raise NotAnAmount(value, f"It has more than {TEXT_CHARACTERS_MAX} characters.")
    if isinstance(value, str) and not _DECIMAL.fullmatch(value):
        raise NotAnAmount(value)
    try:
        sign, digits, exponent = Decimal(text).as_tuple()
    except InvalidOperation as error:  # an exponent beyond all bounds
        raise NotAnAmount(text) from error
    coefficient = int("".join(map(str, digits)))
    if not isinstance(exponent, int) or (sign and coefficient):
        raise NotAnAmount(text)
    return coefficient, exponent


def parse(content: bytes) -> Any:
    """Return the JSON value, its numbers as Number (R44). Raises UnreadableJson."""
    return read_json(content, Number)
