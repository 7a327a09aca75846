"""What a step of a desk moves between accounts, merged: one change an account, however many reasons it has. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from chalicelib.domain.ledger.transactions import TransactionType


@dataclass(frozen=True, slots=True)
class Account:
    """One account of an instance. customer: None for the desk's own, which takes the fees."""

    customer: str | None
    asset: str


@dataclass(frozen=True, slots=True)
class Change:
    """What is added to an account; neither part may become negative by it."""

    available: int = 0
    held: int = 0

    def __add__(self, other: Change) -> Change:
        return Change(self.available + other.available, self.held + other.held)


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


def merged(moves: Iterable[tuple[Account, Change]]) -> Changes:
    """Return one change an account; what cancels out is left out."""
    changes: defaultdict[Account, Change] = defaultdict(Change)
    for account, change in moves:
        changes[account] += change
    return {account: change for account, change in changes.items() if change != Change()}
