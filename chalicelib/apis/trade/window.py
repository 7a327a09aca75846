"""The window of time of a list (R17): two ends, six calendar months apart at most."""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import MAXYEAR, MINYEAR, UTC, datetime, timedelta

from chalicelib.apis.kit.times import EPOCH, QUERY_TIME, moment_of

MONTHS_MAX = 6
EARLIEST = datetime(2017, 10, 1, tzinfo=UTC)
_DAY_BUT_A_MS = timedelta(days=1, milliseconds=-1)


class FaultyEnd(ValueError):
    """An end of the window is faulty. name: its parameter."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


@dataclass(frozen=True, slots=True)
class Window:
    """A span of time in Unix ms, both ends included."""

    from_ms: int
    to_ms: int

    def until(self, to_ms: int) -> Window:
        """Return the part that is not later than a time."""
        return Window(self.from_ms, min(self.to_ms, to_ms))


@dataclass(frozen=True, slots=True)
class _End:
    at: datetime
    is_date: bool


def window_of(start: str | None, end: str | None, now_ms: int, names: tuple[str, str]) -> Window:
    """Return the window of two texts. names: of the start and end parameters. Raises FaultyEnd."""
    start_name, end_name = names
    first, last = _end(start, start_name), _end(end, end_name)
    if first is not None and first.at < EARLIEST:
        raise FaultyEnd(start_name)
    until = last.at if last else EPOCH + timedelta(milliseconds=now_ms)
    since = first.at if first else max(EARLIEST, months_before(until, MONTHS_MAX))
    to_ms = _ms(until + _DAY_BUT_A_MS) if last and last.is_date else _ms(until)
    if _ms(since) > to_ms or (first and until > months_after(since, MONTHS_MAX)):
        raise FaultyEnd(end_name if last else start_name)
    return Window(_ms(since), to_ms)


def months_before(at: datetime, months: int) -> datetime:
    """Return the time so many calendar months earlier, as ``months_after``."""
    return months_after(at, -months)


def months_after(at: datetime, months: int) -> datetime:
    """Return the time so many calendar months later, on the last day of the month if it has no such day.

    Beyond the years of ``datetime``, return its first or last moment.
    """
    year, month = divmod(at.year * 12 + at.month - 1 + months, 12)
    if not MINYEAR <= year <= MAXYEAR:
        return (datetime.min if year < MINYEAR else datetime.max).replace(tzinfo=UTC)
    day = min(at.day, calendar.monthrange(year, month + 1)[1])
    return at.replace(year=year, month=month + 1, day=day)


def _end(text: str | None, name: str) -> _End | None:
    if text is None:
        return None
    try:
        moment = moment_of(text, QUERY_TIME)
        return _End(moment.at, moment.is_date)
    except (ValueError, OverflowError) as error:
        raise FaultyEnd(name) from error


def _ms(at: datetime) -> int:
    return (at - EPOCH) // timedelta(milliseconds=1)
