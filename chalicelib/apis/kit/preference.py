"""``Prefer: wait=n`` (RFC 7240): how long a client waits for the first matching result (T19).

Parsing takes time linear in the header's size.
"""

from __future__ import annotations

import re

WAIT_S_MAX = 10
_PREFERENCE = re.compile(r'(?:[^",]|"(?:\\.|[^"\\])*+"?)++', re.DOTALL)
"""A preference ends at a comma, but not at one within quotes. Nothing is matched twice: the repeats are possessive."""
_DIGITS = re.compile(r"[0-9]+")


def wait_preference(header: str) -> int | None:
    """Return the seconds of the first ``wait`` in the header, 10 at most; None if there is none."""
    for preference in _PREFERENCE.findall(header):
        name, is_there, value = preference.partition(";")[0].partition("=")
        if is_there and name.strip().lower() == "wait":
            seconds = value.strip().removeprefix('"').removesuffix('"').strip().lstrip("0")
            if not _DIGITS.fullmatch(seconds):
                return None
            return WAIT_S_MAX if len(seconds) > len(str(WAIT_S_MAX)) else min(int(seconds), WAIT_S_MAX)
    return None
