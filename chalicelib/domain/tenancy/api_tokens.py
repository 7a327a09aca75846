"""API tokens of the trade desk: whose they are, what they may do, and the secret of each.

A token belongs to one customer of one instance (R9). Its secret is stored nowhere: it is derived from the token and the
master key, which is in no table. So the tables alone give nobody a token or a secret; neither do the tables and the
master key together, for a token cannot be had from its digest.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from chalicelib.domain.tenancy.credentials import Credential, Kind
from chalicelib.domain.tenancy.master_keys import derived

_PURPOSE = b"tallybook trade secret v1\n"


class Permission(StrEnum):
    """BUY_SELL implies READ."""

    READ = "READ"
    BUY_SELL = "BUY_SELL"

    def allows(self, wanted: Permission) -> bool:
        return self is Permission.BUY_SELL or self is wanted


class TokenStatus(StrEnum):
    ACTIVE = "ACTIVE"
    BLOCKED = "BLOCKED"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiToken(Credential):
    customer: str
    permission: Permission
    status: TokenStatus = TokenStatus.ACTIVE


API_TOKENS = Kind("api-token", "API token", ApiToken, {"permission": Permission, "status": TokenStatus})


def secret_of(master_key: bytes, token: str) -> str:
    """Return the secret with which requests under this token are signed: 64 hexadecimal digits."""
    return derived(master_key, _PURPOSE, token).hex()
