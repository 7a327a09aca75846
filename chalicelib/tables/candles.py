"""Candles (table ``candles``): what a book traded in each minute, hour and day that is over, a row each.

Under ``<book>/<period>`` by the time at which they begin. A row is written when its candle is finished, and is a pure
function of the journal: whoever writes it again, a second matcher or the same one after a crash, writes the same row.
So no condition is needed, and none of its figures is ever added to. The candles that are not over stand in the depth
view (``books``), with the sequence of the entry up to which trades are counted.

A minute's row is kept for eight days, an hour's for a hundred, then DynamoDB drops it; a day's is kept for good, which
is 365 rows of some 200 bytes a year and book. Minutes and hours without trades have no row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from chalicelib.domain.books.candles import Candle, Finished, Period, candle_of
from chalicelib.tables.dynamodb import Database, Row, reads_row

TABLE = "candles"
DAY_MS = 86_400_000
KEPT_MS = {Period.MINUTE: 8 * DAY_MS, Period.HOUR: 100 * DAY_MS, Period.DAY: None}
"""How long after its beginning a candle is kept; None: for good."""


class Candles:
    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, book: str, finished: Iterable[Finished]) -> None:
        """Write candles that are finished; those that are there are written as they are."""
        self._database.put_many(TABLE, [row_of(book, *each) for each in finished])

    def between(self, book: str, period: Period, from_ms: int, before_ms: int) -> Iterator[Candle]:
        """Yield the finished candles that begin from one time on and before another, oldest first."""
        if from_ms >= before_ms:
            return
        condition = "#series = :series AND #start_ms BETWEEN :first AND :last"
        values = {":series": _series(book, period), ":first": from_ms, ":last": before_ms - 1}
        for row in self._database.query(TABLE, condition, values):
            yield _candle_of(row)

    def newest(self, book: str, period: Period, at_ms: int) -> Candle | None:
        """Return the last finished candle that begins at this time or before, None where there is none any more."""
        condition = "#series = :series AND #start_ms <= :last"
        values = {":series": _series(book, period), ":last": at_ms}
        row = next(self._database.query(TABLE, condition, values, ScanIndexForward=False, Limit=1), None)
        return None if row is None else _candle_of(row)

    def all(self, book: str, period: Period) -> Iterator[Candle]:
        """Yield all finished candles of a period that are still there, oldest first."""
        return map(_candle_of, self.rows(book, period))

    def rows(self, book: str, period: Period) -> Iterator[Row]:
        """Yield the rows of all finished candles of a period, those that cannot be read too, oldest first."""
        return self._database.query(TABLE, "#series = :series", {":series": _series(book, period)})


def is_kept(period: Period, start_ms: int, now_ms: int) -> bool:
    """Tell whether a candle that begins then is kept now."""
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
