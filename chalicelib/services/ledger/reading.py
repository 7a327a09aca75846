"""Reads of the ledger: the tokens of an instance and the balances of its customers, as of now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from chalicelib.domain.ledger.accounts import Balance
from chalicelib.domain.ledger.owners import customer_key
from chalicelib.domain.ledger.tokens import Token
from chalicelib.tables.accounts import Accounts, balance_at
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.read_ahead import RowAt
from chalicelib.tables.tokens import Tokens, token_at


def token_row(instance: str, asset: str) -> RowAt:
    """Return where the row stands that ``LedgerReading.active_token`` reads."""
    return token_at(instance, asset)


def balance_row(instance: str, customer: str, asset: str) -> RowAt:
    """Return where the row stands that ``LedgerReading.balance`` reads."""
    return balance_at(customer_key(instance, customer), asset)


class LedgerReading:
    """Reads of the ledger. The balance of an account that does not exist yet is zero (T36)."""

    def __init__(self, database: Database) -> None:
        self._accounts = Accounts(database)
        self._tokens = Tokens(database)

    def active_token(self, instance: str, address: str) -> Token | None:
        token = self._tokens.get(instance, address)
        return token if token is not None and token.is_active else None

    def tokens(self, instance: str) -> list[Token]:
        """Return all tokens of an instance, newest first."""
        return self._tokens.of_instance(instance)

    def tokens_by_address(self, instance: str, addresses: Iterable[str]) -> dict[str, Token]:
        """Return the registered ones of these tokens, by address."""
        return self._tokens.get_many(instance, addresses)

    def balance(self, instance: str, customer: str, asset: str) -> Balance:
        return self._accounts.balance(customer_key(instance, customer), asset)

    def balances(self, instance: str, customer: str) -> Iterator[Balance]:
        """Yield a customer's balances, by asset."""
        return self._accounts.balances(customer_key(instance, customer))

    def balances_of(self, instance: str, accounts: Sequence[tuple[str, str]]) -> list[Balance]:
        """Return the balance of each of these accounts (customer, asset). One read for each hundred."""
        keys = [(customer_key(instance, customer), asset) for customer, asset in accounts]
        found = self._accounts.balances_of(keys)
        return [found[key] for key in keys]
