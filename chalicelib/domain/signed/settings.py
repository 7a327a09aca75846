"""What an operator sets for an instance's taker desk, and its takers' API keys. Pure.

A key's secret is stored nowhere: like the trade desk's, it is derived from the key and the stage's master key, so the
tables alone let nobody sign. So is the secret of the instance's JWTs.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

from chalicelib.domain.tenancy.instances import TenancyRefused
from chalicelib.domain.tenancy.rate_limit import RateLimit

FEE_BPS_MAX = 1000
KEY_ALLOWANCE = RateLimit(bucket=40, refill_per_1000_s=20_000, per_day=0)
"""How often an API key, or a JWT wallet, may come unless it is set otherwise: twenty times a second, forty at once."""
_KEY_PURPOSE = b"tallybook taker secret v1\n"
_CONTRACT_PURPOSE = b"tallybook verifying contract v1\n"
_JWT_PURPOSE = b"tallybook maker jwt v1\n"


@dataclass(frozen=True, slots=True)
class Domain:
    """The EIP-712 domain in which an instance's orders are signed."""

    name: str = "RFQSettlement"
    version: str = "1"
    chain_id: int = 97
    verifying_contract: str = "0xCB310C56A19078aA969A922f382613d932D89D83"

    @classmethod
    def of_its_own(cls, instance: str) -> Domain:
        """Return the domain of an instance that shares none: what is signed for another is not good in it (K39).

        Nothing stands at its verifying contract on any chain; the address is made from the instance's id.
        """
        digest = hashlib.sha256(_CONTRACT_PURPOSE + instance.encode()).hexdigest()
        return cls(verifying_contract=f"0x{digest[:40]}")


@dataclass(frozen=True, slots=True)
class DeskSettings:
    """has_ledger_settlement: funds are held and moved (K34). lock_seconds: the longest lock. min_validity_seconds: how
    far ahead a new order's deadline must lie. auth_window_ms: how far a signed request's timestamp may be off.
    fee_bps: hundredths of a percent of what is paid, from the taker to the instance. allowance: of each JWT wallet."""

    has_ledger_settlement: bool = True
    lock_seconds: int = 3600
    min_validity_seconds: int = 0
    auth_window_ms: int = 300_000
    jwt_ttl_seconds: int = 86_400
    fee_bps: int = 0
    domain: Domain = Domain()
    allowance: RateLimit = KEY_ALLOWANCE


@dataclass(frozen=True, slots=True)
class OpenDesk:
    """An active instance's taker desk. services: what is switched on for the instance."""

    instance: str
    services: frozenset[str]
    settings: DeskSettings


class UnknownTakerKey(TenancyRefused):
    def __init__(self, key_id: str) -> None:
        super().__init__(f"no such taker key: {key_id}")


class TakerKeyExists(TenancyRefused):
    """The key is somebody's already."""

    def __init__(self, key_id: str) -> None:
        super().__init__(f"exists already: {key_id}")


@dataclass(frozen=True, slots=True)
class TakerKey:
    """key_id: SHA-256 of the key, in hexadecimal. taker: the ledger address that all keys of a taker share.

    expires_s: Unix seconds, None for never. made_s: Unix seconds.
    """

    key_id: str
    instance: str
    taker: str
    made_s: int
    allowance: RateLimit
    expires_s: int | None = None
    is_enabled: bool = True
    requires_signature: bool = False

    def has_ended(self, now_s: int) -> bool:
        return self.expires_s is not None and self.expires_s <= now_s


def key_id_of(api_key: str) -> str:
    return hashlib.sha256(api_key.encode(errors="surrogatepass")).hexdigest()


def secret_of(master_key: bytes, api_key: str) -> str:
    """Return the secret with which requests under this key are signed: 64 hexadecimal digits."""
    return hmac.new(master_key, _KEY_PURPOSE + api_key.encode(errors="surrogatepass"), hashlib.sha256).hexdigest()


def jwt_secret_of(master_key: bytes, instance: str) -> bytes:
    """Return the secret with which the instance's JWTs are signed."""
    return hmac.new(master_key, _JWT_PURPOSE + instance.encode(), hashlib.sha256).digest()
