"""Changes of accounts: what a step of any desk moves, merged to one change an account.

``set_aside``, ``given_back``, ``spent`` and ``received`` are the four moves; every change is made of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from chalicelib.domain.ledger.transactions import TransactionType


class Account(NamedTuple):
    """One account of an instance. customer: the customerRef, None for the account that takes the fees."""

    customer: str | None
    asset: str


class Change(NamedTuple):
    """A change of an account: amounts added, base units of its asset. Neither part may become negative."""

    available: int = 0
    held: int = 0

    def __add__(self, other: Change) -> Change:  # type: ignore[override]
        return Change(self.available + other.available, self.held + other.held)


Move = tuple[Account, Change]
Changes = dict[Account, Change]
"""No account without a change."""


@dataclass(frozen=True, slots=True)
class Leg:
    """A movement as customers read it (T37). source: None: from outside; target: None: to the desk's fees."""

    kind: TransactionType
    asset: str
    source: str | None
    target: str | None
    amount: int


def set_aside(account: Account, amount: int) -> Move:
    """Hold an amount of what is available."""
    return account, Change(-amount, amount)


def given_back(account: Account, amount: int) -> Move:
    """Release an amount of what is held."""
    return account, Change(amount, -amount)


def spent(account: Account, amount: int) -> Move:
    """Pay an amount out of what is held."""
    return account, Change(held=-amount)


def received(account: Account, amount: int) -> Move:
    """Add an amount to what is available; a negative one is paid out of it."""
    return account, Change(amount)


def merged(moves: Iterable[Move]) -> Changes:
    """Return one change an account; what cancels out is left out."""
    changes: Changes = {}
    for account, change in moves:
        before = changes.get(account)
        changes[account] = change if before is None else before + change
    return {account: change for account, change in changes.items() if any(change)}
