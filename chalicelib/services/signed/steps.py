"""Steps of signed orders: everything that a step changes is written in one transaction.

A step writes the order's row, the rows of its makers' and takers' lists, one change for each account, and its entry of
the outbox::

    order unchanged, funds there  --> all is written; the row carries the unique name of its command
    order changed since           --> nothing is written: Contended, read the order again
    order unchanged, funds gone   --> nothing is written: InsufficientFunds

If the answer of the transaction is lost, its entry of the outbox tells whether it was written (``posting``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from chalicelib.domain.ledger.changes import Account, Changes
from chalicelib.domain.ledger.owners import customer_key, desk_fees_key
from chalicelib.domain.ledger.transactions import Transaction
from chalicelib.domain.signed.faults import InsufficientFunds
from chalicelib.domain.signed.feed import announced
from chalicelib.domain.signed.lifecycle import FINAL, State
from chalicelib.domain.signed.settlement import held, released
from chalicelib.domain.signed.stored import Fill, StoredOrder
from chalicelib.services.ledger.posting import Posting, Postings, Refused
from chalicelib.support.ids import time_of
from chalicelib.tables.accounts import LedgerBroken
from chalicelib.tables.attempts import Contended
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.signed_orders import SignedOrders
from chalicelib.tables.writes import Write


class Steps:
    def __init__(self, database: Database) -> None:
        self._postings = Postings(database)
        self._orders = SignedOrders(database)

    def create(self, new: StoredOrder) -> StoredOrder:
        """Store a new order and hold its funds.

        Raises Contended (its meaning: InsufficientFunds, or None), Unavailable or OutcomeUnknown.
        """
        changes = held(new.order, new.stock, new.state.hold)
        try:
            self._post(None, new, self._orders.creation(new), changes)
        except Refused as refused:
            raise Contended(_shortage(refused)) from refused
        return new

    def write(
        self,
        before: StoredOrder,
        state: State,
        name: str,
        moved: Changes | None = None,
        more: Sequence[Write] = (),
        transactions: Sequence[Transaction] = (),
        fill: Fill | None = None,
        first_filled_by: str | None = None,
    ) -> StoredOrder:
        """Write an order's next state and the release of its hold; return the order.

        A step that ends a lock, or the order, also removes it from the takers' lists of locked or unfinished orders.

        name: the command's unique name, with its time. moved: account changes, if more than the release of the hold.
        more: further rows. transactions: rows of the ledger. fill: what the step fills. first_filled_by: the taker
        whose first fill of the order this is.

        Raises Contended, InsufficientFunds or Unavailable (nothing changed), or OutcomeUnknown. Raises LedgerBroken
        where the maker's held funds do not cover the release: a bug, or an account changed by hand.
        """
        state = replace(state, version=before.state.version + 1)
        after = replace(before, state=state, written_by=name)
        changes = moved
        if changes is None:
            changes = released(before.order, before.stock, before.state.hold - state.hold)
        unfinished: list[Write] = []
        if state.status in FINAL:
            unfinished = self._orders.hide_unfinished(before)
            after = replace(after, unfinished_takers=())
        elif first_filled_by is not None:
            unfinished = [self._orders.show_unfinished(after, first_filled_by)]
            after = after.with_unfinished_taker(first_filled_by)
        writes = [self._orders.step(before, after), *unfinished]
        if before.state.lock and not state.lock:
            writes.append(self._orders.hide_locked(before, before.state.lock.taker))
        writes += more
        try:
            self._post(before, after, writes, changes, transactions, fill)
        except Refused as refused:
            raise self._refusal(before, refused) from refused
        return after

    def _post(
        self,
        before: StoredOrder | None,
        after: StoredOrder,
        rows: Sequence[Write],
        changes: Changes,
        transactions: Sequence[Transaction] = (),
        fill: Fill | None = None,
    ) -> None:
        owned = {(_owner_of(after.instance, account), account.asset): change for account, change in changes.items()}
        events = announced(before, after, changes, fill)
        at_ms = time_of(after.written_by)
        self._postings.post(Posting(after.instance, rows, owned, at_ms, transactions, announcement=events))

    def _refusal(self, before: StoredOrder, refused: Refused) -> Exception:
        """Return what the failed conditions mean. Reads the order again: DynamoDB need not name all that failed."""
        found = self._orders.get(before.instance, before.order_id)
        if found is None or found.state.version != before.state.version:
            return Contended()
        shortage = _shortage(refused)
        if shortage is not None:
            return shortage
        if refused.is_unheld:
            return LedgerBroken(f"{sorted(refused.accounts)}: order {before.order_id} holds what is not held")
        return Contended()


def _shortage(refused: Refused) -> InsufficientFunds | None:
    short = refused.shortage
    return None if short is None else InsufficientFunds(short.account[1], short.required, short.available)


def _owner_of(instance: str, account: Account) -> str:
    return desk_fees_key(instance) if account.customer is None else customer_key(instance, account.customer)
