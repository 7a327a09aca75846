"""Endpoint: a ticket, with which a customer shows on a WebSocket connection who it is."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.apis.trade.envelope import Envelope
from chalicelib.apis.trade.gate import Caller
from chalicelib.services.tenancy.tickets import Bearer, Tickets


@dataclass(frozen=True, slots=True)
class TicketEndpoint:
    tickets: Tickets

    def issue(self, _request: HttpRequest, caller: Caller, envelope: Envelope) -> HttpResponse:
        """POST ticket. A ticket for the token's customer: good for a minute, and once."""
        return envelope.success({"ticket": self.tickets.issue(Bearer(caller.instance, caller.name, caller.credential))})
