"""Tokens: the assets that an instance's ledger keeps."""

from __future__ import annotations

from dataclasses import dataclass

from ulid import ULID

METADATA_URI_CHARACTERS_MAX = 2048


ASSET_TYPE_CHARACTERS_MAX = 64


class TokenExists(Exception):
    """The instance has a token with this address, or with this symbol."""


@dataclass(frozen=True, slots=True)
class Token:
    """An asset of an instance. decimals: one whole token is 10**decimals base units.

    is_active: an inactive token's balances and trades stay; it cannot be credited, debited or transferred.
    """

    token_id: str
    address: str
    name: str
    symbol: str
    decimals: int
    metadata_uri: str | None
    asset_type: str | None
    is_active: bool
    created_at_ms: int
    updated_at_ms: int


def new_token(
    token_id: str,
    address: str,
    name: str,
    symbol: str,
    decimals: int = 18,
    metadata_uri: str | None = None,
    asset_type: str | None = None,
) -> Token:
    """Return a token as it is registered: active, its time that of its id's ULID (T15)."""
    at_ms = ULID.from_str(token_id.partition("_")[2]).milliseconds
    return Token(token_id, address, name, symbol, decimals, metadata_uri, asset_type, True, at_ms, at_ms)
