"""Endpoints: register, list and show tokens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chalicelib.apis.book import ledger_schema, schema
from chalicelib.apis.book.envelope import Envelope, Fault
from chalicelib.apis.book.idempotency import answer_once, key_of
from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.domain.ledger.tokens import Token, TokenExists
from chalicelib.services.answers import Answers, KeptAnswer, Receipt
from chalicelib.services.ledger.reading import LedgerReading
from chalicelib.support.clock import iso, new_id

Register = Callable[[str, Token, Receipt | None], None]
"""Stores a new token of an instance with its answer's receipt. Raises TokenExists or ReceiptExists."""


def token_in_path(reading: LedgerReading, instance: str, segment: str) -> Token:
    """Return the active token that a path segment names. Raises Fault INVALID_PARAM or TOKEN_NOT_FOUND."""
    address = ledger_schema.token_address(schema.path_parameter("tokenAddress", segment))
    token = None if address is None else reading.active_token(instance, address)
    if token is None:
        raise token_not_found()
    return token


def token_not_found() -> Fault:
    return Fault("TOKEN_NOT_FOUND", "Token is not registered, or inactive")


@dataclass(frozen=True, slots=True)
class TokenEndpoints:
    register_token: Register
    reading: LedgerReading
    answers: Answers

    def register(self, request: HttpRequest, instance: str, envelope: Envelope) -> HttpResponse:
        """POST tokens. 201 with the token; 409 if its address or its symbol, in any case, is taken."""
        key = key_of(request)
        members = schema.json_object(request.body)
        body = schema.checked(ledger_schema.CreateTokenBody, members)

        def act(kept: KeptAnswer | None) -> HttpResponse:
            token = body.token(new_id("tok"))
            shown = envelope.success_body(_token_data(instance, token))
            receipt = None if kept is None else kept.receipt(201, shown)
            try:
                self.register_token(instance, token, receipt)
            except TokenExists as error:
                raise Fault("TOKEN_EXISTS", "The token's address or its symbol is registered already") from error
            return envelope.response(201, shown)

        return answer_once(self.answers, request, instance, key, members, envelope, act)

    def list_of_instance(self, request: HttpRequest, instance: str, envelope: Envelope) -> HttpResponse:
        """GET tokens. 200 with a page of the instance's tokens, newest first, and the total."""
        active_only, page = ledger_schema.tokens_query(request.query)
        tokens = [token for token in self.reading.tokens(instance) if token.is_active or not active_only]
        shown = [_token_data(instance, token) for token in page.of(tokens)]
        return envelope.success(200, {"tokens": schema.that_fit(shown), "total": len(tokens)})

    def one(self, request: HttpRequest, instance: str, envelope: Envelope) -> HttpResponse:
        """GET tokens/{tokenAddress}. 200 with the token, active or not."""
        token = token_in_path(self.reading, instance, request.path_parameters["tokenAddress"])
        return envelope.success(200, _token_data(instance, token))


def _token_data(instance: str, token: Token) -> dict[str, object]:
    return {
        "id": token.token_id,
        "instanceId": instance,
        "tokenAddress": token.address,
        "name": token.name,
        "symbol": token.symbol,
        "decimals": token.decimals,
        "metadataURI": token.metadata_uri,
        "assetType": token.asset_type,
        "isActive": token.is_active,
        "createdAt": iso(token.created_at_ms),
        "updatedAt": iso(token.updated_at_ms),
    }
