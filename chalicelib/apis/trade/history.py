"""Endpoints: a customer's balances at the end of a day, and its statement (R59, R60)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.apis.kit.times import EPOCH, QUERY_TIME, moment_of
from chalicelib.apis.trade.decimals import dec
from chalicelib.apis.trade.envelope import Envelope, Error, Fault, invalid
from chalicelib.apis.trade.figures import side_word
from chalicelib.apis.trade.gate import Caller
from chalicelib.apis.trade.ids import ulid_of
from chalicelib.apis.trade.paging import all_at_once, page_of
from chalicelib.apis.trade.pairs import code_of
from chalicelib.apis.trade.query import Query, in_path
from chalicelib.apis.trade.window import EARLIEST
from chalicelib.domain.ledger.tokens import Token
from chalicelib.domain.ledger.transactions import Transaction, TransactionType, side_in_trade
from chalicelib.services.books.history import ROWS_MAX, History, HistoryTooLong, StatementRow
from chalicelib.services.ledger.reading import LedgerReading
from chalicelib.support.ascii_case import ascii_upper
from chalicelib.support.clock import iso

DAY = timedelta(days=1)
MS = timedelta(milliseconds=1)
OPERATIONS = {
    TransactionType.CREDIT: "Deposit",
    TransactionType.DEBIT: "Withdrawal",
    TransactionType.TRANSFER: "Transfer",
    TransactionType.TRADE: "Trade",
    TransactionType.FEE: "Fee",
}
"""The word for a row, unless it is a leg of a book's trade: those are ``Buy`` and ``Sell``."""


@dataclass(frozen=True, slots=True)
class HistoryEndpoints:
    ledger: LedgerReading
    history: History

    def balances(self, request: HttpRequest, caller: Caller, envelope: Envelope) -> HttpResponse:
        """GET user/balances/{date}. What the customer had at the end of a UTC day, held funds included, by code."""
        end_ms = _end_of_day(in_path(request, "date"), envelope.now_ms)
        tokens = sorted((token for token in self.ledger.tokens(caller.instance) if token.is_active), key=code_of)
        changed = {
            balance.asset: balance.changed_at_ms for balance in self.ledger.balances(caller.instance, caller.name)
        }
        try:
            totals = self.history.balances_at(caller.instance, caller.name, end_ms)
        except HistoryTooLong as error:
            raise _too_long("date") from error
        return envelope.success(
            [
                {
                    "currency_code": code_of(token),
                    "available_amount": dec(totals.get(token.address, 0), token.decimals),
                    "last_update": iso(min(changed.get(token.address) or token.created_at_ms, end_ms)),
                }
                for token in tokens
            ]
        )

    def statement(self, request: HttpRequest, caller: Caller, envelope: Envelope) -> HttpResponse:
        """GET user/statement. A page of what changed the customer's balances, newest first."""
        return self._statement(request, caller, envelope, None)

    def statement_of_currency(self, request: HttpRequest, caller: Caller, envelope: Envelope) -> HttpResponse:
        """GET user/statement/{currency_code}. A page of what changed the customer's balance of one currency."""
        return self._statement(request, caller, envelope, ascii_upper(in_path(request, "currency_code")))

    def _statement(self, request: HttpRequest, caller: Caller, envelope: Envelope, code: str | None) -> HttpResponse:
        query = Query(request.query)
        window = query.window("start_time", "end_time", envelope.now_ms)
        paging = query.paging(has_cursors=False)
        tokens = {token.address: token for token in self.ledger.tokens(caller.instance)}
        asset = None
        if code is not None:
            asset = next((address for address, token in tokens.items() if code_of(token) == code), None)
            if asset is None:
                raise Fault(Error.CURRENCY_NOT_FOUND)
        rows = self.history.statement(caller.instance, caller.name, window.from_ms, window.to_ms, asset)
        try:
            page = page_of(
                all_at_once(row for row in rows if row.transaction.asset in tokens),
                lambda row: ulid_of(row.transaction.transaction_id),
                paging,
            )
        except HistoryTooLong as error:
            raise _too_long("start_time") from error
        shown = [_row_view(row, tokens[row.transaction.asset], caller.name) for row in page.rows]
        return envelope.success({"statement": shown, "pagination": page.pagination})


def _end_of_day(text: str, now_ms: int) -> int:
    """Return the last millisecond of the UTC day that a date or a time is in. Raises Fault."""
    try:
        day = moment_of(text, QUERY_TIME).at.astimezone(UTC).date()
    except (ValueError, OverflowError) as error:
        raise invalid("date") from error
    begins = datetime(day.year, day.month, day.day, tzinfo=UTC)
    if not EARLIEST <= begins <= EPOCH + now_ms * MS:
        raise invalid("date")
    return (begins + DAY - EPOCH) // MS - 1


def _too_long(field: str) -> Fault:
    return invalid(field, f"More than {ROWS_MAX} changes of the customer's balances came since.")


def _row_view(row: StatementRow, token: Token, customer: str) -> dict[str, object]:
    return {
        "amount": dec(row.amount, token.decimals),
        "after_balance": dec(row.after, token.decimals),
        "currency": code_of(token),
        "date": iso(row.transaction.at_ms),
        "operation": _operation(row.transaction, customer),
    }


def _operation(transaction: Transaction, customer: str) -> str:
    side = side_in_trade(transaction, customer)
    return OPERATIONS[transaction.kind] if side is None else side_word(side).title()
