"""DynamoDB's typed values, {"N": "1"}: validation, canonical form, size and order.

Rules from the developer guide, "Supported data types" and "Item sizes and formats": a number has 38 significant digits
and a magnitude between 1E-130 and 9.99E+125; numbers compare as numbers, strings by their UTF-8 bytes (the order of
their code points), binary by bytes. Stored numbers are in canonical form, so equal values are equal dicts. Sets are not
supported: no table holds one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Context, Decimal
from typing import Any

from botocore.exceptions import ParamValidationError

Typed = dict[str, Any]
Item = dict[str, Typed]
Ordered = int | Decimal | str | bytes

DIGITS_MAX = 38
EXPONENT_MIN, EXPONENT_MAX = -130, 125
NESTING_MAX = 32
NUMBER_OVERFLOW = "Number overflow. Attempting to store a number with magnitude larger than supported range"

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,9})?", re.ASCII)
_EXACT = Context(prec=300)  # holds the sum of the largest and the smallest number


class Invalid(Exception):
    """A ValidationException with DynamoDB's message."""


def canonical_number(text: str) -> str:
    """Return the canonical form of a number: plain digits without redundant zeros. Raises Invalid."""
    if type(text) is not str:
        raise ParamValidationError(report=f"Invalid type for a number: {text!r}, valid types: <class 'str'>")
    if text.isdigit() and len(text) <= DIGITS_MAX and text.isascii() and (text[0] != "0" or text == "0"):
        return text
    if not _NUMBER.fullmatch(text):
        raise Invalid(f"The parameter cannot be converted to a numeric value: {text}")
    number = Decimal(text)
    if not number:
        return "0"
    if number.adjusted() > EXPONENT_MAX:
        raise Invalid(NUMBER_OVERFLOW)
    if number.adjusted() < EXPONENT_MIN:
        raise Invalid("Number underflow. Attempting to store a number with magnitude smaller than supported range")
    plain = format(number, "f")
    if "." in plain:
        plain = plain.rstrip("0").rstrip(".")
    if len(plain.lstrip("-0.").replace(".", "").rstrip("0")) > DIGITS_MAX:
        raise Invalid("Attempting to store more than 38 significant digits in a Number")
    return plain


def number(text: str) -> int | Decimal:
    """Return a canonical number as an exact, comparable and hashable value."""
    return Decimal(text) if "." in text else int(text)


def total(left: str, right: str, sign: int) -> str:
    """Return left + sign * right. Raises Invalid for more than 38 digits, which DynamoDB calls an overflow."""
    first, second = number(left), number(right)
    if isinstance(first, int) and isinstance(second, int):
        text = str(first + sign * second)
    else:
        text = format(_EXACT.add(Decimal(first), Decimal(second) * sign), "f")
    try:
        return canonical_number(text)
    except Invalid as error:
        raise Invalid(NUMBER_OVERFLOW) from error


def canonical(value: Any, depth: int = 1) -> Typed:
    """Return a copy of a typed value with canonical numbers. Raises Invalid."""
    if len(value) != 1:
        raise Invalid("Supplied AttributeValue must contain exactly one of the supported datatypes")
    ((kind, content),) = value.items()
    if kind == "S" and isinstance(content, str):
        return {"S": str(content)}
    if kind == "N":
        return {"N": canonical_number(content)}
    if kind == "B" and isinstance(content, bytes | bytearray):
        return {"B": bytes(content)}
    if depth > NESTING_MAX:
        raise Invalid("Nesting Levels have exceeded supported limits")
    if kind == "L":
        return {"L": [canonical(member, depth + 1) for member in content]}
    if kind == "M":
        return {"M": {name: canonical(member, depth + 1) for name, member in content.items()}}
    if kind == "BOOL" and type(content) is bool:
        return {"BOOL": content}
    if kind == "NULL" and type(content) is bool:
        if not content:
            raise Invalid("One or more parameter values were invalid: Null attribute value types must have value true")
        return {"NULL": True}
    if kind in ("SS", "NS", "BS"):
        raise NotImplementedError(f"a set in the type {kind}: no table of ours holds one")
    raise ParamValidationError(report=f"Invalid attribute value: {value!r}")


def canonical_item(item: Mapping[str, Any]) -> Item:
    return {name: canonical(value) for name, value in item.items()}


def copied(value: Typed) -> Typed:
    """Return a deep copy."""
    ((kind, content),) = value.items()
    if kind == "L":
        return {"L": [copied(member) for member in content]}
    if kind == "M":
        return {"M": copied_item(content)}
    return {kind: content}


def copied_item(item: Item) -> Item:
    return {name: copied(value) for name, value in item.items()}


def size_of(value: Typed) -> int:
    """Return a value's size in bytes: 3 for a list or map and 1 for each member, 1 for true, false and null."""
    ((kind, content),) = value.items()
    if kind == "S":
        return len(content) if content.isascii() else len(content.encode())
    if kind == "N":
        return _size_of_number(content)
    if kind == "B":
        return len(content)
    if kind == "L":
        return 3 + sum(1 + size_of(member) for member in content)
    if kind == "M":
        return 3 + len(content) + size_of_item(content)
    return 1


def size_of_item(item: Item) -> int:
    """Return an item's size: its names in UTF-8 and its values."""
    return sum([size_of_name(name) + size_of(value) for name, value in item.items()])


def size_of_name(name: str) -> int:
    return len(name) if name.isascii() else len(name.encode())


def ordered(value: Typed) -> Ordered:
    """Return a string, number or binary in a form that compares in DynamoDB's order."""
    ((kind, content),) = value.items()
    return number(content) if kind == "N" else content


def _size_of_number(text: str) -> int:
    """One byte, one for a minus, and one for each pair of digits, counted from the point; outer zeros are free."""
    whole, _, fraction = text.lstrip("-").partition(".")
    pairs = -(-len(fraction) // 2)
    if not fraction:
        kept = len(whole.rstrip("0"))
        pairs = -(-len(whole) // 2) - (len(whole) - kept) // 2 if kept else 0
    elif whole != "0":
        pairs += -(-len(whole) // 2)
    else:
        pairs -= (len(fraction) - len(fraction.lstrip("0"))) // 2
    return 1 + text.startswith("-") + pairs
