"""Rounds of the demo's traders: BTC_BRL's book is closed, another one has the pair, and the rows of the first go.

::

    open --close--> closed; another is open --a round later: one transaction--> no book --> its rows are removed

The transaction gives the traders back what they had before the round and removes the book's settings. From then on
nobody loads the book, and ``tallybook verify`` knows nothing of it. Its rows are removed piece by piece, the depth view
last: a run that finds a depth view without settings goes on where another has died (O31).

A book on which anybody else has traded stays: a trade has two sides, and his must not lose the other (O32).
"""

from __future__ import annotations

from collections.abc import Iterator

from chalicelib import wiring
from chalicelib.domain.books.candles import Period
from chalicelib.domain.books.config import BookConfig
from chalicelib.domain.books.vocabulary import BookStatus
from chalicelib.domain.feed.logs import book_log
from chalicelib.domain.ledger.owners import book_key, customer_key, split_book_key
from chalicelib.ops.cli.books import done
from chalicelib.services.books.configuring import Configuring
from chalicelib.services.books.fold import BookFold
from chalicelib.services.books.lost_commands import lost_by_book
from chalicelib.support.clock import now_ms
from chalicelib.support.consistency import Inconsistent
from chalicelib.tables.account_rows import MARK
from chalicelib.tables.accounts import balance_at
from chalicelib.tables.book_rows import config_at
from chalicelib.tables.books import Books, rows_that_name
from chalicelib.tables.depth_views import DepthViews, depth_at
from chalicelib.tables.dynamodb import Database, batched
from chalicelib.tables.journal import Journal
from chalicelib.tables.read_ahead import RowAt
from chalicelib.tables.rows import Row
from chalicelib.tables.writes import Delete, Update, Write
from infra import demo

TRADERS = ("trader_ada", "trader_ben", "trader_cleo", "trader_dan", "trader_eve")
SETTLED_MS = 300_000
"""How long a book has stood still before its rows are removed: longer than a request takes, and longer than the
minute of stream records that the local DynamoDB delivers again after a restart.
"""
ROWS_AT_ONCE = 100
_OWNERS = [customer_key(demo.INSTANCE, trader) for trader in TRADERS]
_KEYS = {
    "fills": ("owner", "fill"),
    "orders": ("owner", "order_id"),
    "inbox": ("book", "command"),
    "candles": ("series", "start_ms"),
    "journal": ("book", "sequence"),
}


class MustStay(Exception):
    """The book's rows must stay. The message says why."""


class Rounds:
    """The books of BTC_BRL, one after the other.

    removes: whether rows may be removed: the run has a DynamoDB of its own, whose streams forget what was before the
    last minute. settled_ms: as SETTLED_MS.
    """

    def __init__(self, *, removes: bool, settled_ms: int = SETTLED_MS) -> None:
        self._removes = removes
        self._settled_ms = settled_ms

    def entries(self, book_id: str) -> int:
        """Return the length of a book's journal."""
        return _end_of(book_key(demo.INSTANCE, book_id))[0]

    def start_over(self, book_id: str) -> str:
        """Close the book of a round. Return the id of the next one. Raises MustStay; then nothing is changed.

        Whoever follows the book by WebSocket is disconnected, and finds the next one under its pair.
        """
        if not self._removes:
            raise MustStay("only in a DynamoDB of its own does a run remove entries")
        if _closed() or not demo.round_of(book_id) or _others_in(_fold(_config(book_id))):
            raise MustStay("others have traded there. Begin anew with: make run FRESH=1")
        done(Configuring(wiring.database()).change(demo.INSTANCE, book_id, {"status": BookStatus.CLOSED}))
        following = demo.open_vendors_book()
        _disconnect(book_id)
        return following

    def remove_closed(self) -> Iterator[None]:
        """Remove the rows of closed books, piece by piece: whoever stops at one may begin again later."""
        if not self._removes:
            return
        database = wiring.database()
        for config in _closed():
            if not self._is_at_rest(config):
                continue
            fold = _fold(config)
            if not fold.holds() and not _others_in(fold):
                _disconnect(config.book_id)
                _forget(database, fold)
                yield
        yield from remove_leftovers()

    def _is_at_rest(self, config: BookConfig) -> bool:
        """Return whether a closed book has decided and projected everything, some time ago."""
        key, database = book_key(config.instance, config.book_id), wiring.database()
        (sequence, at_ms), view = _end_of(key), DepthViews(database).of(key)
        is_done = (view.sequence, view.version) == (sequence, config.version)
        return is_done and now_ms() - at_ms >= self._settled_ms and key not in lost_by_book(database, config.instance)


