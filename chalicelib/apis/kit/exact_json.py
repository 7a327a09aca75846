"""JSON of clients, read within bounds that are the same at every desk.

At most DEPTH_MAX objects and lists stand within one another: deeper, and what a program does with the value later
(writing it, comparing it) would fail, far from the request that sent it. Numbers are read exactly.

What a desk keeps and answers again is bounded further, by ``is_portable``: a page of a list that holds one number that
a client's JSON library cannot read is a page that this client cannot read at all.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from decimal import Decimal

from chalicelib.support.canonical import exact_number

DEPTH_MAX = 128
"""Objects and lists within one another; a desk may set a lower bound."""
PORTABLE_DIGITS_MAX = 300
"""Of a number that is kept and answered again, before and behind its point together."""
PORTABLE_EXPONENT_MAX = 300
"""A number that is kept is smaller than 10 to this power and larger than 10 to minus it: 64-bit floats hold it, which
is what most JSON libraries make of a number. Nor has a zero a larger exponent: some libraries refuse a huge one."""


class UnreadableJson(ValueError):
    """A text that is no JSON, or beyond the bounds; the message ends a sentence that begins with "the body"."""


class TooDeep(UnreadableJson):
    """JSON that is nested deeper than its reader allows."""


def read_json(content: bytes, number: Callable[[str], object] = exact_number, depth_max: int = DEPTH_MAX) -> object:
    """Return the value in a JSON text, in time linear in its length. number: makes a number of its text.

    Raises UnreadableJson where the content is no JSON in UTF-8; TooDeep where it is nested deeper than ``depth_max``.
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
    """Yield a JSON value and everything in it, names of members too, each with how many objects and lists it is in.

    Has no bound of depth itself: it keeps a stack of its own.
    """
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
