"""Exact JSON: read clients' JSON with exact numbers, within the same bounds at every desk.

Objects and lists are nested at most DEPTH_MAX deep. Deeper values would fail later, when they are written or compared,
far from the request that sent them.

Values that a desk keeps and answers again must also be portable (``is_portable``): one number that a client's JSON
library cannot read makes a whole page of a list unreadable.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from decimal import Decimal

from chalicelib.support.canonical import exact_number

DEPTH_MAX = 128
"""Bound of nested objects and lists; a desk may set a lower one."""
PORTABLE_DIGITS_MAX = 300
"""Bound of the digits of a number that is kept, before and after its point together."""
PORTABLE_EXPONENT_MAX = 300
"""A number that is kept is between 10 to minus this power and 10 to this power, so that it fits a 64-bit float, as most
JSON libraries use. The bound holds for the exponent of zero too: some libraries refuse a huge one."""


class UnreadableJson(ValueError):
    """A text that is no JSON, or beyond the bounds; the message ends a sentence that begins with "the body"."""


class TooDeep(UnreadableJson):
    """JSON that is nested deeper than its reader allows."""


def read_json(content: bytes, number: Callable[[str], object] = exact_number, depth_max: int = DEPTH_MAX) -> object:
    """Return the value of a JSON text, in time linear in its length. number: parses the text of a number.

    Raises UnreadableJson if the content is no JSON in UTF-8, or TooDeep if it is nested deeper than ``depth_max``.
    """
    try:
        value = json.loads(content.decode(), parse_float=number, parse_int=number, parse_constant=_no_constant)
    except RecursionError as error:
        raise _too_deep(depth_max) from error
    except ValueError as error:
        raise UnreadableJson("must be readable JSON") from error
    if any(depth + isinstance(part, dict | list) > depth_max for depth, part in parts(value)):
        raise _too_deep(depth_max)
    return value


def parts(value: object) -> Iterator[tuple[int, object]]:
    """Yield (depth, value) for a JSON value and everything in it, names of members too. Not recursive."""
    waiting: list[tuple[int, object]] = [(0, value)]
    while waiting:
        depth, one = waiting.pop()
        yield depth, one
        if isinstance(one, dict):
            waiting.extend((depth + 1, part) for member in one.items() for part in member)
        elif isinstance(one, list):
            waiting.extend((depth + 1, member) for member in one)


def is_portable(value: object) -> bool:
    """Tell whether every number in a JSON value, ints and Decimals, can be read by usual JSON libraries.

    >>> is_portable({"n": [10**299]}), is_portable({"n": 10**300}), is_portable(Decimal("1e400"))
    (True, False, False)
    """
    return all(_is_portable_number(one) for _, one in parts(value) if isinstance(one, int | Decimal))


def _is_portable_number(number: int | Decimal) -> bool:
    exact = Decimal(number)
    digits = exact.as_tuple().digits
    return len(digits) <= PORTABLE_DIGITS_MAX and abs(exact.adjusted()) < PORTABLE_EXPONENT_MAX


def _too_deep(depth_max: int) -> TooDeep:
    return TooDeep(f"must not be nested deeper than {depth_max} levels")


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")
