"""Endpoints: the currencies of an instance, and its countries (R54, R55)."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.apis.trade.envelope import Envelope
from chalicelib.apis.trade.gate import Caller
from chalicelib.apis.trade.ids import shown
from chalicelib.apis.trade.pairs import code_of
from chalicelib.apis.trade.query import Query
from chalicelib.domain.ledger.tokens import Token
from chalicelib.services.ledger.reading import LedgerReading
from chalicelib.support.ascii_case import ascii_upper


@dataclass(frozen=True, slots=True)
class CurrencyEndpoints:
    ledger: LedgerReading

    def listed(self, request: HttpRequest, caller: Caller, envelope: Envelope) -> HttpResponse:
        """GET public/currencies, GET currencies. The instance's tokens, or those asked for, by code."""
        wanted = {ascii_upper(code) for code in Query(request.query).items("currency_code")}
        tokens = sorted(self.ledger.tokens(caller.instance), key=code_of)
        return envelope.success([_currency_view(token) for token in tokens if not wanted or code_of(token) in wanted])

    def countries(self, _request: HttpRequest, _caller: Caller, envelope: Envelope) -> HttpResponse:
        """GET public/countries. None: nothing here depends on a country."""
        return envelope.success([])


def _currency_view(token: Token) -> dict[str, object]:
    """Return a currency. Deposits and withdrawals are not served, so it has no networks and can do neither."""
    return {
        "active": token.is_active,
        "can_deposit": False,
        "can_withdraw": False,
        "code": code_of(token),
        "id": shown(token.token_id),
        "min_withdraw_amount": 0,
        "name": token.name,
        "needs_block_id_for_tx_sync": False,
        "networks": [],
        "precision": token.decimals,
        "logo": {"svg": ""},
        "countries": [],
    }
