"""Endpoint: a customer's balances (R36)."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.apis.trade.decimals import dec
from chalicelib.apis.trade.envelope import Envelope
from chalicelib.apis.trade.gate import Caller
from chalicelib.apis.trade.pairs import code_of
from chalicelib.apis.trade.query import Query
from chalicelib.domain.ledger.accounts import Balance
from chalicelib.domain.ledger.tokens import Token
from chalicelib.services.ledger.reading import LedgerReading
from chalicelib.support.ascii_case import ascii_upper
from chalicelib.support.clock import iso


@dataclass(frozen=True, slots=True)
class BalanceEndpoints:
    ledger: LedgerReading

    def of_customer(self, request: HttpRequest, caller: Caller, envelope: Envelope) -> HttpResponse:
        """GET user/balances. A row for each active token, or those asked for, by code, zeros too.

        last_update of an account that never changed is its token's registration.
        """
        wanted = {ascii_upper(code) for code in Query(request.query).items("currency_code")}
        tokens = [token for token in self.ledger.tokens(caller.instance) if token.is_active]
        shown = sorted((token for token in tokens if not wanted or code_of(token) in wanted), key=code_of)
        by_asset = {balance.asset: balance for balance in self.ledger.balances(caller.instance, caller.name)}
        rows = [_balance_view(token, by_asset.get(token.address, Balance(token.address, 0, 0))) for token in shown]
        return envelope.success(rows)


def _balance_view(token: Token, balance: Balance) -> dict[str, object]:
    changed_at_ms = token.created_at_ms if balance.changed_at_ms is None else balance.changed_at_ms
    return {
        "currency_code": code_of(token),
        "available_amount": dec(balance.available, token.decimals),
        "last_update": iso(changed_at_ms),
        "locked_amount": dec(balance.held, token.decimals),
    }
