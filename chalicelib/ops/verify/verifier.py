"""Reads books and everything derived from them, signed orders and escrow orders, and checks that they agree. Writes
nothing.

Accounts are read first, then the rows by which books are found, then of each book its depth view, what else is derived
from it, and its journal; rows of orders last. An entry committed meanwhile shows: the journal grows, or the depth view,
which a matcher publishes last, is not that of the journal's last entry before and after. A disagreement is final if
nothing that was read has changed and all is projected, or if the next reading finds the same one. Otherwise the books
are in use, and are read again a few times.

One reading scans the tables of accounts, orders, fills, signed orders, escrow orders and outbox once, and the journals
of all books of the checked instances, because all of an instance's desks share its accounts. Memory: see ``fold``,
``signed`` and ``escrow``, plus the accounts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol, TypeVar

from chalicelib.domain.books.candles import Period
from chalicelib.domain.books.config import BookConfig
from chalicelib.domain.books.journal import JournalEntry
from chalicelib.domain.books.snapshot import BrokenSnapshot
from chalicelib.domain.books.vocabulary import AmendOrder, PlaceOrder
from chalicelib.domain.feed.logs import ESCROW_AREAS, SIGNED_AREA
from chalicelib.domain.ledger.amounts import Side
from chalicelib.domain.ledger.holds import hold_at_admission
from chalicelib.ops.verify.escrow import EscrowCheck
from chalicelib.ops.verify.money import Holds, Ledger, instance_of, ledger_disagreements
from chalicelib.ops.verify.naming import decimals_disagreements, name_disagreements
from chalicelib.ops.verify.outbox import LaneCheck
from chalicelib.ops.verify.report import BookReport, InstanceReport, Report
from chalicelib.ops.verify.rows import RowCheck
from chalicelib.ops.verify.signed import SignedCheck
from chalicelib.ops.verify.views import Views, view_disagreements
from chalicelib.services.books.disagreements import UNREADABLE, Disagreement, Disproved, readable, rows_of, typed
from chalicelib.services.books.fold import BookFold, ExpectedRows
from chalicelib.services.books.loading import UnknownBook
from chalicelib.support.clock import now_ms
from chalicelib.tables.account_rows import MalformedRow
from chalicelib.tables.accounts import Accounts
from chalicelib.tables.amendments import is_amendment
from chalicelib.tables.batch_failures import PARKED
from chalicelib.tables.books import Books
from chalicelib.tables.candles import Candles
from chalicelib.tables.depth_views import DepthViews
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.escrows import Escrows
from chalicelib.tables.fills import Fills
from chalicelib.tables.inbox import Inbox, MalformedCommand
from chalicelib.tables.journal import Journal
from chalicelib.tables.orders import Orders
from chalicelib.tables.outbox import Outbox
from chalicelib.tables.rows import Row, whole
from chalicelib.tables.signed_orders import SignedOrders
from chalicelib.tables.snapshots import Snapshots
from chalicelib.tables.tokens import Tokens

READINGS_MAX = 3

T = TypeVar("T")


class BookMoves(Exception):
    """Each reading found a different disagreement: the books were in use all the time."""


class Watch(Protocol):
    """Progress callback: passes through the items being read. total: their number, if known."""

    def __call__(self, items: Iterable[T], what: str, total: int | None) -> Iterable[T]: ...


def unwatched(items: Iterable[T], what: str, total: int | None) -> Iterable[T]:  # noqa: ARG001
    return items


@dataclass(slots=True)
class _Reading:
    """All rows of one reading. books: those whose rows are compared. naming: configurations and rows that name books.

    shown: by book, the sequence of the depth view before anything else of the book was read.
    """

    instance: str | None
    books: list[str] = field(default_factory=list)
    ledger: Ledger = field(default_factory=Ledger)
    naming: list[Row] = field(default_factory=list)
    shown: dict[str, int] = field(default_factory=dict)
    folds: dict[str, BookFold] = field(default_factory=dict)
    rows: ExpectedRows = field(default_factory=ExpectedRows)
    signed: SignedCheck = field(default_factory=SignedCheck)
    escrow: EscrowCheck = field(default_factory=EscrowCheck)

    def covers(self, owner: str) -> bool:
        return self.instance in (None, instance_of(owner))


class Verifier:
    """clock: time in ms, which decides which candles are kept."""

    def __init__(self, database: Database, watch: Watch = unwatched, clock: Callable[[], int] = now_ms) -> None:
        self._clock = clock
        self._candles = Candles(database)
        self._accounts = Accounts(database)
        self._books, self._depth_views = Books(database), DepthViews(database)
        self._escrows = Escrows(database)
        self._fills = Fills(database)
        self._inbox = Inbox(database)
        self._journal = Journal(database)
        self._orders = Orders(database)
        self._signed_orders = SignedOrders(database)
        self._outbox = Outbox(database)
        self._snapshots = Snapshots(database)
        self._tokens = Tokens(database)
        self._watch = watch

    def verify(self, book: str | None, instance: str | None = None) -> Report:
        """Check one book and its instance's ledger; or (book None) every book and every desk of one instance, or
        (instance None too) of all.

        Raises UnknownBook, Disproved (with the first disagreement) or BookMoves.
        """
        before: Disagreement | None = None
        for _ in range(READINGS_MAX):
            reading = _Reading(instance if book is None else instance_of(book))
            try:
                return self._prove(reading, book)
            except Disproved as disproved:
                if disproved.disagreement == before or not self._has_moved(reading):
                    raise
                before = disproved.disagreement
        raise BookMoves(book or instance or "a book")

    def _prove(self, reading: _Reading, book: str | None) -> Report:
        reading.ledger = self._ledger(reading)
        reading.naming = self._naming(reading)
        keys = sorted(row["book"] for row in reading.naming if row["part"] == "config")
        if book is not None and book not in keys:
            raise UnknownBook(book)
        reading.books = keys if book is None else [book]
        reports = {key: self._fold(reading, key) for key in sorted(keys, key=lambda key: key != book)}
        self._compare_names(reading)
        check = RowCheck(reading.rows, reading.folds, set(reading.books))
        holds = self._compare_rows(reading, check)
        self._read_desks(reading)
        self._compare_signed(reading, holds)
        self._compare_escrow(reading, holds)
        with readable("accounts"):
            _demand(ledger_disagreements(reading.ledger, reading.folds, holds))
        undecided = Counter(key for key, _ in check.undecided)
        return Report(
            tuple(_book_report(reading.folds[key], reports[key], check, undecided[key]) for key in reading.books),
            tuple(_instance_reports(reading)),
        )

    def _ledger(self, reading: _Reading) -> Ledger:
        ledger = Ledger()
        for row in self._rows("accounts", self._accounts.rows(), MalformedRow):
            if reading.covers(row.owner):
                with readable(f"table of accounts, a row of {row.owner}"):
                    ledger.add(row)
        return ledger

    def _naming(self, reading: _Reading) -> list[Row]:
        rows = rows_of("books", self._books.naming_rows())
        return [row for row in rows if reading.covers(row["part"] if row["book"] == PARKED else row["book"])]

    def _rows(self, table: str, rows: Iterable[T], *errors: type[Exception]) -> Iterable[T]:
        return self._watch(rows_of(table, rows, *errors), table, None)

    def _fold(self, reading: _Reading, key: str) -> int | None:
        """Replay the book into the reading and compare its views. Return the sequence of its snapshot."""
        is_compared = key in reading.books
        with readable(f"{key} depth view, candles and snapshot", BrokenSnapshot):
            views = self._views(key)
        reading.shown[key] = views.depth.sequence
        with readable(f"{key} configuration"):
            config = self._books.config(key)
            if config is None:
                raise UnknownBook(key)
            typed(config)
        snapshot_sequence = views.snapshot.sequence if views.snapshot else None
        with readable(f"{key} journal"):
            fold = BookFold(key, config, snapshot_sequence or 0, reading.rows if is_compared else None)
            reading.folds[key] = fold
            for entry in self._watch(self._entries(fold), key, views.depth.sequence):
                _demand([fold.fold(entry)])
            _demand([fold.fault_at_rest()])
        if is_compared:
            with readable(f"{key} depth view, candles and snapshot"):
                _demand(view_disagreements(fold, views))
            with readable(f"{key} inbox"):
                _demand(self._progress_disagreements(fold))
        return snapshot_sequence

    def _progress_disagreements(self, fold: BookFold) -> Iterator[Disagreement]:
        """Yield progress of commands in the inbox that the journal does not confirm; expired rows are skipped."""
        expected = fold.young_progress()
        noted = self._inbox.progress((fold.key, command_id) for command_id in expected)
        for command_id, reached in expected.items():
            if command_id in noted and noted[command_id] != reached:
                where = f"{fold.key} inbox, command {command_id}"
                yield Disagreement(where, str(reached.attributes), str(noted[command_id].attributes))

    def _compare_names(self, reading: _Reading) -> None:
        """Compare the rows by which books are found, and the books' decimals with their tokens'."""
        configs = [fold.config for fold in reading.folds.values()]
        _demand(name_disagreements(configs, [row for row in reading.naming if row["part"] != "config"]))
        for config in configs:
            with readable(f"tokens of {config.instance}/{config.book_id}"):
                tokens = self._tokens.get_many(config.instance, (config.base_asset, config.quote_asset))
                _demand(decimals_disagreements(config, tokens))

    def _views(self, key: str) -> Views:
        depth = self._depth_views.of(key)
        candles = {period: list(self._candles.all(key, period)) for period in Period}
        return Views(depth, self._snapshots.newest(key), candles, self._clock())

    def _entries(self, fold: BookFold) -> Iterator[JournalEntry]:
        entries = self._journal.after(fold.key, 0)
        while True:
            with readable(f"{fold.key} entry after {fold.head}"):
                try:
                    entry = next(entries)
                except StopIteration:
                    return
            yield entry

    def _compare_rows(self, reading: _Reading, check: RowCheck) -> Holds:
        """Compare all rows. Return the amounts that accounts hold for resting and undecided orders."""
        for row in self._rows("open orders", self._orders.open_table_rows()):
            if reading.covers(row["owner"]):
                with readable(f"row {row['order_id']} of {row['owner']}"):
                    (check.amendment if is_amendment(row["order_id"]) else check.open_order)(row)
        for row in self._rows("orders", self._orders.rows()):
            if reading.covers(row["owner"]):
                with readable(f"row {row['order_id']} of {row['owner']}"):
                    check.closed_order(row)
        for row in self._rows("fills", self._fills.rows()):
            if reading.covers(row["owner"]):
                with readable(f"fills {row['fill']} of {row['owner']}"):
                    check.fills_row(row)
        holds = Holds()
        for fold in reading.folds.values():
            for account, held in fold.holds().items():
                holds.add(account, held)
        for key, row in check.undecided:
            with readable(f"row of the undecided order {row['order_id']} of {row['owner']}"):
                placed = self._placed(key, row["order_id"])
                check.undecided_order(row, placed)
                self._add_hold(holds, row, placed, reading.folds[key].config)
        for key, owner, amendment in check.amendments:
            with readable(f"amendment {amendment.command_id}", MalformedCommand):
                _demand([self._amendment_disagreement(key, amendment)])
            if amendment.extra != 0:
                holds.add((owner, reading.folds[key].config.asset_held(amendment.side)), amendment.extra)
        with readable("undecided orders and cancels", MalformedCommand):
            cancels = self._inbox.cancel_rows(check.may_be_cancelled)
            _demand([check.first(), check.overdue(self._clock(), cancels)])
        return holds

    def _compare_signed(self, reading: _Reading, holds: Holds) -> None:
        """Compare all rows of signed orders, and add their holds."""
        with readable("signed orders"):
            _demand(reading.signed.disagreements(reading.ledger.legs))
        for account, held in reading.signed.holds():
            holds.add(account, held)

    def _read_desks(self, reading: _Reading) -> None:
        """Read signed and escrow orders, and then what the outbox tells of their steps. Check its lanes."""
        for row in self._rows("signed orders", self._signed_orders.rows()):
            if reading.covers(row["owner"]):
                _demand([reading.signed.add(row)])
        for row in self._rows("escrow orders", self._escrows.rows()):
            if reading.covers(str(row.get("place", row["owner"]))):  # a link's row stands outside its instance
                _demand([reading.escrow.add(row)])
        lanes = LaneCheck()
        for row in self._rows("outbox", self._outbox.rows()):
            if reading.covers(row["owner"]):
                with readable(f"outbox, entry {row['number']} of {row['owner']}"):
                    entry, events = lanes.add(row)
                    if entry.log.startswith(ESCROW_AREAS):
                        reading.escrow.add_step(entry.command, events)
                    elif entry.log.startswith(f"{SIGNED_AREA}/"):
                        reading.signed.add_step(entry.command, events)
        _demand(lanes.disagreements())

    def _compare_escrow(self, reading: _Reading, holds: Holds) -> None:
        """Compare all rows of escrow orders, and add their holds."""
        with readable("escrow orders"):
            _demand(reading.escrow.disagreements(reading.ledger.escrow_legs))
        for account, held in reading.escrow.holds():
            holds.add(account, held)

    def _add_hold(self, holds: Holds, row: Row, placed: PlaceOrder | None, config: BookConfig) -> None:
        """Add an undecided order's hold. It may be 0, and then its owner may have no account."""
        side, hold = Side(row["side"]), placed.hold if placed else _hold_of(row, config)
        if hold != 0:
            holds.add((row["owner"], config.asset_held(side)), hold)

    def _placed(self, book: str, order_id: str) -> PlaceOrder | None:
        """Return the command that placed an order; None if the inbox no longer has it, or has something else."""
        try:
            return self._inbox.placed(book, order_id)
        except MalformedCommand:
            return None

    def _amendment_disagreement(self, book: str, amendment: AmendOrder) -> Disagreement | None:
        """Compare an amendment under way with its command, unless the inbox no longer has it."""
        queued = self._inbox.amendment(book, amendment.command_id)
        if queued is None or queued == amendment:
            return None
        return Disagreement(f"{book} amendment {amendment.command_id}", str(queued), str(amendment))

    def _has_moved(self, reading: _Reading) -> bool:
        """Return whether something has changed since the reading began, or an entry is not projected yet.

        Unreadable or truncated data counts as changed: the next reading finds it again.
        """
        try:
            return (
                any(map(partial(self._book_has_moved, reading), reading.folds.values()))
                or self._naming(reading) != reading.naming
                or self._ledger(reading) != reading.ledger
                or not reading.signed.has(row for row in self._signed_orders.rows() if reading.covers(row["owner"]))
                or self._escrow_has_moved(reading)
            )
        except (*UNREADABLE, Disproved):
            return True

    def _book_has_moved(self, reading: _Reading, fold: BookFold) -> bool:
        has_grown = next(self._journal.after(fold.key, fold.head), None) is not None
        return has_grown or not reading.shown[fold.key] == self._depth_views.of(fold.key).sequence == fold.head

    def _escrow_has_moved(self, reading: _Reading) -> bool:
        again = EscrowCheck()
        for row in self._escrows.rows():
            if reading.covers(row["owner"]):
                again.add(row)
        return not again.has_rows_of(reading.escrow)


