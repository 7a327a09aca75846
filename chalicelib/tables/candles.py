"""Candles (table ``candles``): one row for each finished minute, hour and day in which a book traded.

Rows stand under ``<book>/<period>`` by start time. A row is written when its candle is finished and is a pure function
of the journal: a second matcher, or the same one after a crash, writes the same row. So writes need no condition, and
no figure is ever added to. Open candles are part of the depth view (``books``).

Rows of minutes are kept for 8 days, of hours for 100 days, then DynamoDB drops them. Rows of days are kept for good:
365 rows of about 200 bytes for each year and book. Periods without trades have no row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from chalicelib.domain.books.candles import Candle, Finished, Period, candle_of
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.rows import Row, reads_row

TABLE = "candles"
DAY_MS = 86_400_000
KEPT_MS = {Period.MINUTE: 8 * DAY_MS, Period.HOUR: 100 * DAY_MS, Period.DAY: None}
"""How long a candle is kept after its start; None: for good."""


class Candles:
    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, book: str, finished: Iterable[Finished]) -> None:
        """Write finished candles; rewriting one changes nothing."""
        self._database.put_many(TABLE, [row_of(book, *each) for each in finished])

    def between(self, book: str, period: Period, from_ms: int, before_ms: int) -> Iterator[Candle]:
        """Yield the finished candles that start in [from_ms, before_ms), oldest first."""
        if from_ms >= before_ms:
            return
        condition = "#series = :series AND #start_ms BETWEEN :first AND :last"
        values = {":series": _series(book, period), ":first": from_ms, ":last": before_ms - 1}
        for row in self._database.query(TABLE, condition, values):
            yield _candle_of(row)

    def newest(self, book: str, period: Period, at_ms: int) -> Candle | None:
        """Return the last finished candle that starts at or before this time; None if none is kept."""
        condition = "#series = :series AND #start_ms <= :last"
        values = {":series": _series(book, period), ":last": at_ms}
        row = next(self._database.query(TABLE, condition, values, ScanIndexForward=False, Limit=1), None)
        return None if row is None else _candle_of(row)

    def all(self, book: str, period: Period) -> Iterator[Candle]:
        """Yield all finished candles of a period that are still kept, oldest first."""
        return map(_candle_of, self.rows(book, period))

    def rows(self, book: str, period: Period) -> Iterator[Row]:
        """Yield the rows of all finished candles of a period, oldest first, unreadable ones included."""
        return self._database.query(TABLE, "#series = :series", {":series": _series(book, period)})


def is_kept(period: Period, start_ms: int, now_ms: int) -> bool:
    """Return whether a candle with this start is still kept."""
    kept_ms = KEPT_MS[period]
    return kept_ms is None or now_ms < start_ms + kept_ms


def row_of(book: str, period: Period, candle: Candle) -> Row:
    start_ms, *figures = candle.as_data()
    row: Row = {"series": _series(book, period), "start_ms": start_ms, "figures": figures}
    kept_ms = KEPT_MS[period]
    return row if kept_ms is None else row | {"expires": (candle.start_ms + kept_ms) // 1000}


@reads_row
def _candle_of(row: Row) -> Candle:
    return candle_of([row["start_ms"], *row["figures"]])


def _series(book: str, period: Period) -> str:
    return f"{book}/{period.value}"
