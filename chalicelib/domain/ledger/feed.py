"""Events of the ledger: what changed on whose balances."""

from __future__ import annotations

from collections.abc import Mapping

from chalicelib.domain.feed.event import Json, customer_subject
from chalicelib.domain.feed.logs import LEDGER_AREA
from chalicelib.domain.feed.outbox import Announcement, OutboxEvent
from chalicelib.domain.ledger.changes import Account, Change
from chalicelib.domain.ledger.transactions import Transaction

BALANCE_CHANGED = "balance.changed"


def balances_changed(changes: Mapping[Account, Change], kind: str, about: Mapping[str, Json]) -> list[OutboxEvent]:
    """Return an event for each account that changes. kind: what changed it; about: names it.

    Only the operator receives that of an account which takes fees.
    """
    return [
        OutboxEvent(
            BALANCE_CHANGED,
            frozenset() if account.customer is None else frozenset({customer_subject(account.customer)}),
            {
                "customerRef": account.customer,
                "asset": account.asset,
                "available": str(change.available),
                "held": str(change.held),
                **about,
                "kind": kind,
            },
        )
        for account, change in changes.items()
    ]


def moved(transaction: Transaction, changes: Mapping[Account, Change]) -> Announcement:
    """Return what a credit, a debit or a transfer announces, in the lane of its giver, else of its receiver."""
    customer = transaction.source or transaction.target or ""
    events = balances_changed(changes, transaction.kind.value, {"transactionId": transaction.transaction_id})
    return Announcement(LEDGER_AREA, customer, transaction.transaction_id, events)
