"""Dead man's switches: a customer's orders are cancelled unless it says in time that it is still there (O10).

A switch fires once: the transaction that queues a cancel-all in each book with live orders of the customer removes the
switch, on condition that nobody has renewed it or fired it since it was read. In more books than a transaction takes,
each transaction notes how far it came, and the next one, or the next check after a crash, goes on behind that.

Renewing costs one write: it leaves the row in ``expiries`` that has the switch checked at the time before. That check
finds that the switch is not due, and puts a row at its time of then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from itertools import islice

from chalicelib.domain.books.vocabulary import BookStatus, CancelAll, CloseReason
from chalicelib.domain.ledger.owners import book_key, customer_key, split_book_key, split_owner
from chalicelib.support.clock import new_id
from chalicelib.support.consistency import Inconsistent
from chalicelib.support.outcomes import Unavailable
from chalicelib.support.telemetry import logger
from chalicelib.tables.attempts import Contended, until_known
from chalicelib.tables.books import Books
from chalicelib.tables.dynamodb import Database, batched
from chalicelib.tables.expiries import Expiries, Expiry, switch_time
from chalicelib.tables.inbox import Inbox
from chalicelib.tables.orders import Orders
from chalicelib.tables.switches import Switch, Switches
from chalicelib.tables.writes import ConditionFailed, TransactionRefused

SET_TRIES_MAX = 5
"""Tries to set a switch that others change meanwhile."""
ORDERS_READ_MAX = 1_000
"""Orders that are read to find a customer's books. Of a customer with more, every open book gets a command."""
BOOKS_A_TRANSACTION = 99
"""DynamoDB takes a hundred writes in a transaction; one is the switch."""


class DeadManSwitches:
    """now_ms: the time in ms since the epoch. new_id: returns prefix + ULID, ascending."""

    def __init__(self, database: Database, now_ms: Callable[[], int], new_id: Callable[[str], str] = new_id) -> None:
        self._database = database
        self._now_ms = now_ms
        self._new_id = new_id
        self._books = Books(database)
        self._expiries = Expiries(database)
        self._inbox = Inbox(database)
        self._orders = Orders(database)
        self._switches = Switches(database)

    def set(self, instance: str, customer: str, timeout_s: int) -> int | None:
        """Have the customer's orders cancelled after this time, unless it is set again; 0: no longer.

        Return when they are cancelled, ms since the epoch; None for never. Raises Unavailable (nothing changed; the
        switch may be firing) or OutcomeUnknown.
        """
        owner = customer_key(instance, customer)
        busy = Unavailable("the switch is firing, or keeps changing")

        def once(_may_be_done: bool) -> int | None:  # the last one that is set counts, so it is done again
            before = self._switches.get(owner)
            if before is not None and before.told_books:
                raise Contended
            try:
                if timeout_s:
                    return self._arm(owner, before, timeout_s)
                if before is not None:
                    self._database.write(self._switches.remove(before))
            except (ConditionFailed, TransactionRefused) as error:
                raise Contended from error
            return None

        return until_known(once, SET_TRIES_MAX, self._database.pause, busy)

    def _arm(self, owner: str, before: Switch | None, timeout_s: int) -> int:
        now_ms = self._now_ms()
        after = Switch(owner, now_ms + timeout_s * 1000, self._new_id("dms"))
        step = self._switches.replace(before, after)
        if before is not None and now_ms < before.cancel_at_ms <= after.cancel_at_ms:
            self._database.write(step)
        else:
            scheduled = self._expiries.schedule(switch_time(owner, after.cancel_at_ms))
            self._database.transact([step, scheduled], lambda: self._switches.get(owner) == after or None)
        return after.cancel_at_ms

    def schedule_all(self) -> int:
        """Have every armed switch checked at its time; return how many there are. For operators: scans a table."""
        armed, now_ms = list(self._switches.every()), self._now_ms()
        self._expiries.schedule_all(switch_time(one.owner, max(one.cancel_at_ms, now_ms)) for one in armed)
        return len(armed)

    def check(self, checks: Iterable[Expiry], at_ms: int) -> list[Expiry]:
        """Fire the switches of these checks that are due, several at once; return the checks to be made again.

        Checks of switches that are armed until later are put at their times.
        """
        by_owner = {check.owner: check for check in checks}
        if not by_owner:
            return []
        armed = self._switches.of_each(by_owner)
        later = [one for one in armed.values() if one.cancel_at_ms > at_ms]
        if later:
            self._expiries.schedule_all(switch_time(one.owner, one.cancel_at_ms) for one in later)
        left: list[Expiry] = []

        def fire(switch: Switch) -> None:
            try:
                is_over = self._fire(switch)
            except Exception:
                logger.exception("a dead man's switch has not fired yet", owner=switch.owner)
                is_over = False
            if not is_over:
                left.append(by_owner[switch.owner])

        self._database.together([partial(fire, one) for one in armed.values() if one.cancel_at_ms <= at_ms])
        return left

    def _fire(self, switch: Switch) -> bool:
        """Queue the cancel-alls and remove the switch. Return False if it was renewed, or fired, since it was read.

        Its check stays then: a renewal relies on it.
        """
        instance, _ = split_book_key(switch.owner)
        book_ids = [book_id for book_id in self._books_of(instance, switch.owner) if book_id > switch.told_books]
        parts = list(batched(book_ids, BOOKS_A_TRANSACTION)) or [[]]
        for part in parts:
            after = None if part is parts[-1] else replace(switch, step=self._new_id("dms"), told_books=part[-1])
            if not self._tell(switch, after, instance, part):
                return False
            switch = after or switch
        logger.info("a dead man's switch has fired", instance=instance, books=len(book_ids))
        return True

    def _tell(self, before: Switch, after: Switch | None, instance: str, book_ids: list[str]) -> bool:
        """Queue a cancel-all in each of these books with a step of the switch. Return False if it is another by now."""
        customer, _ = split_owner(instance, before.owner)
        if customer is None:
            raise Inconsistent("a switch is a customer's")
        commands = {
            book_key(instance, book_id): CancelAll(self._new_id("cxa"), customer, CloseReason.DEAD_MAN)
            for book_id in book_ids
        }
        now_s = self._now_ms() // 1000
        sends = [self._inbox.send(book, command, now_s) for book, command in commands.items()]
        step = self._switches.remove(before) if after is None else self._switches.replace(before, after)

        def is_done() -> bool:
            return bool(self._inbox.progress((book, command.command_id) for book, command in commands.items()))

        try:
            self._database.transact([step, *sends], is_done if sends else None)
        except TransactionRefused:
            return False
        return True

    def _books_of(self, instance: str, owner: str) -> list[str]:
        """Return the ids of the books with live orders of an owner, ascending; all open ones where it has very many."""
        orders = self._orders.books_of_open(owner)
        found = set(islice(orders, ORDERS_READ_MAX))
        if next(orders, None) is not None:
            is_open = (book for book in self._books.of_instance(instance) if book.status is not BookStatus.CLOSED)
            found |= {book.book_id for book in is_open}
        return sorted(found)
