"""JSON texts: compact, canonical (for hashing), and exact (numbers of any length, never binary floats). Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

INTEGER_DIGITS_MAX = 38
"""Maximum digits of a number that is read as an int: those of a ledger amount."""

compact = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
"""Return a value as compact JSON."""
canonical = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode
"""Return a value as canonical JSON: equal values have equal texts."""
quoted = json.encoder.encode_basestring
"""Return a string as JSON: ``compact`` of it, in a tenth of the time."""


@dataclass(frozen=True, slots=True)
class Number:
    """A JSON number, kept as text. False if it is zero, however it is written."""

    text: str

    def __bool__(self) -> bool:
        return bool(self.text.lower().partition("e")[0].strip("-0."))


def digest(text: str) -> str:
    """Return the hexadecimal SHA-256 of a text; half surrogate pairs are allowed."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def exact(value: object) -> str:
    """Return a value as compact JSON, with int, Decimal and Number exact. Raises TypeError for a float.

    >>> exact({"weight": Decimal("0.10"), "is_new": True, "of": ["é", None, Number("1e2")]})
    '{"weight":0.10,"is_new":true,"of":["é",null,1e2]}'
    """
    match value:
        case None | bool() | int() | str():
            return compact(value)
        case Decimal():
            return str(value)
        case Number(text):
            return text
        case Mapping():
            return "{" + ",".join(f"{_string(name)}:{exact(member)}" for name, member in value.items()) + "}"
        case list() | tuple():
            return "[" + ",".join(map(exact, value)) + "]"
    raise TypeError(f"{type(value)} is not written")


def _string(name: object) -> str:
    if not isinstance(name, str):
        raise TypeError(f"a member is named {name!r}")
    return compact(name)


def exact_object(text: str) -> dict[str, Any]:
    """Return the object in a text written by ``exact``, with numbers as int or Decimal."""
    value: dict[str, Any] = json.loads(text, parse_float=exact_number, parse_int=exact_number)
    return value


def exact_number(text: str) -> int | Decimal:
    """Return a JSON number exactly: as int if it has integer form and at most 38 digits, else as Decimal.

    Python converts long digit strings in quadratic time, and refuses very long ones. Raises ValueError if the exponent
    exceeds a Decimal's.

    >>> exact_number("12"), exact_number("1.50"), exact_number("1" * 39)
    (12, Decimal('1.50'), Decimal('111111111111111111111111111111111111111'))
    """
    if len(text) <= INTEGER_DIGITS_MAX and text.removeprefix("-").isdecimal():
        return int(text)
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise ValueError(text) from error
