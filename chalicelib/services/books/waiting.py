"""Polling: wait, for a bounded time, until the tables show the outcome of an order, a cancel-all or an amendment."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from chalicelib.domain.books.orders import OrderRow
from chalicelib.services.books.reading import BooksReading
from chalicelib.services.polling import POLL_S_MAX, SPARE_S, polls
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.inbox import Inbox, Progress

CANCEL_WAIT_S = 5.0
"""How long a request waits for the result of its cancel (T29)."""
CANCEL_ALL_WAIT_S = 20.0
"""How long a request waits for cancel-alls that have begun: closing takes some ms an order (R42)."""
SOONER = 0.9
"""After a first poll that has found its outcome, the next one comes sooner by this factor: it may have been late."""


class OutcomeWaiter:
    def __init__(self, database: Database) -> None:
        self._reading = BooksReading(database)
        self._inbox = Inbox(database)
        self._usual_s = 0.0
        """How long outcomes of orders have taken of late, at most POLL_S_MAX."""

    def first(
        self, is_result: Callable[[OrderRow], bool], instance: str, customer: str, order_id: str, wait_s: float
    ) -> OrderRow | None:
        """Return the order once it shows the result; None after ``wait_s``. Raises Unavailable."""
        return self.of_each(is_result, instance, customer, [order_id], wait_s).get(order_id)

    def of_each(
        self,
        is_result: Callable[[OrderRow], bool],
        instance: str,
        customer: str,
        order_ids: Iterable[str],
        wait_s: float,
    ) -> dict[str, OrderRow]:
        """Return the orders by id once all of them show their results, those that do after ``wait_s``.

        The first poll comes when outcomes usually are there, so that most waits take one or two reads. Raises
        Unavailable.
        """
        found: dict[str, OrderRow] = {}
        waiting = set(order_ids)
        for number, waited_s in enumerate(polls(wait_s, first_s=self._usual_s) if waiting else ()):
            rows = self._reading.orders_by_id(instance, customer, sorted(waiting))
            found |= {order_id: row for order_id, row in rows.items() if is_result(row)}
            waiting -= found.keys()
            if not waiting:
                self._usual_s = min(POLL_S_MAX, (self._usual_s + waited_s) / 2 if number else waited_s * SOONER)
                break
        return found

    def of_commands(
        self, commands: Collection[tuple[str, str]], turn_wait_s: float, wait_s: float
    ) -> dict[str, Progress]:
        """Return the progress of these commands (book, id) by id, once all have ended or the wait is over.

        turn_wait_s: wait for those that have not begun; wait_s: wait in all. Raises Unavailable.
        """
        progress: dict[str, Progress] = {}
        for waited_s in polls(turn_wait_s, wait_s):
            waiting = [one for one in commands if not progress.get(one[1], Progress()).ended]
            progress |= self._inbox.progress(waiting)
            later = [one for _, name in waiting if not (one := progress.get(name, Progress())).ended]
            if not later or (waited_s + SPARE_S >= turn_wait_s and not any(one.decided for one in later)):
                break
        return progress


def is_matched(row: OrderRow) -> bool:
    return row.sequence is not None


def is_cancel_decided(row: OrderRow) -> bool:
    return row.cancel_refused or not row.status.is_live
