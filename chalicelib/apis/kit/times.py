"""Times in requests: ISO 8601, exact to the last digit, UTC if they name no zone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

DAY_S = 86_400
SECONDS, MS = 0, 3
"""Units of time, as decimals of a second."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def time_form(fraction: str, zone: str) -> re.Pattern[str]:
    """Return the pattern of a date, or a time with hours and minutes at least. fraction, zone: their patterns."""
    clock = rf"\d\d:\d\d(?::\d\d(?:{fraction})?)?"
    return re.compile(rf"(?P<date>\d{{4}}-\d\d-\d\d)(?:T(?P<clock>{clock})(?P<zone>{zone})?)?", re.ASCII)


QUERY_TIME = time_form(r"\.\d+", r"Z|[+ -]\d\d:\d\d")
"""The plus of a zone may arrive as a blank, as in a query that is not encoded."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in time. at_s: Unix seconds, rounded down. fraction: the digits after them.

    is_date: the text names a whole day, and this is its first moment.
    """

    at_s: int
    fraction: str = ""
    is_date: bool = False

    @property
    def at(self) -> datetime:
        """The time, rounded down to ms. Raises OverflowError beyond the years of ``datetime``."""
        return EPOCH + timedelta(milliseconds=self.floor(MS))

    def floor(self, decimals: int) -> int:
        """Return the whole units, rounded down. decimals: SECONDS or MS."""
        in_a_second: int = 10**decimals
        return self.at_s * in_a_second + int(self.fraction[:decimals].ljust(decimals, "0") or "0")

    def first(self, decimals: int) -> int:
        """Return the time in whole units, rounded up."""
        return self.floor(decimals) + bool(self.fraction[decimals:].strip("0"))

    def last(self, decimals: int) -> int:
        """Return the time in whole units, rounded down; for a date, the last unit of the day."""
        return Moment(self.at_s + DAY_S).floor(decimals) - 1 if self.is_date else self.floor(decimals)


def moment_of(text: str, form: re.Pattern[str]) -> Moment:
    """Return the moment in a text of this form. Raises ValueError.

    >>> moment_of("2025-01-17T00:00:24.5-03:00", QUERY_TIME)
    Moment(at_s=1737082824, fraction='5', is_date=False)
    """
    found = form.fullmatch(text)
    if not found:
        raise ValueError(text)
    clock, _, fraction = (found["clock"] or "00:00").replace(",", ".").partition(".")
    at = datetime.fromisoformat(f"{found['date']}T{clock}").replace(tzinfo=UTC)
    at_s = (at - EPOCH) // timedelta(seconds=1) - _offset_s(found["zone"])
    return Moment(at_s, fraction, is_date=found["clock"] is None)


def _offset_s(zone: str | None) -> int:
    """Return how many seconds a zone (Z, +03, +0300, +03:00) is ahead of UTC. Raises ValueError."""
    if zone in (None, "Z"):
        return 0
    hours, minutes = int(zone[1:3]), int(zone[3:].removeprefix(":") or "0")
    if hours > 23 or minutes > 59:
        raise ValueError(zone)
    offset_s = (hours * 60 + minutes) * 60
    return -offset_s if zone[0] == "-" else offset_s
