"""The ledger of the book desk: tokens, money in and out, balances, transactions, fees."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeVar

from tallybook_client.book.envelope import posted
from tallybook_client.book.models import Balance, BalanceChange, Fees, Token, Transaction, Transfer
from tallybook_client.paging import by_offset
from tallybook_client.transport import Session, path_of, query_of
from tallybook_client.wire import Members, member_of

T = TypeVar("T")
BASE = "/custody/api"
PAGE_SIZE_MAX = 500


@dataclass(frozen=True, slots=True)
class Ledger:
    """``desk.ledger``. Amounts are ints in base units. ``key`` is an ``Idempotency-Key``, else a new one; a
    ``reference`` moves money once, for ever.
    """

    _session: Session

    def register_token(
        self,
        token_address: str,
        name: str,
        symbol: str,
        *,
        decimals: int = 18,
        metadata_uri: str | None = None,
        asset_type: str | None = None,
        key: str | None = None,
    ) -> Token:
        """Register a token. Raises TokenExists if its address or its symbol is taken (T44)."""
        named = {"metadataURI": metadata_uri, "assetType": asset_type}
        members = {"tokenAddress": token_address, "name": name, "symbol": symbol, "decimals": decimals} | _given(named)
        return posted(self._session, f"{BASE}/tokens", members, Token, key)

    def tokens(self, *, active_only: bool = True, limit: int | None = None) -> Iterator[Token]:
        """Yield the instance's tokens, newest first."""

        def page(size: int, offset: int) -> list[Token]:
            query = query_of(activeOnly="true" if active_only else "false", limit=size, offset=offset)
            return self._rows("/tokens", "tokens", list[Token], query)

        return by_offset(page, lambda token: token.id, PAGE_SIZE_MAX, limit, may_be_short=True)

    def token(self, token_address: str) -> Token:
        """Return a token. Raises TokenNotFound."""
        return self._session.get(path_of(f"{BASE}/tokens/{{token}}", token=token_address), Token)

    def credit(
        self,
        customer_ref: str,
        token_address: str,
        amount: int,
        *,
        reference: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        key: str | None = None,
    ) -> BalanceChange:
        """Put funds on a customer's account."""
        return self._changed("credit", customer_ref, token_address, amount, reference, metadata, key)

    def debit(
        self,
        customer_ref: str,
        token_address: str,
        amount: int,
        *,
        reference: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        key: str | None = None,
    ) -> BalanceChange:
        """Take available funds off a customer's account. Raises InsufficientBalance."""
        return self._changed("debit", customer_ref, token_address, amount, reference, metadata, key)

    def transfer(
        self,
        from_customer_ref: str,
        to_customer_ref: str,
        token_address: str,
        amount: int,
        *,
        reference: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        key: str | None = None,
    ) -> Transfer:
        """Move available funds to another customer. Raises InsufficientBalance."""
        parties = {"fromCustomerRef": from_customer_ref, "toCustomerRef": to_customer_ref}
        members = parties | _movement(token_address, amount, reference, metadata)
        return posted(self._session, f"{BASE}/balances/transfer", members, Transfer, key)

    def balances(self, customer_ref: str, *, limit: int | None = None) -> Iterator[Balance]:
        """Yield a customer's accounts by symbol; none of an unknown customer (T36)."""
        path = path_of("/balances/{customer}", customer=customer_ref)

        def page(size: int, offset: int) -> list[Balance]:
            return self._rows(path, "balances", list[Balance], query_of(limit=size, offset=offset))

        return by_offset(page, lambda balance: balance.token_address, PAGE_SIZE_MAX, limit, may_be_short=True)

    def balance(self, customer_ref: str, token_address: str) -> Balance:
        """Return an account, zeros if there is none yet."""
        path = path_of(f"{BASE}/balances/{{customer}}/{{token}}", customer=customer_ref, token=token_address)
        return self._session.get(path, Balance)

    def transactions(
        self,
        *,
        customer_ref: str | None = None,
        token_address: str | None = None,
        type: Literal["credit", "debit", "transfer", "trade", "fee"] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
    ) -> Iterator[Transaction]:
        """Yield what happened to balances, newest first (T37). since, until: both included; with a time zone."""
        chosen = {"customerRef": customer_ref, "tokenAddress": token_address, "type": type}
        span = {"from": since, "to": until}

        def page(size: int, offset: int) -> list[Transaction]:
            query = query_of(**chosen, **span, limit=size, offset=offset)
            return self._rows("/transactions", "transactions", list[Transaction], query)

        return by_offset(page, lambda row: row.id, PAGE_SIZE_MAX, limit, may_be_short=True)

    def fees(self, *, limit: int | None = None) -> Iterator[Fees]:
        """Yield what each book and desk has earned, by token (T95)."""

        def page(size: int, offset: int) -> list[Fees]:
            return self._rows("/fees", "fees", list[Fees], query_of(limit=size, offset=offset))

        return by_offset(page, lambda fees: (fees.account, fees.token_address), PAGE_SIZE_MAX, limit, may_be_short=True)

    def _changed(
        self,
        action: str,
        customer_ref: str,
        token_address: str,
        amount: int,
        reference: str | None,
        metadata: Mapping[str, Any] | None,
        key: str | None,
    ) -> BalanceChange:
        members = {"customerRef": customer_ref} | _movement(token_address, amount, reference, metadata)
        return posted(self._session, f"{BASE}/balances/{action}", members, BalanceChange, key)

    def _rows(self, path: str, name: str, kind: type[T], query: Sequence[tuple[str, str]]) -> T:
        """Return a page of a list that stands under a name in the answer, beside its total."""
        return member_of(self._session.get(BASE + path, Members, query), name, kind)


def _movement(
    token_address: str, amount: int, reference: str | None, metadata: Mapping[str, Any] | None
) -> dict[str, Any]:
    named = {"reference": reference, "transactionMetadata": metadata}
    return {"tokenAddress": token_address, "amount": str(amount)} | _given(named)


def _given(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
