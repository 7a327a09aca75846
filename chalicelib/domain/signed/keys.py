"""API keys of the taker desk, and the secrets derived for it: of a key's signatures, and of an instance's JWTs.

Secrets are stored nowhere: each is derived from the key, or the instance, and the master key, so the tables alone let
nobody sign.
"""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.domain.tenancy.credentials import Credential, Kind
from chalicelib.domain.tenancy.master_keys import derived
from chalicelib.domain.tenancy.rate_limit import RateLimit

KEY_RATE_LIMIT = RateLimit(bucket=40, refill_per_1000_s=20_000, per_day=0)
"""Of an API key, or a JWT's wallet, unless it is set otherwise: twenty requests a second, forty at once."""
_KEY_PURPOSE = b"tallybook taker secret v1\n"
_JWT_PURPOSE = b"tallybook maker jwt v1\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class TakerKey(Credential):
    """taker: the ledger address that all keys of a taker share. expires_s: Unix seconds, None for never."""

    taker: str
    expires_s: int | None = None
    is_enabled: bool = True
    requires_signature: bool = False

    def has_ended(self, now_s: int) -> bool:
        return self.expires_s is not None and self.expires_s <= now_s


TAKER_KEYS = Kind("taker-key", "taker key", TakerKey)


def secret_of(master_key: bytes, api_key: str) -> str:
    """Return the secret with which requests under this key are signed: 64 hexadecimal digits."""
    return derived(master_key, _KEY_PURPOSE, api_key).hex()


def jwt_secret_of(master_key: bytes, instance: str) -> bytes:
    """Return the secret with which the instance's JWTs are signed."""
    return derived(master_key, _JWT_PURPOSE, instance)
