"""Endpoint: the dead man's switch, which cancels all orders of a customer that no longer says it is there (O10)."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.apis.trade import change_schema
from chalicelib.apis.trade.envelope import Envelope
from chalicelib.apis.trade.gate import Caller
from chalicelib.services.books.switches import DeadManSwitches
from chalicelib.support.clock import iso


@dataclass(frozen=True, slots=True)
class CancelAfterEndpoint:
    switches: DeadManSwitches

    def set(self, request: HttpRequest, caller: Caller, envelope: Envelope) -> HttpResponse:
        """POST orders/cancel-all-after. When all orders are canceled unless it is set again; null: never."""
        timeout_s = change_schema.timeout_member(request.body, request.query)
        cancel_at_ms = self.switches.set(caller.instance, caller.name, timeout_s)
        return envelope.success({"cancel_at": None if cancel_at_ms is None else iso(cancel_at_ms)})
