"""ASCII letter case: folds A to Z only.

Unicode case folding merges names that people tell apart (``ß`` and ``ss``, the Kelvin sign and ``k``), so comparisons
that decide whether two names are the same fold no more than this. Searching and sorting may fold more.
"""

from __future__ import annotations

from string import ascii_lowercase, ascii_uppercase

_LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)
_UPPER = str.maketrans(ascii_lowercase, ascii_uppercase)


def ascii_lower(text: str) -> str:
    """Return the text with A to Z in lower case, everything else unchanged.

    >>> ascii_lower("ANN@Straße.Test"), ascii_lower("\\u212a") == "\\u212a"
    ('ann@straße.test', True)
    """
    return text.translate(_LOWER)


def ascii_upper(text: str) -> str:
    """Return the text with a to z in upper case, everything else unchanged.

    >>> ascii_upper("eur"), ascii_upper("ß")
    ('EUR', 'ß')
    """
    return text.translate(_UPPER)
