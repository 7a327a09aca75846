"""Gate of the escrow desk: authentication, permission and rate limits, before the content is checked (E2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chalicelib.apis.escrow.bare import accepts_bare
from chalicelib.apis.escrow.envelope import too_many, unauthenticated, unauthorized
from chalicelib.apis.kit.auth import bearer
from chalicelib.apis.kit.http import HttpRequest
from chalicelib.domain.escrow.order import Merchant, Scope
from chalicelib.domain.escrow.settings import DeskSettings, OpenDesk
from chalicelib.domain.tenancy.instances import World
from chalicelib.domain.tenancy.keys import EscrowKey
from chalicelib.services.tenancy.rate_limiter import AnonymousUse, RateLimiter
from chalicelib.support.consistency import Inconsistent
from chalicelib.support.telemetry import add_log_members

WRITING = frozenset(("POST", "PUT", "DELETE"))


@dataclass(frozen=True, slots=True)
class Caller:
    """The authenticated caller of a request. merchant: None for an operator.

    has_frozen: whether a customer of the instance is frozen (T96). is_bare: whether its answers are in the bare profile
    (E47).
    """

    instance: str
    world: World
    settings: DeskSettings
    merchant: Merchant | None
    has_frozen: bool = False
    is_bare: bool = False

    @property
    def owner(self) -> Merchant:
        """The merchant of the key; only on merchants' routes."""
        if self.merchant is None:
            raise Inconsistent("an operator's path has no merchant")
        return self.merchant

    @property
    def reference(self) -> str | None:
        """The merchant's reference in the instance; None for an operator."""
        return None if self.merchant is None else self.merchant.merchant

    @property
    def key_scope(self) -> str:
        """The scope of the caller's idempotency keys."""
        whose = "operator" if self.reference is None else f"merchant/{self.reference}"
        return f"{self.instance}/escrow/{self.world.value}/{whose}"

    @property
    def scope(self) -> Scope:
        return self.owner.scope(self.world)


@dataclass(frozen=True, slots=True)
class Gate:
    """Authenticates requests.

    accept: finds a key. open_desk: reads an active instance's desk, with one merchant (None: for an operator). clock:
    the time in ms.
    """

    accept: Callable[[str], EscrowKey | None]
    open_desk: Callable[[str, str | None], OpenDesk | None]
    limiter: RateLimiter
    clock: Callable[[], int]

    def pass_through(self, request: HttpRequest, *, is_operators: bool) -> Caller:
        """Return the caller. Raises Fault, in this order, for no valid key, no permission, or too many requests."""
        sent = bearer(request.headers)
        key = None if sent is None else self.accept(sent)
        desk = None if key is None else self.open_desk(key.instance, key.merchant)
        if key is None or desk is None:
            refusal = self.limiter.anonymous_refusal(AnonymousUse.NO_KEY, request.client_address, self.clock())
            raise too_many(refusal.retry_after_s) if refusal else unauthenticated()
        add_log_members(instance=key.instance)
        is_writing = request.method in WRITING
        if not key.is_enabled or (key.is_read_only and is_writing) or key.is_operators != is_operators:
            raise unauthorized()
        refusal = self.limiter.refusal(
            key.rate_limit, self.clock(), instance=key.instance, key_id=key.key_id, scope=f"escrow/{key.key_id}"
        )
        if refusal:
            raise too_many(refusal.retry_after_s)
        is_bare = key.is_bare or accepts_bare(request.headers.get("accept", ""))
        return Caller(key.instance, key.world, desk.settings, desk.merchant, desk.has_frozen, is_bare)
