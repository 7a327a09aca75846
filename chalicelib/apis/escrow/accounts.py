"""Endpoint: the account of the caller's key, which clients ask for to learn whether a key is valid (E36)."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.apis.escrow.envelope import response, single
from chalicelib.apis.escrow.gate import Caller
from chalicelib.apis.escrow.objects import account_view
from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.services.escrow.reading import EscrowReading
from chalicelib.support.consistency import Inconsistent


@dataclass(frozen=True, slots=True)
class AccountEndpoints:
    reading: EscrowReading

    def show(self, request: HttpRequest, caller: Caller) -> HttpResponse:  # noqa: ARG002 - as all endpoints
        """GET accounts/me. The merchant of the key, with the id of its own customer in the key's world."""
        own = self.reading.customer(caller.scope, caller.owner.customers[caller.world])
        if own is None:
            raise Inconsistent("a merchant has a customer of its own in each world")
        return response(200, single(account_view(caller.owner, own.customer_id, caller.settings.payin_type_names)))
