"""Withdrawals: the operator takes fees, to a customer or out of the ledger, each once and whole (T95).

One transaction takes the amount off the fee account (condition: it has that much), counts it as withdrawn, gives it to
the customer or lowers the asset's supply, writes the ledger row, announces all that and locks the reference::

    reference free    --the same transaction locks it-->  locked by txn_1
    locked            --the same withdrawal again------>  txn_1 is the answer; nothing moves
    locked            --another withdrawal------------->  ReferenceTaken; nothing moves
"""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.domain.ledger.accounts import Balance
from chalicelib.domain.ledger.amounts import AMOUNT_MAX
from chalicelib.domain.ledger.changes import Account, Change
from chalicelib.domain.ledger.feed import moved
from chalicelib.domain.ledger.owners import customer_key, fees_key
from chalicelib.domain.ledger.sandbox import is_of_sandbox, token_address
from chalicelib.domain.ledger.transactions import Transaction, Withdrawal
from chalicelib.services.ledger.movements import InsufficientBalance, ReferenceTaken, UnknownToken
from chalicelib.services.ledger.posting import Posting, Postings, Refused
from chalicelib.support.clock import new_id
from chalicelib.support.ids import time_of
from chalicelib.tables.accounts import Accounts, LedgerBroken
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.tokens import Tokens
from chalicelib.tables.transactions import Transactions, withdrawal_lock


class SandboxFees(Exception):
    """Play money cannot become a customer's; it can only leave the ledger."""


class WithdrawnTooMuch(Exception):
    """All that was ever withdrawn from the fee account would have more than 38 digits."""


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """A withdrawal that took place. is_new: False if an earlier request had done it; then nothing moved."""

    transaction: Transaction
    is_new: bool


class Withdrawals:
    """Carries withdrawals out."""

    def __init__(self, database: Database) -> None:
        self._accounts = Accounts(database)
        self._postings = Postings(database)
        self._tokens = Tokens(database)
        self._transactions = Transactions(database)

    def take(self, asked: Withdrawal) -> Withdrawn:
        """Carry the withdrawal out, once.

        Raises UnknownToken, SandboxFees, ReferenceTaken, InsufficientBalance (also where all of nothing is asked for),
        WithdrawnTooMuch or Unavailable (nothing changed); or OutcomeUnknown.
        """
        token = self._tokens.get(asked.instance, token_address(asked.asset))
        if token is None or not token.is_active:
            raise UnknownToken(asked.asset)
        if is_of_sandbox(asked.asset) and asked.target is not None:
            raise SandboxFees(asked.asset)
        amount = self._balance(asked).available if asked.amount is None else asked.amount
        earlier = self._earlier(asked)  # after the balance, so that whoever took it under this reference is seen
        if earlier is not None:
            return earlier
        if not amount:
            raise InsufficientBalance(1, 0)
        return self._take(asked, amount)

    def _take(self, asked: Withdrawal, amount: int) -> Withdrawn:
        owner, name = fees_key(asked.instance, asked.account), new_id("txn")
        made = Transaction(
            name,
            asked.kind,
            asked.asset,
            None,
            asked.target,
            amount,
            asked.reference,
            None,
            time_of(name),
            asked.account,
        )
        fees = self._accounts.withdraw(owner, asked.asset, amount, made.at_ms)
        received = {} if asked.target is None else {Account(asked.target, asked.asset): Change(amount)}
        posting = Posting(
            asked.instance,
            [self._transactions.take(withdrawal_lock(asked), name), fees],
            {(customer_key(asked.instance, str(one.customer)), one.asset): change for one, change in received.items()},
            made.at_ms,
            [made],
            announcement=moved(made, {Account(None, asked.asset): Change(-amount)} | received),
        )
        try:
            self._postings.post(posting)
        except Refused as refused:
            earlier = self._earlier(asked)
            if earlier is not None:
                return earlier
            if fees in refused.rows:
                balance = self._balance(asked)
                if balance.withdrawn + amount > AMOUNT_MAX:
                    raise WithdrawnTooMuch(asked.asset) from refused
                raise InsufficientBalance(amount, balance.available) from refused
            raise LedgerBroken(f"{owner} {asked.asset}: id given twice, or less supply than fees") from refused
        return Withdrawn(made, is_new=True)

    def _balance(self, asked: Withdrawal) -> Balance:
        return self._accounts.balance(fees_key(asked.instance, asked.account), asked.asset)

    def _earlier(self, asked: Withdrawal) -> Withdrawn | None:
        """Return the withdrawal that took the reference; None if it is free. Raises ReferenceTaken."""
        taken = self._transactions.taken(withdrawal_lock(asked))
        if taken is None:
            return None
        transaction_id, is_same = taken
        found = self._transactions.get(asked.instance, transaction_id)
        if not is_same or found is None:
            raise ReferenceTaken(transaction_id)
        return Withdrawn(found, is_new=False)
