"""``Prefer: wait=n`` (RFC 7240): how long a client would wait for the first matching result (T19)."""

from __future__ import annotations

import re

WAIT_S_MAX = 10
_PREFERENCES = re.compile(r'(?:[^",]|"(?:\\.|[^"\\])*"?)+')
"""Preferences end at commas, but not at those within quotes."""
_WAIT = re.compile(r"\s*wait\s*=\s*\"?([^\";]*)\"?\s*(;.*)?", re.IGNORECASE)
_DIGITS = re.compile(r"[0-9]+")


def wait_preference(header: str) -> int | None:
    """Return the seconds of the first ``wait`` in the header, 10 at most; None where there is no such wish."""
    for preference in _PREFERENCES.findall(header):
        match = _WAIT.fullmatch(preference)
        if match:
            seconds = match[1].strip().lstrip("0")
            if not _DIGITS.fullmatch(seconds):
                return None
            return WAIT_S_MAX if len(seconds) > len(str(WAIT_S_MAX)) else min(int(seconds), WAIT_S_MAX)
    return None
