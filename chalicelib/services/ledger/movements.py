"""Movements: credits, debits and transfers, each carried out once and whole, or not at all.

One transaction (``posting``) writes the ledger rows, changes the balances, announces that in the outbox, counts a
credit or debit into the asset's supply, and locks the movement's names (its reference, and the operator's name)::

    name free  --the same transaction locks it-->  locked by txn_1, with a digest of the movement
    locked     --the same movement again-------->  txn_1 is the answer; nothing moves
    locked     --another movement--------------->  ReferenceTaken; nothing moves

A movement that returns a transaction id took place, once. One that raises has changed nothing, unless it raises
OutcomeUnknown (guarantee 7).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chalicelib.domain.ledger.changes import Account, Change, Changes
from chalicelib.domain.ledger.feed import moved
from chalicelib.domain.ledger.owners import customer_key
from chalicelib.domain.ledger.sandbox import token_address
from chalicelib.domain.ledger.transactions import Movement, Transaction, TransactionType
from chalicelib.services.ledger.posting import Posting, Postings, Refused
from chalicelib.support.clock import new_id
from chalicelib.support.outcomes import ReceiptExists
from chalicelib.tables.accounts import LedgerBroken
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.tokens import Tokens
from chalicelib.tables.transactions import Lock, Transactions, name_lock, reference_lock, transaction_for
from chalicelib.tables.writes import Write


class UnknownToken(Exception):
    """The instance has no active token for the asset; for a sandbox asset, for the token that it stands for."""


class SameCustomer(Exception):
    """A transfer from a customer to itself."""


class InsufficientBalance(Exception):
    """The account has less available than the movement takes."""

    def __init__(self, required: int, available: int) -> None:
        super().__init__(f"required {required}, available {available}")
        self.required = required
        self.available = available


class SupplyTooLarge(Exception):
    """The credit would lift the sum of all balances of the asset above 38 digits (T35)."""


class ReferenceTaken(Exception):
    """The reference, or the operator's name, is locked by another movement."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """The transaction of a movement. is_new: False if an earlier request had done it; then nothing moved."""

    transaction_id: str
    is_new: bool


Receipt = Callable[[Transaction], Write]
"""Returns one more write for the transaction, made from the movement's ledger row (T14)."""


class Movements:
    """Carries movements out. new_id: returns prefix + ULID, ascending."""

    def __init__(self, database: Database, new_id: Callable[[str], str] = new_id) -> None:
        self._new_id = new_id
        self._postings = Postings(database)
        self._tokens = Tokens(database)
        self._transactions = Transactions(database)

    def refuse_faulty(self, movement: Movement) -> None:
        """Raise UnknownToken or SameCustomer, checked in this order (T35)."""
        token = self._tokens.get(movement.instance, token_address(movement.asset))
        if token is None or not token.is_active:
            raise UnknownToken(movement.asset)
        if movement.source == movement.target:
            raise SameCustomer(movement.source)

    def record(self, movement: Movement, receipt: Receipt | None = None, name: str | None = None) -> Recorded:
        """Carry the movement out; once, if it has a reference or an operator's name.

        Raises UnknownToken, SameCustomer, ReceiptExists, ReferenceTaken, InsufficientBalance or SupplyTooLarge, checked
        in this order (T35), or Unavailable (nothing changed); or OutcomeUnknown.
        """
        self.refuse_faulty(movement)
        transaction = transaction_for(movement, self._new_id("txn"))
        locks = [lock for lock in (reference_lock(movement), name and name_lock(movement, name)) if lock]
        changes = _changes_of(movement)
        posting = Posting(
            movement.instance,
            [self._transactions.take(lock, transaction.transaction_id) for lock in locks],
            {
                (customer_key(movement.instance, str(one.customer)), one.asset): change
                for one, change in changes.items()
            },
            transaction.at_ms,
            [transaction],
            None if receipt is None else receipt(transaction),
            moved(transaction, changes),
        )
        try:
            self._postings.post(posting)
        except Refused as refused:
            if refused.is_receipt:
                raise ReceiptExists(transaction.transaction_id) from refused
            earlier = self._earlier(locks)
            if earlier is None:
                raise _refusal(movement, refused) from refused
            return Recorded(earlier, is_new=False)
        return Recorded(transaction.transaction_id, is_new=True)

    def _earlier(self, locks: list[Lock]) -> str | None:
        """Return the transaction that locked one of the names; None if all are free. Raises ReferenceTaken.

        Always reads: DynamoDB need not name all conditions that failed.
        """
        taken = [found for found in map(self._transactions.taken, locks) if found is not None]
        for transaction_id, is_same in taken:
            if not is_same:
                raise ReferenceTaken(transaction_id)
        return taken[0][0] if taken else None


def _changes_of(movement: Movement) -> Changes:
    changes = {}
    if movement.source is not None:
        changes[Account(movement.source, movement.asset)] = Change(-movement.amount)
    if movement.target is not None:
        changes[Account(movement.target, movement.asset)] = Change(movement.amount)
    return changes


def _refusal(movement: Movement, refused: Refused) -> Exception:
    """Return what the failed conditions mean where all names are free."""
    if refused.shortage is not None:
        return InsufficientBalance(refused.shortage.required, refused.shortage.available)
    if refused.is_supply and movement.kind is TransactionType.CREDIT:
        return SupplyTooLarge(movement.asset)
    return LedgerBroken(f"{movement.instance} {movement.asset}: id given twice, or less supply than balances")
