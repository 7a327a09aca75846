"""Checks after a soak test: nothing lost, nothing done twice, and everything that clients were told has happened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from chalicelib.domain.books.vocabulary import CloseReason, OrderStatus
from chalicelib.tables import inbox
from chalicelib.tables.books import Books
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.journal import Journal
from chalicelib.tables.orders import TABLE, Orders
from chalicelib.tables.rows import Row


@dataclass(slots=True)
class Journaled:
    """Content of all books' journals. Each counter: occurrences by order id."""

    entries: int = 0
    trades: int = 0
    accepted: Counter[str] = field(default_factory=Counter)
    cancelled: Counter[str] = field(default_factory=Counter)


def read_journals(database: Database) -> Journaled:
    found, journal = Journaled(), Journal(database)
    for book in sorted(Books(database).all_keys()):
        for entry in journal.after(book, 0):
            found.entries += 1
            for event in entry.events:
                if event["type"] == "accepted":
                    found.accepted[event["order"]["id"]] += 1  # type: ignore[index]
                elif event["type"] == "traded":
                    found.trades += 1
                elif event["type"] == "closed" and event["reason"] == CloseReason.USER_CANCELLED:
                    found.cancelled[str(event["order"])] += 1
    return found


def problems_of(
    database: Database, journaled: Journaled, credited: Mapping[str, int], placed: list[str], cancelled: list[str]
) -> list[str]:
    """Return the problems found, one line each.

    credited: credits by asset. placed, cancelled: ids of orders answered with 201, and of cancels answered with 200.
    """
    open_rows = {row["order_id"]: row for row in Orders(database).open_rows()}
    closed_rows = {row["order_id"]: row for row in database.scan(TABLE)}
    rows: dict[str, Row] = closed_rows | open_rows
    return [
        *_assets_not_conserved(database, credited),
        *_each("was placed twice", (order for order, times in Counter(placed).items() if times > 1)),
        *_each("was answered with 201 and is not there", set(placed) - set(rows)),
        *_each("is open and has closed", open_rows.keys() & closed_rows.keys()),
        *_each("is not accepted exactly once", (order for order in rows if journaled.accepted[order] != 1)),
        *_each("is accepted and has no row", set(journaled.accepted) - set(rows)),
        *_each("has had no turn", (order for order, row in rows.items() if row.get("sequence") is None)),
        *_each("could not be decided", (o for o, row in rows.items() if row["status"] == OrderStatus.REJECTED)),
        *_each("was cancelled for its client twice", (o for o, times in Counter(cancelled).items() if times > 1)),
        *_each("was cancelled for its client and is not", (o for o in cancelled if not _is_cancelled(rows.get(o)))),
        *_each("was cancelled for its client and its journal does not say so", _not_once(cancelled, journaled)),
        *_each("has a cancel without an outcome", _cancelled_orders(database) & _open_to_cancel(open_rows)),
    ]


def _assets_not_conserved(database: Database, credited: Mapping[str, int]) -> Iterable[str]:
    totals: Counter[str] = Counter()
    for row in database.scan("accounts"):
        if row["entry"].startswith("balance/") and not row["owner"].endswith("/supply"):
            totals[row["entry"].removeprefix("balance/")] += row["available"] + row["held"]
    for asset in sorted(set(totals) | set(credited)):
        if totals[asset] != credited.get(asset, 0):
            yield f"{asset}: {totals[asset]} on all accounts, credited {credited.get(asset, 0)}"


def _each(problem: str, orders: Iterable[str]) -> Iterable[str]:
    return (f"{order} {problem}" for order in sorted(orders))


def _is_cancelled(row: Row | None) -> bool:
    return row is not None and (row["status"], row["reason"]) == (OrderStatus.CANCELLED, CloseReason.USER_CANCELLED)


def _not_once(cancelled: list[str], journaled: Journaled) -> Iterable[str]:
    return (order for order in cancelled if journaled.cancelled[order] != 1)


def _cancelled_orders(database: Database) -> set[str]:
    """Return the orders with a cancel in the inbox."""
    return {row["order_id"] for row in database.scan(inbox.TABLE) if row["kind"] == "cancel"}


def _open_to_cancel(open_rows: Mapping[str, Row]) -> set[str]:
    return {order_id for order_id, row in open_rows.items() if "cancel_refused" not in row}
