"""Who is calling, in which world, what that key may do and how often: the checks before a request's content (E2)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from chalicelib.apis.escrow.envelope import too_many, unauthenticated, unauthorized
from chalicelib.apis.kit.http import HttpRequest
from chalicelib.domain.escrow.keys import EscrowKey
from chalicelib.domain.escrow.order import Merchant, Place, World
from chalicelib.domain.escrow.settings import DeskSettings
from chalicelib.domain.tenancy.rate_limit import Allowance
from chalicelib.services.tenancy.strangers import Door, Strangers
from chalicelib.support.consistency import Inconsistent
from chalicelib.support.outcomes import OutcomeUnknown, Unavailable
from chalicelib.support.telemetry import request_uncounted, tell
from chalicelib.tables.allowances import Allowances
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.escrow_keys import EscrowKeys
from chalicelib.tables.escrow_settings import EscrowDesks

WRITING = frozenset(("POST", "PUT"))
_BEARER = re.compile(r"Bearer +(\S+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose things a request may be about. merchant: None for an operator."""

    instance: str
    world: World
    settings: DeskSettings
    merchant: Merchant | None

    @property
    def owner(self) -> Merchant:
        """The merchant whose key it is, on every path but an operator's."""
        if self.merchant is None:
            raise Inconsistent("an operator's path has no merchant")
        return self.merchant

    @property
    def scope(self) -> str:
        """Under which its idempotency keys stand."""
        whose = "operator" if self.merchant is None else f"merchant/{self.merchant.merchant}"
        return f"{self.instance}/escrow/{self.world.value}/{whose}"

    @property
    def place(self) -> Place:
        return self.owner.place(self.world)


class Gate:
    """counters: the same tables, for counting requests, which nobody waits for. clock: the time in ms."""

    def __init__(self, database: Database, counters: Database, clock: Callable[[], int]) -> None:
        self._keys = EscrowKeys(database)
        self._desks = EscrowDesks(database)
        self._allowances = Allowances(counters)
        self._strangers = Strangers(self._allowances)
        self._clock = clock

    def pass_through(self, request: HttpRequest, *, is_operators: bool) -> Caller:
        """Return the caller. Raises Fault at the first of: no valid key, no permission, too many requests."""
        key = self._key_of(request)
        desk = None if key is None else self._desks.open_desk(key.instance, key.merchant)
        if key is None or desk is None:
            refusal = self._strangers.refusal(Door.NO_KEY, request.client_address, self._clock())
            raise too_many(refusal.retry_after_s) if refusal else unauthenticated()
        tell(instance=key.instance)
        is_writing = request.method in WRITING
        if not key.is_enabled or (key.is_read_only and is_writing) or key.is_operators != is_operators:
            raise unauthorized()
        self._count(key.instance, f"{key.instance}/allowance/escrow/{key.key_id}", key.key_id, key.allowance)
        return Caller(key.instance, key.world, desk.settings, desk.merchant)

    def _key_of(self, request: HttpRequest) -> EscrowKey | None:
        bearer = _BEARER.fullmatch(request.headers.get("authorization", "").strip())
        return self._keys.accept(bearer[1]) if bearer else None

    def _count(self, instance: str, scope: str, who: str, allowance: Allowance) -> None:
        """Count the request against an allowance. Raises Fault over it.

        Fails open: when the counter's table is throttled or out of reach, the request is served, uncounted.
        """
        try:
            refusal = self._allowances.use(scope, allowance, self._clock() * 1000)
        except (Unavailable, OutcomeUnknown) as error:
            request_uncounted(instance, who, error)
            return
        if refusal:
            raise too_many(refusal.retry_after_s)
