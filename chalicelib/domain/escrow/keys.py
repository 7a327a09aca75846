"""Keys of the escrow desk: whose they are, in which world, and what they may do.

A key's prefix says its world (E2) and its kind: a secret key is one merchant's, an operator's key is the instance's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from chalicelib.domain.escrow.order import World
from chalicelib.domain.tenancy.credentials import Credential, Kind
from chalicelib.domain.tenancy.rate_limit import RateLimit

KEY_RATE_LIMIT = RateLimit(bucket=60, refill_per_1000_s=5000, per_day=0)
"""300 requests a minute, 60 of them at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EscrowKey(Credential):
    """merchant: None for an operator's key."""

    world: World
    merchant: str | None
    rate_limit: RateLimit = KEY_RATE_LIMIT
    is_enabled: bool = True
    is_read_only: bool = False

    @property
    def is_operators(self) -> bool:
        return self.merchant is None


ESCROW_KEYS = Kind(
    "escrow-key",
    "escrow key",
    EscrowKey,
    {"world": World},
    re.compile(r"(?:sk|op)_(?:stage|production)_[A-Za-z0-9]{24,64}"),
)


def prefix_of(world: World, *, is_operators: bool) -> str:
    """Return how keys of this world and kind begin."""
    return ("op_" if is_operators else "sk_") + ("stage_" if world is World.SANDBOX else "production_")
