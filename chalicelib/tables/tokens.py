"""Tokens (table ``tokens``): the assets of an instance's ledger.

A token stands under its instance by address, in lower case. A second row reserves its symbol, in any letter case (T44).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, fields

from chalicelib.domain.ledger.tokens import (
    Token,
    TokenExists,
)
from chalicelib.support.ascii_case import ascii_lower
from chalicelib.support.outcomes import ReceiptExists
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.read_ahead import RowAt, row_at
from chalicelib.tables.rows import Row, reads_row
from chalicelib.tables.writes import Put, TransactionRefused, Write

TABLE = "tokens"
LISTED = "token/"
"""Sort-key prefix of tokens."""


class Tokens:
    def __init__(self, database: Database) -> None:
        self._database = database

    def register(self, instance: str, token: Token, receipt: Write | None = None) -> None:
        """Store a new token and take its address and symbol. receipt: a write of the caller's in the same transaction
        (T14).

        Raises TokenExists or ReceiptExists (nothing changed), Unavailable (nothing changed) or OutcomeUnknown.
        """
        token_not_exists, symbol_is_free = "attribute_not_exists(#entry)", "attribute_not_exists(#entry)"
        row = _key(instance, token.address) | asdict(token)
        symbol = {"instance": instance, "entry": f"symbol/{ascii_lower(token.symbol)}", "held_by": token.address}
        writes: list[Write] = [Put(TABLE, row, token_not_exists), Put(TABLE, symbol, symbol_is_free)]
        if receipt is not None:
            writes.append(receipt)
        try:
            self._database.transact(writes, lambda: self.get(instance, token.address) == token)
        except TransactionRefused as error:
            if len(writes) - 1 in error.refused and receipt is not None:
                raise ReceiptExists(token.address) from error
            raise TokenExists(f"{token.address} {token.symbol}") from error

    def get(self, instance: str, address: str) -> Token | None:
        row = self._database.get(TABLE, _key(instance, address))
        return _token_of(row) if row else None

    def get_many(self, instance: str, addresses: Iterable[str]) -> dict[str, Token]:
        """Return the registered tokens of these addresses, by address."""
        rows = self._database.get_many(TABLE, [_key(instance, address) for address in dict.fromkeys(addresses)])
        return {row["address"]: _token_of(row) for row in rows}

    def of_instance(self, instance: str) -> list[Token]:
        """Return all tokens of an instance, newest first. Costs what it returns."""
        values = {":instance": instance, ":listed": LISTED}
        rows = self._database.query(TABLE, "#instance = :instance AND begins_with(#entry, :listed)", values)
        return sorted(map(_token_of, rows), key=lambda token: token.token_id, reverse=True)


def token_at(instance: str, address: str) -> RowAt:
    return row_at(TABLE, _key(instance, address))


def _key(instance: str, address: str) -> dict[str, str]:
    return {"instance": instance, "entry": f"{LISTED}{address}"}


@reads_row
def _token_of(row: Row) -> Token:
    return Token(**{field.name: row[field.name] for field in fields(Token)})
