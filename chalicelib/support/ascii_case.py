"""Letter case of names: A to Z and a to z alone.

Unicode's own folding makes one name of several that people tell apart (``ß`` and ``ss``, the Kelvin sign and ``k``), so
what decides whether two names are one folds no more than this. Searching and sorting may fold more.
"""

from __future__ import annotations

from string import ascii_lowercase, ascii_uppercase

_LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)
_UPPER = str.maketrans(ascii_lowercase, ascii_uppercase)


def ascii_lower(text: str) -> str:
    """Return the text with A to Z in lower case, all else as it is.

    >>> ascii_lower("ANN@Straße.Test"), ascii_lower("\\u212a")
    ('ann@straße.test', 'K')
    """
    return text.translate(_LOWER)


def ascii_upper(text: str) -> str:
    """Return the text with a to z in upper case, all else as it is.

    >>> ascii_upper("eur"), ascii_upper("ß")
    ('EUR', 'ß')
    """
    return text.translate(_UPPER)
