"""Commits of the escrow desk: each step of an order is written in one transaction (E23).

::

    read order, payin, payout --> decide (pure, may refuse) --> one transaction, if the order is unchanged
        ^                                                            |
        +---- another command was first: eight tries, with jitter ---+

The transaction writes the order (condition: version and status as read), its payin, payout and refund, one change for
each account (condition: neither part becomes negative), the ledger's rows, its entry of the outbox (condition: the
lane's next number is free) and, under an Idempotency-Key, the answer (condition: key free). Each command has a unique
name, stored on the order and in its entry. If the outcome of a transaction is unknown, the name on the order, or else
in the entry under the number that it asked for, tells whether it was written, so nothing is done twice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from chalicelib.domain.escrow.checks import wrong
from chalicelib.domain.escrow.faults import DeskBusy, Invalid, NotFound
from chalicelib.domain.escrow.feed import announced
from chalicelib.domain.escrow.order import Order, Scope, refuse_other_worlds_asset
from chalicelib.domain.escrow.step import OrderRecord, Step
from chalicelib.domain.ledger.changes import Account, Leg
from chalicelib.domain.ledger.owners import customer_key, escrow_fees_key
from chalicelib.domain.ledger.transactions import Transaction
from chalicelib.services.ledger.posting import EntryUnknown, Posting, Postings, Refused
from chalicelib.support.clock import new_id
from chalicelib.support.consistency import Inconsistent
from chalicelib.support.ids import time_of
from chalicelib.support.outcomes import ReceiptExists
from chalicelib.tables.accounts import LedgerBroken
from chalicelib.tables.attempts import Contended, until_known
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.escrows import Escrows
from chalicelib.tables.writes import Write

TRIES_MAX = 8

Decide = Callable[[OrderRecord], Step]
Receipt = Callable[[OrderRecord], Write]
"""Returns one more write for the transaction, made from the order as the command leaves it."""


def command_name() -> str:
    """Return a new name for a command: names of one process ascend."""
    return new_id("cmd").partition("_")[2]


class Once:
    """An id drawn at its first use and reused afterwards, so that all tries of a command share it."""

    def __init__(self, take: Callable[[], int]) -> None:
        self._take = take
        self._taken: int | None = None

    def __call__(self) -> int:
        if self._taken is None:
            self._taken = self._take()
        return self._taken


@dataclass(frozen=True, slots=True)
class Command:
    """A command over all its tries. name: unique. tried: postings whose answer was lost, with their numbers."""

    name: str = field(default_factory=command_name)
    tried: list[tuple[Posting, int]] = field(default_factory=list)


class Commits:
    """Writes steps of escrow orders. clock_s: Unix seconds."""

    def __init__(self, database: Database, clock_s: Callable[[], int]) -> None:
        self._database = database
        self._clock_s = clock_s
        self._escrows = Escrows(database)
        self._postings = Postings(database)

    def commit(self, scope: Scope, order_id: int, decide: Decide, receipt: Receipt | None = None) -> OrderRecord:
        """Decide on the order as stored now, write the step, and return the order as it is then.

        A step that changes nothing is not written.

        Raises NotFound, what ``decide`` raises, ReceiptExists, Invalid (the ledger has no room for a credit),
        DeskBusy, LedgerBroken or Unavailable (nothing changed); or OutcomeUnknown.
        """
        command = Command()

        def once(may_be_done: bool) -> OrderRecord:
            current = self.current(scope, order_id)
            if may_be_done and self._is_done(current, command):
                return current
            step = decide(current)
            return current if step.after == current else self._post(step, command, receipt)

        busy = DeskBusy(f"order {order_id} of {scope.merchant}")
        return until_known(once, TRIES_MAX, self._database.pause, busy)

    def current(self, scope: Scope, order_id: int) -> OrderRecord:
        """Return the order with its latest payin and payout. Raises NotFound, OtherWorldsAsset."""
        order = self._escrows.order(scope, order_id)
        if order is None:
            raise NotFound(f"order {order_id}")
        refuse_other_worlds_asset(f"order {order_id}", scope.world, order.currency)
        return OrderRecord(order, *self._escrows.attached(order))

    def create(self, step: Step, command: str, receipt: Receipt | None) -> OrderRecord:
        """Write a new order. Raises ReceiptExists, or Refused where its public id is taken."""
        order = replace(step.after.order, command=command)
        after = replace(step.after, order=order)
        posting = Posting(
            order.scope.instance,
            self._escrows.put_order(order),
            at_ms=order.created_at_s * 1000,
            receipt=None if receipt is None else receipt(after),
            announcement=announced(replace(step, after=after), command),
        )

        def once(may_be_done: bool) -> OrderRecord:
            if may_be_done and self._stands(order):
                return after
            try:
                self._postings.post(posting)
            except Refused as refused:
                if not self._stands(order):
                    if refused.is_receipt:
                        raise ReceiptExists(command) from refused
                    raise
            return after

        return until_known(once, TRIES_MAX, self._database.pause, DeskBusy(command))

    def _stands(self, order: Order) -> bool:
        found = self._escrows.order(order.scope, order.order_id)
        return found is not None and found.public_id == order.public_id

    def _is_done(self, current: OrderRecord, command: Command) -> bool:
        return current.order.command == command.name or any(self._postings.is_posted(*one) for one in command.tried)

    def _post(self, step: Step, command: Command, receipt: Receipt | None) -> OrderRecord:
        """Write a step. Raises Contended or ReceiptExists (nothing changed), or OutcomeUnknown."""
        after = replace(step.after, order=replace(step.after.order, command=command.name))
        scope, order_id = after.order.scope, after.order.order_id
        posting = Posting(
            scope.instance,
            self._things(step, after),
            {(_owner(scope, account), account.asset): change for account, change in step.changes.items()},
            self._clock_s() * 1000,
            [_transaction(order_id, leg) for leg in step.legs],
            None if receipt is None else receipt(after),
            announced(replace(step, after=after), command.name),
        )
        try:
            self._postings.post(posting)
        except EntryUnknown as unknown:
            command.tried.append((posting, unknown.number))
            raise
        except Refused as refused:
            current = self.current(scope, order_id)
            if self._is_done(current, command):
                return current
            if refused.is_receipt:
                raise ReceiptExists(command.name) from refused
            if refused.is_supply:
                raise Invalid(wrong("amount", "is more than the ledger has room for")) from refused
            broken = LedgerBroken(f"order {order_id} takes what is not there")
            raise Contended(broken if refused.is_of_accounts_alone else None) from refused
        return after

    def _things(self, step: Step, after: OrderRecord) -> list[Write]:
        if step.before is None:
            raise Inconsistent("a new order is created")
        writes = [self._escrows.change_order(step.before, after.order)]
        for payin, left in step.payins:
            writes += self._escrows.put_payin(payin, left)
        new = {"payins": sum(left is None for _, left in step.payins)}
        if step.puts_payout:
            if after.payout is None:
                raise Inconsistent("a payout that is put")
            writes += self._escrows.put_payout(after.payout, step.payout_left)
            new["payouts"] = int(step.payout_left is None)
        if step.refund is not None:
            writes.append(self._escrows.put_refund(step.refund))
            new["refunds"] = 1
        counted = {kind: count for kind, count in new.items() if count}
        if counted:
            writes.append(self._escrows.count(after.order.scope, **counted))
        return writes


def _owner(scope: Scope, account: Account) -> str:
    if account.customer is None:
        return escrow_fees_key(scope.instance, scope.world)
    return customer_key(scope.instance, account.customer)


def _transaction(order_id: int, leg: Leg) -> Transaction:
    name = new_id("txn")
    reference = f"order:{order_id}"
    return Transaction(name, leg.kind, leg.asset, leg.source, leg.target, leg.amount, reference, None, time_of(name))
