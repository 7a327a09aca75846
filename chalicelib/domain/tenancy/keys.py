"""The keys of three desks: API tokens (trade), taker keys and escrow keys, and the secrets that belong to them.

Secrets are stored nowhere. Each is derived from the master key and the text of the key, or the instance's id for JWTs.
So the tables reveal no key and no secret, not even together with the master key, because a digest does not reveal its
key (``credentials``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from chalicelib.domain.tenancy.credentials import Credential, Kind
from chalicelib.domain.tenancy.instances import World
from chalicelib.domain.tenancy.master_keys import derived
from chalicelib.domain.tenancy.rate_limit import RateLimit

WAIT_DEFAULT_MS_MAX = 10_000
"""The longest wait of a token of the trade desk (R64)."""
TAKER_RATE_LIMIT = RateLimit(bucket=40, refill_per_1000_s=20_000, per_day=0)
"""The default for a taker key and for a JWT's wallet: 20 requests a second, 40 at once."""
ESCROW_RATE_LIMIT = RateLimit(bucket=60, refill_per_1000_s=5000, per_day=0)
"""The default for an escrow key: 300 requests a minute, 60 at once."""
_TOKEN_PURPOSE = b"tallybook trade secret v1\n"
_TAKER_PURPOSE = b"tallybook taker secret v1\n"
_JWT_PURPOSE = b"tallybook maker jwt v1\n"


class Permission(StrEnum):
    """Permission of an API token. BUY_SELL implies READ."""

    READ = "READ"
    BUY_SELL = "BUY_SELL"

    def allows(self, wanted: Permission) -> bool:
        return self is Permission.BUY_SELL or self is wanted


class TokenStatus(StrEnum):
    ACTIVE = "ACTIVE"
    BLOCKED = "BLOCKED"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiToken(Credential):
    """A token of the trade desk. It belongs to one customer of one instance (R9).

    wait_default_ms: how long orders that end at their turn wait for their outcome where a request does not say (R64);
    0: they do not.
    """

    customer: str
    permission: Permission
    status: TokenStatus = TokenStatus.ACTIVE
    wait_default_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TakerKey(Credential):
    """An API key of the taker desk.

    taker: the ledger address that all keys of a taker share. expires_s: Unix seconds, None for never.
    """

    taker: str
    expires_s: int | None = None
    is_enabled: bool = True
    requires_signature: bool = False

    def has_ended(self, now_s: int) -> bool:
        return self.expires_s is not None and self.expires_s <= now_s


@dataclass(frozen=True, slots=True, kw_only=True)
class EscrowKey(Credential):
    """A secret key of one merchant, or an operator's key of the instance (merchant is None), in one world (E2).

    is_bare: whether its answers are in the bare profile (E47).
    """

    world: World
    merchant: str | None
    rate_limit: RateLimit = ESCROW_RATE_LIMIT
    is_enabled: bool = True
    is_read_only: bool = False
    is_bare: bool = False

    @property
    def is_operators(self) -> bool:
        return self.merchant is None


API_TOKENS = Kind(
    "api-token",
    "API token",
    ApiToken,
    {"permission": Permission, "status": TokenStatus},
    optional=frozenset({"wait_default_ms"}),
)
TAKER_KEYS = Kind("taker-key", "taker key", TakerKey)
ESCROW_KEYS = Kind(
    "escrow-key",
    "escrow key",
    EscrowKey,
    {"world": World},
    re.compile(r"(?:sk|op)_(?:stage|production)_[A-Za-z0-9]{24,64}"),
    optional=frozenset({"is_bare"}),
)


def escrow_prefix_of(world: World, *, is_operators: bool) -> str:
    """Return the prefix of escrow keys of this world and kind."""
    return ("op_" if is_operators else "sk_") + ("stage_" if world is World.SANDBOX else "production_")


def token_secret_of(master_key: bytes, token: str) -> str:
    """Return the secret that signs requests under an API token: 64 hexadecimal digits."""
    return derived(master_key, _TOKEN_PURPOSE, token).hex()


def taker_secret_of(master_key: bytes, api_key: str) -> str:
    """Return the secret that signs requests under a taker key: 64 hexadecimal digits."""
    return derived(master_key, _TAKER_PURPOSE, api_key).hex()


def jwt_secret_of(master_key: bytes, instance: str) -> bytes:
    """Return the secret that signs the instance's JWTs."""
    return derived(master_key, _JWT_PURPOSE, instance)
