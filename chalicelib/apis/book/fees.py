"""Endpoint: what each book and desk of the instance has earned in fees (T95)."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.apis.book import ledger_schema
from chalicelib.apis.book.envelope import Envelope
from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.domain.ledger.tokens import Token
from chalicelib.services.books.earnings import Earned, Earnings
from chalicelib.services.ledger.reading import LedgerReading


@dataclass(frozen=True, slots=True)
class FeeEndpoints:
    earnings: Earnings
    reading: LedgerReading

    def earned(self, request: HttpRequest, instance: str, envelope: Envelope) -> HttpResponse:
        """GET fees. 200 with a page of the fee accounts that have earned something, and their total."""
        page = ledger_schema.page_query(request.query)
        accounts = self.earnings.of_instance(instance)
        tokens = self.reading.tokens_by_address(instance, (one.asset for one in accounts))
        shown = [_fees_data(one, tokens.get(one.asset)) for one in page.of(accounts)]
        return envelope.success(200, {"fees": shown, "total": len(accounts)})


def _fees_data(fees: Earned, token: Token | None) -> dict[str, object]:
    return {
        "account": fees.account,
        "orderBookId": fees.book_id,
        "tokenAddress": fees.asset,
        "token": token and {"name": token.name, "symbol": token.symbol},
        "earned": str(fees.earned),
        "withdrawn": str(fees.earned - fees.available),
        "available": str(fees.available),
    }