def remove_leftovers() -> Iterator[None]:
    """Remove what is left of books whose settings are removed, piece by piece."""
    database = wiring.database()
    for key in _forgotten(database):
        yield from _remove(database, key)


def _config(book_id: str) -> BookConfig:
    config = Books(wiring.database()).config(book_key(demo.INSTANCE, book_id))
    if config is None:
        raise Inconsistent(f"{book_id} has gone")
    return config


def _closed() -> list[BookConfig]:
    """Return the books of rounds that are closed."""
    configs = Books(wiring.database()).of_instance(demo.INSTANCE)
    return [one for one in configs if one.status is BookStatus.CLOSED and demo.round_of(one.book_id)]


def _end_of(key: str) -> tuple[int, int]:
    """Return sequence and time of a journal's last entry; zeros if it has none."""
    last = next(Journal(wiring.database()).newest_first(key), None)
    return (0, 0) if last is None else (last.sequence, last.at_ms)


def _fold(config: BookConfig) -> BookFold:
    fold = BookFold(book_key(config.instance, config.book_id), config)
    for entry in Journal(wiring.database()).after(fold.key, 0):
        fault = fold.fold(entry)
        if fault is not None:
            raise Inconsistent(str(fault))
    return fold


def _others_in(fold: BookFold) -> set[str]:
    """Return the owners whose money the book has moved or holds, without the traders."""
    return {owner for owner, _ in {*fold.settled, *fold.holds()}} - {*_OWNERS}


def _disconnect(book_id: str) -> None:
    """Close the connections that follow a book: they would hear nothing any more."""
    if wiring.connections_url():
        sessions = wiring.pushing().beat.sessions
        for one in sessions.connections.following([f"{demo.INSTANCE}/{book_log(book_id)}"]):
            sessions.sender.close(one.connection_id)


def _forget(database: Database, fold: BookFold) -> None:
    """Take back what a closed book has moved, and remove its settings, all or nothing."""
    mark_as_folded, covers_it = "#mark = :sequence", "#available >= :moved"
    writes: list[Write] = [
        Update(
            *_place(balance_at(*account)),
            "SET #available = #available - :moved REMOVE #mark",
            f"{mark_as_folded} AND {covers_it}",
            {":moved": moved, ":sequence": fold.marks[account]},
            {"#mark": f"{MARK}/{fold.key}"},
        )
        for account, moved in fold.settled.items()
    ]
    writes.append(Delete(*_place(config_at(fold.key))))
    writes += [Delete("books", {"book": row["book"], "part": row["part"]}) for row in rows_that_name(fold.config)]
    database.transact(writes, lambda: Books(database).config(fold.key) is None)


def _forgotten(database: Database) -> list[str]:
    """Return the keys of the rounds' books that have a depth view and no settings."""
    rows = [(row["book"], row["part"]) for row in database.scan("books")]
    books = {book for book, part in rows if part == "depth"} - {book for book, part in rows if part == "config"}
    return sorted(book for book in books if _is_round(*split_book_key(book)))


def _is_round(instance: str, book_id: str) -> bool:
    return instance == demo.INSTANCE and demo.round_of(book_id) > 0


def _remove(database: Database, key: str) -> Iterator[None]:
    """Remove the rows of a forgotten book, its depth view last."""
    places = [(table, owner) for table in ("fills", "orders") for owner in _OWNERS]
    places += [("candles", f"{key}/{period.value}") for period in Period]
    places += [("inbox", key), ("journal", f"{key}/snapshot"), ("journal", key)]
    for table, partition in places:
        newest_first = reversed(_rows_of(database, table, partition, split_book_key(key)[1]))  # no gap behind a reader
        for rows in batched(newest_first, ROWS_AT_ONCE):
            database.delete_many(table, rows)
            yield
    database.write(Delete(*_place(depth_at(key))))


def _rows_of(database: Database, table: str, partition: str, book_id: str) -> list[Row]:
    """Return the keys of a book's rows in a partition, and of the names of its orders."""
    first, second = _KEYS[table]
    wanted = ", ".join(f"#{name}" for name in (first, second, "book_id", "names"))
    condition, values = f"#{first} = :partition", {":partition": partition}
    rows = list(database.query(table, condition, values, ProjectionExpression=wanted))
    own = {row[second] for row in rows if "names" not in row and row.get("book_id", book_id) == book_id}
    return [{first: row[first], second: row[second]} for row in rows if row.get("names", row[second]) in own]


def _place(row: RowAt) -> tuple[str, Row]:
    table, key = row
    return table, dict(key)
