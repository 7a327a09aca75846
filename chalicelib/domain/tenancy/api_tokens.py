"""API tokens of the trade desk: whose they are, what they may do, and the secret that belongs to each. Pure.

A token belongs to one customer of one instance (R9). What is stored is its SHA-256. Its secret is stored nowhere: it is
derived from the token and a master key that is no part of any table. So the tables alone give nobody a token or a
secret; neither do the tables and the master key together, for a token cannot be had from its digest.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from enum import StrEnum

from chalicelib.domain.tenancy.instances import TenancyRefused
from chalicelib.domain.tenancy.rate_limit import RateLimit

MASTER_KEY_BYTES_MIN = 32
_PURPOSE = b"tallybook trade secret v1\n"
"""Part of what is hashed, so that the master key can serve other purposes without giving these secrets away."""


class Permission(StrEnum):
    """BUY_SELL implies READ."""

    READ = "READ"
    BUY_SELL = "BUY_SELL"

    def allows(self, wanted: Permission) -> bool:
        return self is Permission.BUY_SELL or self is wanted


class TokenStatus(StrEnum):
    ACTIVE = "ACTIVE"
    BLOCKED = "BLOCKED"


class UnknownApiToken(TenancyRefused):
    def __init__(self, token_id: str) -> None:
        super().__init__(f"no such API token: {token_id}")


class ApiTokenExists(TenancyRefused):
    """The token is somebody's already: it is unique in the whole system (R9)."""

    def __init__(self, token_id: str) -> None:
        super().__init__(f"exists already: {token_id}")


@dataclass(frozen=True, slots=True)
class ApiToken:
    """token_id: SHA-256 of the token, in hexadecimal. made_s: seconds since the epoch."""

    token_id: str
    instance: str
    customer: str
    permission: Permission
    made_s: int
    allowance: RateLimit
    status: TokenStatus = TokenStatus.ACTIVE


def token_id_of(token: str) -> str:
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()


def secret_of(master_key: bytes, token: str) -> str:
    """Return the secret with which requests under this token are signed: 64 hexadecimal digits."""
    return hmac.new(master_key, _PURPOSE + token.encode(), hashlib.sha256).hexdigest()
