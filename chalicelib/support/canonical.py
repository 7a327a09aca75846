"""JSON texts: compact, canonical (what is hashed), and exact (numbers of any length, never binary floats). Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

INTEGER_DIGITS_MAX = 38
"""Of an integer that is read as an int: as many as an amount of the ledger has."""

compact = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
"""Returns a value as JSON without blanks."""
canonical = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode
"""Returns the one way to write a value as JSON, so that equal values have equal texts."""


@dataclass(frozen=True, slots=True)
class Number:
    """A JSON number by its text. Zero is false, however it is written, as of other numbers."""

    text: str

    def __bool__(self) -> bool:
        return bool(self.text.lower().partition("e")[0].strip("-0."))


def digest(text: str) -> str:
    """Return the SHA-256 of a text, half surrogate pairs too, in hexadecimal digits."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def exact(value: object) -> str:
    """Return a value as compact JSON; of numbers there are int, Decimal and Number. Raises TypeError for a float.

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
    """Return the object in a text that ``exact`` made, its numbers as int or Decimal."""
    value: dict[str, Any] = json.loads(text, parse_float=exact_number, parse_int=exact_number)
    return value


def exact_number(text: str) -> int | Decimal:
    """Return a JSON number exactly: an int where it is written as one and short enough, else a Decimal.

    Python takes time squared to make an int of thousands of digits, and refuses to. Raises ValueError where the
    exponent is beyond what a Decimal holds.

    >>> exact_number("12"), exact_number("1.50"), exact_number("1" * 39)
    (12, Decimal('1.50'), Decimal('111111111111111111111111111111111111111'))
    """
    if len(text) <= INTEGER_DIGITS_MAX and text.removeprefix("-").isdecimal():
        return int(text)
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise ValueError(text) from error
