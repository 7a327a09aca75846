"""Settings of an instance's taker desk."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from chalicelib.domain.tenancy.keys import TAKER_RATE_LIMIT
from chalicelib.domain.tenancy.rate_limit import RateLimit

FEE_BPS_MAX = 1000
_CONTRACT_PURPOSE = b"tallybook verifying contract v1\n"


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
    fee_bps: hundredths of a percent of what is paid, from the taker to the instance. has_details_object: the details of
    errors are an object, not the vendor's text (K51). rate_limit: of each JWT wallet."""

    has_ledger_settlement: bool = True
    lock_seconds: int = 3600
    min_validity_seconds: int = 0
    auth_window_ms: int = 300_000
    jwt_ttl_seconds: int = 86_400
    fee_bps: int = 0
    has_details_object: bool = False
    domain: Domain = Domain()
    rate_limit: RateLimit = TAKER_RATE_LIMIT


@dataclass(frozen=True, slots=True)
class OpenDesk:
    """An active instance's taker desk. services: what is switched on for the instance.

    has_frozen: whether a customer of the instance is frozen (T96).
    """

    instance: str
    services: frozenset[str]
    settings: DeskSettings
    has_frozen: bool = False
