"""Earnings: what each book and desk of an instance has earned in fees (T95).

Cost: the configurations of the instance's books, their fee accounts (a read for each hundred), and one query for each
desk that has no books.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from chalicelib.domain.ledger.accounts import Balance
from chalicelib.domain.ledger.owners import TAKER_DESK_FEES, escrow_fees, fees_key
from chalicelib.domain.tenancy.instances import World
from chalicelib.tables.accounts import Accounts
from chalicelib.tables.books import Books
from chalicelib.tables.dynamodb import Database

DESK_ACCOUNTS = (TAKER_DESK_FEES, *map(escrow_fees, World))


@dataclass(frozen=True, slots=True)
class Earned:
    """A fee account, in base units of its asset. account: its name. book_id: None of a desk that has no books.

    earned: all fees so far. available: what of them was not withdrawn yet.
    """

    account: str
    book_id: str | None
    asset: str
    earned: int
    available: int


class Earnings:
    def __init__(self, database: Database) -> None:
        self._accounts = Accounts(database)
        self._books = Books(database)

    def of_instance(self, instance: str) -> list[Earned]:
        """Return the fee accounts that have earned something: the books' by id, then the desks'; each by asset."""
        return [one for one in (*self._of_books(instance), *self._of_desks(instance)) if one.earned]

    def _of_books(self, instance: str) -> Iterator[Earned]:
        books = self._books.of_instance(instance)
        accounts = sorted({(book.book_id, asset) for book in books for asset in (book.base_asset, book.quote_asset)})
        found = self._accounts.balances_of([(fees_key(instance, book_id), asset) for book_id, asset in accounts])
        for book_id, asset in accounts:
            yield _earned(book_id, book_id, found[fees_key(instance, book_id), asset])

    def _of_desks(self, instance: str) -> Iterator[Earned]:
        for account in DESK_ACCOUNTS:
            for balance in self._accounts.balances(fees_key(instance, account)):
                yield _earned(account, None, balance)


def _earned(account: str, book_id: str | None, balance: Balance) -> Earned:
    return Earned(account, book_id, balance.asset, balance.total + balance.withdrawn, balance.available)
