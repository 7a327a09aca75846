"""Answers and faults of the trade desk: one envelope (R11, R12), one table of errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from enum import Enum

from chalicelib.apis.kit.http import HttpResponse
from chalicelib.support.canonical import exact


class Error(Enum):
    """Each error with its HTTP status, its error_code and its fixed message."""

    INVALID_PARAMETERS = 400, 40000, "Invalid parameters: {field}."
    MINIMUM_NOT_REACHED = 400, 40010, "Minimum value not reached."
    INSUFFICIENT_FUNDS = 400, 40011, "Insufficient funds."
    ALREADY_CANCELED = 400, 40020, "Order already canceled."
    EXECUTED_COMPLETELY = 400, 40021, "Order executed completely."
    NOTHING_TO_CANCEL = 400, 40021, "No orders to cancel."
    UNSUPPORTED = 400, 40090, "Unsupported operation."
    AUTHORIZATION_MISSING = 401, 40100, "Authorization header is required."
    TIMESTAMP_MISSING = 401, 40100, "Timestamp header is required."
    SIGNATURE_MISSING = 401, 40100, "Signature header is required."
    TIMESTAMP_INVALID = 401, 40100, "Timestamp header is invalid."
    TOKEN_INVALID = 401, 40100, "API token is invalid."
    TOKEN_BLOCKED = 401, 40100, "API token is blocked."
    OUTSIDE_WINDOW = 401, 40100, "Timestamp is outside the tolerance window."
    SIGNATURE_INVALID = 401, 40100, "Signature is invalid."
    FORBIDDEN = 403, 40300, "Forbidden access."
    NO_ROUTE = 404, 40400, "Not found."
    PAIR_NOT_FOUND = 404, 40400, "Pair not found."
    ORDER_NOT_FOUND = 404, 40400, "Order not found."
    CURRENCY_NOT_FOUND = 404, 40400, "Currency not found."
    CURSOR_GONE = 410, 41000, "Cursor is gone: read orders and balances anew, then follow from the cursor in data."
    TOO_MANY_REQUESTS = 429, 42900, "Too many requests"
    LIMIT_EXCEEDED = 429, 42900, "Limit Exceeded"
    INTERNAL = 500, 50000, "Internal server error."
    CANCEL_PENDING = 500, 50003, "Cancel is pending, repeat the request."
    AMENDMENT_PENDING = 500, 50003, "Amendment is pending, repeat the request."
    MAINTENANCE = 503, 503, "Maintenance in course."

    def __init__(self, status: int, error_code: int, message: str) -> None:
        self.status = status
        self.error_code = error_code
        self.message = message


_RETRY_AFTER_S = {Error.CANCEL_PENDING: 1, Error.AMENDMENT_PENDING: 1, Error.MAINTENANCE: 1}


class Fault(Exception):
    """A request that is answered with an error of this API.

    field: the faulty parameter, for INVALID_PARAMETERS only. reason: a sentence behind the message. retry_after_s: of
    the header Retry-After. data: what the answer gives in spite of the error.
    """

    def __init__(
        self,
        error: Error,
        *,
        field: str = "",
        reason: str = "",
        retry_after_s: int | None = None,
        data: object = None,
    ) -> None:
        super().__init__(f"{error.message.format(field=field)} {reason}".rstrip())
        self.error, self.name, self.status = error, error.name, error.status
        self.message, self.data = str(self), data
        self.retry_after_s = _RETRY_AFTER_S.get(error) if retry_after_s is None else retry_after_s


def invalid(field: str, reason: str = "") -> Fault:
    """Return the fault of an invalid parameter. reason: a sentence that tells this refusal from others of the field."""
    return Fault(Error.INVALID_PARAMETERS, field=field, reason=reason)


class Envelope:
    """Writes the answer to one request. now_ms: arrival of the request.

    clock: the time in ms. An answer's ``timestamp`` (R11) is the time at which it is written, so it is never older than
    its data.
    """

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self.now_ms = clock()

    def success(
        self, data: object, headers: Mapping[str, str] | None = None, *, at_ms: int | None = None
    ) -> HttpResponse:
        """Answer 200; data: of dict, list, str, bool, None, int and Number. at_ms: its ``timestamp``."""
        return self._response(200, {"data": data, "error_code": None, "message": None}, headers, at_ms)

    def failure(self, fault: Fault) -> HttpResponse:
        headers = {} if fault.retry_after_s is None else {"Retry-After": str(fault.retry_after_s)}
        body = {"data": fault.data, "error_code": fault.error.error_code, "message": fault.message}
        return replace(self._response(fault.status, body, headers), error=fault.name)

    def _response(
        self, status: int, body: Mapping[str, object], headers: Mapping[str, str] | None, at_ms: int | None = None
    ) -> HttpResponse:
        timestamp = self._clock() if at_ms is None else at_ms
        always = {"Content-Type": "application/json; charset=utf-8", "Cache-Control": "no-store"}
        return HttpResponse(status, exact({**body, "timestamp": timestamp}), always | dict(headers or {}))
