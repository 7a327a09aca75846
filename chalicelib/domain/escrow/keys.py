"""Keys of the escrow desk: whose they are, in which world, and what they may do. Pure.

A key's prefix says its world (E2) and its kind: a secret key is one merchant's, an operator's key is the instance's.
What is stored is its SHA-256.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from chalicelib.domain.escrow.order import World
from chalicelib.domain.tenancy.instances import TenancyRefused
from chalicelib.domain.tenancy.rate_limit import RateLimit

KEY_ALLOWANCE = RateLimit(bucket=60, refill_per_1000_s=5000, per_day=0)
"""300 requests a minute, 60 of them at once."""
_PREFIXES = {
    "sk_stage_": (World.SANDBOX, False),
    "sk_production_": (World.PRODUCTION, False),
    "op_stage_": (World.SANDBOX, True),
    "op_production_": (World.PRODUCTION, True),
}
_KEY = re.compile(r"((?:sk|op)_(?:stage|production)_)[A-Za-z0-9]{24,64}")


class UnknownEscrowKey(TenancyRefused):
    def __init__(self, key_id: str) -> None:
        super().__init__(f"no such escrow key: {key_id}")


class EscrowKeyExists(TenancyRefused):
    def __init__(self, key_id: str) -> None:
        super().__init__(f"exists already: {key_id}")


@dataclass(frozen=True, slots=True)
class EscrowKey:
    """key_id: SHA-256 of the key, in hexadecimal. merchant: None for an operator's key. made_s: Unix seconds."""

    key_id: str
    instance: str
    world: World
    merchant: str | None
    made_s: int
    allowance: RateLimit = KEY_ALLOWANCE
    is_enabled: bool = True
    is_read_only: bool = False

    @property
    def is_operators(self) -> bool:
        return self.merchant is None


def prefix_of(world: World, *, is_operators: bool) -> str:
    """Return how keys of this world and kind begin."""
    return next(prefix for prefix, meaning in _PREFIXES.items() if meaning == (world, is_operators))


def is_well_formed(key: str) -> bool:
    return _KEY.fullmatch(key) is not None


def key_id_of(key: str) -> str:
    return hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()
