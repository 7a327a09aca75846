"""Members that ask for nothing: what a desk does not serve is refused only where it would have to do something."""

from __future__ import annotations

import re
from collections.abc import Mapping

_ZERO = re.compile(r"[+-]?0*(?:\.0*)?(?:[eE][+-]?[0-9]+)?")
"""Zero however it is written; or nothing."""


def is_neutral(value: object, usual: str | None = None) -> bool:
    """Tell whether a value asks for nothing: null, false, 0, empty, also as a text, or nothing but such inside.

    usual: a text that asks for what is done anyway.

    >>> [is_neutral(value) for value in (None, 0, "0.00", " false", [{"amount": "0"}], 1, "no", [0, 1])]
    [True, True, True, True, True, False, False, False]
    """
    if isinstance(value, str):
        text = value.strip()
        return text in ("false", usual) or _ZERO.fullmatch(text) is not None
    if isinstance(value, Mapping):
        return all(map(is_neutral, value.values()))
    if isinstance(value, list):
        return all(map(is_neutral, value))
    return not value
