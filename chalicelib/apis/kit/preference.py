"""``Prefer: wait=n`` (RFC 7240): how long a client waits for the first result (T19), or for events.

Parsing takes time linear in the header's size.
"""

from __future__ import annotations

import re

WAIT_S_MAX = 10
_PREFERENCE = re.compile(r'(?:[^",]|"(?:\\.|[^"\\])*+"?)++', re.DOTALL)
"""A preference ends at a comma, but not at one within quotes. Nothing is matched twice: the repeats are possessive."""
_DIGITS = re.compile(r"[0-9]+")


def wait_preference(header: str, most_s: int = WAIT_S_MAX) -> int | None:
    """Return the seconds of the first ``wait`` in the header, at most ``most_s``; None if there is none, or for 0."""
    seconds = _seconds_in(header)
    if not seconds:
        return None
    return most_s if len(seconds) > len(str(most_s)) else min(int(seconds), most_s)


def declines_to_wait(header: str) -> bool:
    """Return whether the first ``wait`` in the header is 0."""
    return _seconds_in(header) == ""


def _seconds_in(header: str) -> str | None:
    """Return the digits of the first ``wait`` in the header without leading zeros; None if there are none."""
    for preference in _PREFERENCE.findall(header):
        name, is_there, value = preference.partition(";")[0].partition("=")
        if is_there and name.strip().lower() == "wait":
            seconds = value.strip().removeprefix('"').removesuffix('"').strip()
            return seconds.lstrip("0") if _DIGITS.fullmatch(seconds) else None
    return None
