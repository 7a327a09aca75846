"""The form of requests for exports (T99)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from chalicelib.apis.book.ledger_schema import time_parameter
from chalicelib.apis.book.schema import FROM_ONE, FROM_ONE_MESSAGE, REF, REF_MESSAGE, Parameters, bounded
from chalicelib.apis.kit.tabular import Format
from chalicelib.services.books.exports import Span
from chalicelib.support.consistency import Inconsistent
from chalicelib.support.ids import TIME_MS_MAX

LIMIT_DEFAULT, LIMIT_MAX = 1000, 5000
NOW = -2
"""Stands for a time that is not named: no time of a request is that early."""
CURSOR_MESSAGE = "must be the X-Next-Cursor of a page"
_ASSET = re.compile(r"(?:sandbox:)?0x[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class ExportQuery:
    """Query of an export. after: the cursor, None for the first page. at_ms: of balances, None for now."""

    format: Format
    limit: int
    after: str | None
    customer: str | None
    from_ms: int = 0
    to_ms: int = TIME_MS_MAX
    at_ms: int | None = None

    @property
    def span(self) -> Span:
        return Span(self.from_ms, self.to_ms, self.customer, self.after)

    @property
    def one_customer(self) -> str:
        """The customer, where the query must name one."""
        if self.customer is None:
            raise Inconsistent("a faulty parameter is refused")
        return self.customer


def export_query(query: Mapping[str, list[str]], prefix: str, *, is_of_customer: bool = False) -> ExportQuery:
    """Return the checked query of an export of a span. prefix: of its rows' ids. Raises Fault.

    is_of_customer: it must name a customer.
    """
    parameters = Parameters(query)
    kind, customer = _format(parameters), _customer(parameters, is_required=is_of_customer)
    from_ms = time_parameter(parameters, "from", 0)
    to_ms = time_parameter(parameters, "to", TIME_MS_MAX, is_end=True)
    limit, after = _page(parameters, re.compile(rf"{prefix}_[0-7][0-9A-HJKMNP-TV-Z]{{25}}"))
    parameters.refuse_faulty()
    return ExportQuery(kind, limit, after, customer, from_ms, to_ms)


def balances_query(query: Mapping[str, list[str]], now_ms: int) -> ExportQuery:
    """Return the checked query of an export of a customer's balances. Raises Fault, also for a time to come (T114)."""
    parameters = Parameters(query)
    kind, customer = _format(parameters), _customer(parameters, is_required=True)
    at_ms = time_parameter(parameters, "at", NOW, is_end=True)
    limit, after = _page(parameters, _ASSET)
    if at_ms > now_ms and time_parameter(parameters, "at", NOW) > now_ms:
        parameters.refuse("at", "must not be in the future")
    parameters.refuse_faulty()
    return ExportQuery(kind, limit, after, customer, at_ms=None if at_ms == NOW else at_ms)


def _format(parameters: Parameters) -> Format:
    return Format(parameters.word("format", Format) or Format.JSON_LINES)


def _customer(parameters: Parameters, *, is_required: bool) -> str | None:
    return parameters.single("customerRef", REF, REF_MESSAGE, is_required=is_required)


def _page(parameters: Parameters, cursor: re.Pattern[str]) -> tuple[int, str | None]:
    limit = parameters.single("limit", FROM_ONE, FROM_ONE_MESSAGE)
    after = parameters.single("after", cursor, CURSOR_MESSAGE)
    return LIMIT_DEFAULT if limit is None else bounded(limit, LIMIT_MAX), after
