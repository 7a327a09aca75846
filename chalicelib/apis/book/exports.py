"""Endpoints: exports in pages, as CSV or JSON lines (T99)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from chalicelib.apis.book import export_rows, export_schema
from chalicelib.apis.book.envelope import Detail, Envelope
from chalicelib.apis.book.export_schema import ExportQuery
from chalicelib.apis.book.schema import validation_fault
from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.apis.kit.page_bytes import answer_bytes, fitting
from chalicelib.apis.kit.tabular import Cell
from chalicelib.domain.ledger.tokens import Token
from chalicelib.services.books.exports import Exports
from chalicelib.services.books.history import HistoryTooLong
from chalicelib.services.ledger.reading import LedgerReading
from chalicelib.support.clock import now_ms

NEXT_CURSOR = "X-Next-Cursor"
"""Header of a page behind which there are more rows: the ``after`` of the next one."""
Row = tuple[str, dict[str, Cell]]
"""A row's id, by which the next page goes on, and its cells."""


@dataclass(frozen=True, slots=True)
class ExportEndpoints:
    """clock: Unix ms."""

    exports: Exports
    reading: LedgerReading
    clock: Callable[[], int] = now_ms

    def transactions(self, request: HttpRequest, instance: str, envelope: Envelope) -> HttpResponse:
        """GET exports/transactions. 200 with a page of transactions, newest first."""
        asked = export_schema.export_query(request.query, "txn")
        found = list(islice(self.exports.transactions(instance, asked.span), asked.limit + 1))
        tokens = self._tokens(instance, (row.asset for row in found))
        rows = [(row.transaction_id, export_rows.transaction_row(row, tokens, asked.customer)) for row in found]
        return _page(rows, export_rows.TRANSACTIONS, asked, envelope)

    def trades(self, request: HttpRequest, instance: str, envelope: Envelope) -> HttpResponse:
        """GET exports/trades. 200 with a page of trades, newest first."""
        asked = export_schema.export_query(request.query, "trade")
        found = islice(self.exports.trades(instance, asked.span), asked.limit + 1)
        return _page([(row.trade_id, export_rows.trade_row(row)) for row in found], export_rows.TRADES, asked, envelope)

    def orders(self, request: HttpRequest, instance: str, envelope: Envelope) -> HttpResponse:
        """GET exports/orders. 200 with a page of a customer's orders, newest first."""
        asked = export_schema.export_query(request.query, "ord", is_of_customer=True)
        found = islice(self.exports.orders(instance, asked.one_customer, asked.span), asked.limit + 1)
        return _page([(row.order_id, export_rows.order_row(row)) for row in found], export_rows.ORDERS, asked, envelope)

    def balances(self, request: HttpRequest, instance: str, envelope: Envelope) -> HttpResponse:
        """GET exports/balances. 200 with a page of a customer's balances, by asset, as of now or of an earlier time."""
        asked = export_schema.balances_query(request.query, self.clock())
        try:
            balances = self.exports.balances(instance, asked.one_customer, asked.at_ms)
        except HistoryTooLong as error:
            too_long = "must be later: more than 100,000 rows lie between it and now"
            raise validation_fault([Detail("at", too_long)]) from error
        found = [one for one in balances if asked.after is None or one.asset > asked.after][: asked.limit + 1]
        tokens = self._tokens(instance, (one.asset for one in found))
        at_ms = self.clock() if asked.at_ms is None else asked.at_ms
        rows = [(one.asset, export_rows.balance_row(one, tokens, at_ms)) for one in found]
        return _page(rows, export_rows.BALANCES, asked, envelope)

    def _tokens(self, instance: str, assets: Iterable[str]) -> dict[str, Token]:
        return self.reading.tokens_by_address(instance, assets)


def _page(rows: Sequence[Row], columns: Sequence[str], asked: ExportQuery, envelope: Envelope) -> HttpResponse:
    """Return a page of these rows, of which there is one more than asked for if there are more.

    The first page alone begins with the header, so that pages put together are one file.
    """
    lines = [asked.format.line(cells) for _, cells in rows]
    shown = fitting(lines[: asked.limit], answer_bytes)
    header = asked.format.header(columns) if asked.after is None else ""
    headers = {"Content-Type": asked.format.content_type}
    if len(shown) < len(lines):
        headers[NEXT_CURSOR] = rows[len(shown) - 1][0]
    return envelope.response(200, header + "".join(shown), headers)
