"""Checks order rows and fills against the journals.

Rows come in any order; the disagreement of the earliest journal entry is reported. Matching rows are removed from the
expected ones, so those left at the end are missing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import asdict

from chalicelib.domain.books.fills import Fill
from chalicelib.domain.books.vocabulary import AmendOrder, CancelOrder, OrderStatus, PlaceOrder
from chalicelib.domain.ledger.owners import book_key
from chalicelib.services.books.disagreements import Disagreement, beyond, difference
from chalicelib.services.books.fold import BookFold, ExpectedRows, RowKey
from chalicelib.support.clock import iso
from chalicelib.support.ids import time_of
from chalicelib.tables.amendments import amendment_of
from chalicelib.tables.amendments import row_of as row_of_amendment
from chalicelib.tables.external_ids import is_name, name_row
from chalicelib.tables.fills import fills_in, row_of
from chalicelib.tables.inbox import commands_of
from chalicelib.tables.order_rows import admitted_row, refuse_earlier_form
from chalicelib.tables.rows import Row

UNDECIDED_MS_MAX = 86_400_000


class RowCheck:
    """folds: every book of the checked instances. compared: the books whose rows are compared."""

    def __init__(self, expected: ExpectedRows, folds: Mapping[str, BookFold], compared: Set[str]) -> None:
        self._expected = expected
        self._folds = folds
        self._compared = compared
        self._first: tuple[int, str, Disagreement] | None = None
        self.orders: Counter[str] = Counter()
        """Number of matching order rows by book; ``fills``: of fills in matching rows."""
        self.fills: Counter[str] = Counter()
        self._names: dict[RowKey, Row] = {}
        """External ids: as stored, and as derived from the order rows."""
        self._named: dict[RowKey, Row] = {}
        self.undecided: list[tuple[str, Row]] = []
        """Rows of undecided orders, with their book; of every book of the instances."""
        self.amendments: list[tuple[str, str, AmendOrder]] = []
        """Amendments under way, with their book and owner; of every book of the instances."""
        self.may_be_cancelled: dict[tuple[str, str], str] = {}
        """Owners of the open orders of the compared books that may have a cancel, by book and order id."""

    def closed_order(self, row: Row) -> None:
        """Compare the row of a closed order, or keep an external id (R31) for the end. Raises UnreadableRow."""
        refuse_earlier_form(row)
        if is_name(row):
            self._names[row["owner"], row["order_id"]] = row
        else:
            self._order(row, is_open=False)

    def open_order(self, row: Row) -> None:
        """Compare the row of an open order."""
        if _book_of(row) in self._compared and "cancel_refused" not in row:
            self.may_be_cancelled[_book_of(row), row["order_id"]] = row["owner"]
        self._order(row, is_open=True)

    def amendment(self, row: Row) -> None:
        """Keep an amendment under way, which must be undecided. Raises UnreadableRow."""
        command, book = amendment_of(row), _book_of(row)
        where = f"amendment {command.command_id} of order {command.order_id} of {row['owner']}"
        fold = self._folds.get(book)
        if fold is None:
            self._note(0, Disagreement(f"{where}, book_id", "a book that there is", book))
        elif command.command_id not in fold.progress:
            self.amendments.append((book, row["owner"], command))
            stored = row_of_amendment(row["owner"], row["book_id"], command)
            self._note(0, difference(where, stored, row, fold.head))
        else:
            decided, _ = fold.progress[command.command_id]
            self._note(decided.ended or 0, Disagreement(where, "no row: the journal has its outcome", "a row"))

    def _order(self, row: Row, *, is_open: bool) -> None:
        owner, order_id, shown = row["owner"], row["order_id"], row.get("sequence")
        if "external_id" in row:
            name = name_row(owner, row["external_id"], order_id)
            self._named[owner, name["order_id"]] = name
        where = f"{'open ' if is_open else ''}order row {order_id} of {owner}"
        expected = self._expected.orders.get((owner, order_id))
        if expected is not None and expected.is_open is is_open:
            del self._expected.orders[owner, order_id]
            should = expected.row(owner, self._expected.refused_cancels.get((owner, order_id)))
            differs = difference(where, should, row, self._folds[expected.book].head)
            self._note(expected.sequence, differs)
            self.orders[expected.book] += differs is None
            return
        book = _book_of(row)
        fold = self._folds.get(book)
        if fold is None:
            self._note(0, Disagreement(f"{where}, book_id", "a book that there is", book))
        elif is_open and shown is None and order_id not in fold.decided:
            self.undecided.append((book, row))
        elif book in self._compared:
            claimed = f"a row that shows entry {shown}"
            kind = "open" if is_open else "closed"
            unknown = Disagreement(where, f"no row: the journal has no such {kind} order of this owner", claimed)
            self._note(_sequence(shown), beyond(f"{where}, sequence", shown, fold.head) or unknown)

    def undecided_order(self, row: Row, placed: PlaceOrder | None) -> None:
        """Compare the row of an undecided order with its command. placed: None if the inbox no longer has it."""
        owner, order_id, book = row["owner"], row["order_id"], _book_of(row)
        if placed is not None:
            should = admitted_row(owner, row["book_id"], placed)
        else:
            should = row | {"filled": 0, "status": OrderStatus.OPEN.value}
        refused_cancel = self._expected.refused_cancels.get((owner, order_id))
        if refused_cancel is not None:
            should["cancel_refused"] = refused_cancel
        if book in self._compared:
            where = f"row of the undecided order {order_id} of {owner}"
            self._note(0, difference(where, should, row, self._folds[book].head))

    def overdue(self, now_ms: int, cancels: Iterable[Row]) -> Disagreement | None:
        """Return an order of the compared books that waits, itself or for its amendment or cancel, over a day (T64).

        cancels: the rows of the inbox of those of ``may_be_cancelled``. Raises MalformedCommand.
        """
        orders = [(row["order_id"], row["owner"]) for book, row in self.undecided if book in self._compared]
        waiting = [(order_id, owner, order_id) for order_id, owner in orders]
        amendments = [(owner, command) for book, owner, command in self.amendments if book in self._compared]
        waiting += [(command.order_id, owner, command.command_id) for owner, command in amendments]
        for row in cancels:
            for cancel in commands_of(row):
                if isinstance(cancel, CancelOrder):
                    owner = self.may_be_cancelled[row["book"], cancel.order_id]
                    waiting.append((cancel.order_id, owner, cancel.command_id))
        for order_id, owner, command in waiting:
            at_ms = time_of(command)
            if at_ms < now_ms - UNDECIDED_MS_MAX:
                where = f"order {order_id} of {owner}, command {command}"
                return Disagreement(where, "decided within a day", f"undecided since {iso(at_ms)}")
        return None

    def fills_row(self, row: Row) -> None:
        """Compare a row of fills. Raises UnreadableRow."""
        owner, name, shown = row["owner"], row["fill"], row.get("sequence")
        where = f"fills {name} of {owner}"
        expected = self._expected.fills.pop((owner, name), None)
        if expected is not None:
            should, found, head = expected.fills, fills_in(row), self._folds[expected.book].head
            beside = {"fills": row["fills"]}  # compressed: other versions of zlib may have other bytes
            differs = difference(where, row_of(should) | beside, row, head) or _differing(where, should, found, head)
            self._note(should[0].sequence, differs)
            self.fills[expected.book] += len(should) if differs is None else 0
            return
        book = _book_of(row)
        fold = self._folds.get(book)
        if fold is None:
            self._note(0, Disagreement(f"{where}, book_id", "a book that there is", book))
        elif book in self._compared:
            count = len(fills_in(row))
            unknown = Disagreement(where, "no row: the journal has no such trades", f"{count} of entry {shown}")
            self._note(_sequence(shown), beyond(f"{where}, sequence", shown, fold.head) or unknown)

    def first(self) -> Disagreement | None:
        """Return the disagreement of the earliest entry. Call it after all rows."""
        for (owner, order_id), order in self._expected.orders.items():
            where = f"{'open ' if order.is_open else ''}order row {order_id} of {owner}"
            self._note(order.sequence, Disagreement(where, "the row", "no row"))
        for (owner, name), row in self._expected.fills.items():
            missing = Disagreement(f"fills {name} of {owner}", f"a row of {len(row.fills)}", "no row")
            self._note(row.fills[0].sequence, missing)
        for owner, name in sorted({*self._names, *self._named}):
            expected, stands = self._named.get((owner, name), {}), self._names.get((owner, name), {})
            self._note(0, difference(f"name {name} of {owner}", expected, stands, 0))
        return None if self._first is None else self._first[2]

    def _note(self, sequence: int, disagreement: Disagreement | None) -> None:
        if disagreement is None:
            return
        place = sequence, disagreement.where
        if self._first is None or place < self._first[:2]:
            self._first = (*place, disagreement)


def _differing(where: str, should: Sequence[Fill], found: Sequence[Fill], head: int) -> Disagreement | None:
    """Return the first fill of a row that differs from the expected ones; where: the row."""
    stored = {_name(fill): fill for fill in found}
    for fill in should:
        here, other = f"fill {_name(fill)} of {fill.owner}", stored.pop(_name(fill), None)
        if other is None:
            return Disagreement(here, "the fill", "no such fill in its row")
        if other != fill:
            return difference(here, asdict(fill), asdict(other), head)
    for name, fill in stored.items():
        return Disagreement(f"fill {name} of {fill.owner}", "no fill: the journal has no such trade", "one in a row")
    if list(should) != found:
        return Disagreement(where, "fills in order of trades, each once", "others")
    return None


def _name(fill: Fill) -> str:
    return f"{fill.trade_id}/{fill.side}"


def _book_of(row: Row) -> str:
    return book_key(row["owner"].partition("/")[0], str(row.get("book_id")))


def _sequence(shown: object) -> int:
    return shown if isinstance(shown, int) else 0
