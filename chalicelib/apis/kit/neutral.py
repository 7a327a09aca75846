"""Neutral values: a member that a desk does not serve is refused only if its value asks for something."""

from __future__ import annotations

import re
from collections.abc import Mapping

_ZERO = re.compile(r"[+-]?0*(?:\.0*)?(?:[eE][+-]?[0-9]+)?")
"""Zero in any notation, or an empty text."""


def is_neutral(value: object, usual: str | None = None) -> bool:
    """Tell whether a value asks for nothing: null, false, 0 or empty, also as a text, or only such values inside.

    usual: a text that asks for the default.

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