def _hold_of(row: Row, config: BookConfig) -> int:
    """Return an undecided order's hold according to its row: computed from its terms; of a MARKET BUY the stored
    amount.
    """
    price = None if row["price"] is None else whole(row, "price")
    hold = hold_at_admission(Side(row["side"]), price, whole(row, "quantity"), None, config.base_decimals)
    return whole(row, "hold") if hold is None else hold


def _demand(disagreements: Iterable[Disagreement | None]) -> None:
    for disagreement in disagreements:
        if disagreement is not None:
            raise Disproved(disagreement)


def _book_report(fold: BookFold, snapshot: int | None, check: RowCheck, undecided: int) -> BookReport:
    head = fold.state.head
    return BookReport(
        book=fold.key,
        status=fold.state.book.status.value,
        entries=head.sequence,
        events=fold.events,
        sequence=head.sequence,
        hash=head.hash,
        snapshot=snapshot,
        orders=check.orders[fold.key],
        undecided=undecided,
        fills=check.fills[fold.key],
    )


def _instance_reports(reading: _Reading) -> Iterator[InstanceReport]:
    totals = reading.ledger.totals()
    accounts = Counter(instance_of(owner) for owner, _ in reading.ledger.accounts)
    books = Counter(map(instance_of, reading.folds))
    named = [] if reading.instance is None else [reading.instance]
    for instance in sorted({*accounts, *books, *named}):
        assets = {asset: total for (of, asset), total in sorted(totals.items()) if of == instance}
        signed = [owner for owner in reading.signed.orders if instance_of(owner) == instance]
        fills = sum(len(reading.signed.fills.get(owner, ())) for owner in signed)
        escrow_orders = sum(instance_of(owner) == instance for owner, _ in reading.escrow.orders)
        yield InstanceReport(instance, books[instance], accounts[instance], assets, len(signed), fills, escrow_orders)
