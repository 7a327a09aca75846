"""Endpoint: callbacks of the providers of external payins, signed by the Standard Webhooks specification (E45)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from chalicelib.apis.escrow.commands import Commands, RequestFields
from chalicelib.apis.escrow.envelope import invalid, is_not_selectable, too_many, unauthenticated
from chalicelib.apis.escrow.kinds import amount, choice, identifier, text
from chalicelib.apis.escrow.objects import View, payin_view
from chalicelib.apis.escrow.schema import Schema
from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.domain.escrow.commands import PayinOutcome
from chalicelib.domain.escrow.payments import callback_sender
from chalicelib.domain.escrow.settings import ExternalPayinType, OpenDesk
from chalicelib.domain.tenancy.instances import World
from chalicelib.domain.webhooks.signing import callback_secret_of, is_signed
from chalicelib.services.escrow.desk import EscrowDesk
from chalicelib.services.escrow.reading import EscrowReading
from chalicelib.services.tenancy.rate_limiter import AnonymousUse, RateLimiter
from chalicelib.support.telemetry import add_log_members

CONFIRMED, DENIED = "CONFIRMED", "DENIED"
_INSTANCE = re.compile(r"[!-~]{1,100}")
_FIELDS = {
    "payin_id": identifier(),
    "status": choice(CONFIRMED, DENIED),
    "amount": amount(),
    "currency": text(3),
    "reference": text(100),
}
CALLBACK = Schema(_FIELDS, required=frozenset(_FIELDS))


@dataclass(frozen=True, slots=True)
class CallbackEndpoints:
    """open_desk: reads an active instance's desk. master_keys: those whose secrets are accepted. clock: Unix ms."""

    desk: EscrowDesk
    reading: EscrowReading
    commands: Commands
    open_desk: Callable[[str, str | None], OpenDesk | None]
    limiter: RateLimiter
    master_keys: Callable[[], Iterator[bytes]]
    clock: Callable[[], int]

    def receive(self, request: HttpRequest) -> HttpResponse:
        """POST callbacks/{instance}/{world}/{type}. The payin as it is then; what is said again changes nothing."""
        opened, world, kind = self._sender(request)

        def carry_out(sent: RequestFields) -> View:
            sent.refuse_faulty()
            fields = sent.fields
            scope = self.reading.scope_of_payin(opened.instance, world, fields["payin_id"])
            if scope is None:
                raise invalid({"payin_id": [is_not_selectable("payin_id")]})
            is_confirmed = fields["status"] == CONFIRMED
            facts = (fields["payin_id"], is_confirmed, fields["amount"], fields["currency"], fields["reference"])
            payin = self.desk.take_outcome(scope, PayinOutcome(kind.name, *facts))
            return payin_view(payin, opened.settings.public_base_url)

        return self.commands.change(request, CALLBACK, carry_out)

    def _sender(self, request: HttpRequest) -> tuple[OpenDesk, World, ExternalPayinType]:
        """Return the desk, the world and the type that a request is signed for. Raises Fault 401 or 429."""
        instance, world, name = (request.path_parameters[part] for part in ("instance", "world", "type"))
        may_be_there = world in list(World) and _INSTANCE.fullmatch(instance)
        opened = self.open_desk(instance, None) if may_be_there else None
        kind = None if opened is None else opened.settings.payin_type(name)
        now_ms = self.clock()
        if opened is not None and kind is not None:
            sender = callback_sender(instance, World(world), name)
            secrets = (callback_secret_of(key, sender, kind.generation) for key in self.master_keys())
            if is_signed(secrets, request.headers, request.body, now_ms // 1000):
                add_log_members(instance=instance)
                return opened, World(world), kind
        refusal = self.limiter.anonymous_refusal(AnonymousUse.NO_KEY, request.client_address, now_ms)
        raise too_many(refusal.retry_after_s) if refusal else unauthenticated()
