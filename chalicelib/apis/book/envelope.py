"""Answers and faults of the book desk: one envelope, one table of codes (T7 to T9)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from chalicelib.apis.kit.http import HttpResponse
from chalicelib.domain.books.admission import RefusalCode
from chalicelib.domain.tenancy.instances import AcceptedKey
from chalicelib.support.canonical import compact
from chalicelib.support.clock import iso

_STATUS_OF_REFUSAL = {
    RefusalCode.ORDER_BOOK_NOT_FOUND: 404,
    RefusalCode.ORDER_BOOK_EXISTS: 409,
    RefusalCode.CUSTOMER_FROZEN: 403,
}
_OF_TRADE_DESK = {RefusalCode.EXTERNAL_ID_TAKEN}
"""Refusals that this desk's requests cannot cause."""
STATUS_OF_CODE = {
    "NOT_FOUND": 404,
    "METHOD_NOT_ALLOWED": 405,
    "AUTH_REQUIRED": 401,
    "AUTH_FAILED": 401,
    "AUTH_ERROR": 500,
    "RATE_LIMIT_EXCEEDED": 429,
    "SERVICE_NOT_ENABLED": 403,
    "PAYLOAD_TOO_LARGE": 413,
    "INVALID_PARAM": 400,
    "IDEMPOTENCY_KEY_REQUIRED": 400,
    "IDEMPOTENCY_MISMATCH": 409,
    "VALIDATION_ERROR": 400,
    "ORDER_NOT_FOUND": 404,
    "TOKEN_EXISTS": 409,
    "TOKEN_NOT_FOUND": 404,
    "INVALID_TRANSFER": 400,
    "WEBHOOK_NOT_FOUND": 404,
    "DELIVERY_NOT_FOUND": 404,
    "TOO_MANY_WEBHOOKS": 409,
    "WEBHOOK_NOT_ACTIVE": 409,
    "CURSOR_GONE": 410,
    "CANCEL_PENDING": 503,
    "AMENDMENT_PENDING": 503,
    "INTERNAL_ERROR": 500,
    "SERVICE_UNAVAILABLE": 503,
} | {code.value: _STATUS_OF_REFUSAL.get(code, 400) for code in RefusalCode if code not in _OF_TRADE_DESK}


@dataclass(frozen=True, slots=True)
class Detail:
    """One faulty field of a VALIDATION_ERROR; ``body`` for a fault of the whole body (T7)."""

    field: str
    message: str


class Fault(Exception):
    """A request that is answered with an error of this API."""

    def __init__(
        self,
        code: str,
        message: str,
        *,
        details: Sequence[Detail] = (),
        headers: Mapping[str, str] | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = self.name = code
        self.status = STATUS_OF_CODE[code]
        self.message = message
        self.details = details
        self.headers = headers or {}
        self.metadata = metadata or {}


def failed(fault: Fault) -> dict[str, Any]:
    """Return a failure as an answer shows it, without its metadata: of a request, or of one order of a batch (T77)."""
    error: dict[str, Any] = {"code": fault.code, "message": fault.message}
    if fault.code == "VALIDATION_ERROR":
        error["details"] = [{"field": detail.field, "message": detail.message} for detail in fault.details]
    return {"success": False, "error": error}


def succeeded(data: object) -> dict[str, Any]:
    """Return a success as an answer shows it, without its metadata."""
    return {"success": True, "data": data}


class Envelope:
    """Writes the answer to one request. key: None until it is accepted (T8).

    clock: the time in ms. An answer's timestamp is the time at which it is first written, so it is never older than its
    data, and the kept answer is the same as the one sent.
    """

    def __init__(self, clock: Callable[[], int], request_id: str) -> None:
        self.request_id = request_id
        self.key: AcceptedKey | None = None
        self.headers: dict[str, str] = {}
        """Headers that every answer to this request carries."""
        self._clock = clock
        self._timestamp: str | None = None

    def has_waited(self) -> None:
        """Set the timestamp to now, after a wait for a result. Bodies written before keep theirs."""
        self._timestamp = iso(self._clock())

    def success(self, status: int, data: object, headers: Mapping[str, str] | None = None) -> HttpResponse:
        return self.response(status, self.success_body(data), headers)

    def success_body(self, data: object) -> str:
        return compact(succeeded(data) | {"metadata": self._metadata({})})

    def failure(self, fault: Fault) -> HttpResponse:
        return replace(self.response(fault.status, self.failure_body(fault), fault.headers), error=fault.name)

    def failure_body(self, fault: Fault) -> str:
        return compact(failed(fault) | {"metadata": self._metadata(fault.metadata)})

    def response(self, status: int, body: str, headers: Mapping[str, str] | None = None) -> HttpResponse:
        always = {
            "Content-Type": "application/json; charset=utf-8",
            "X-Request-Id": self.request_id,
            "Cache-Control": "no-store",
        }
        return HttpResponse(status, body, always | self.headers | dict(headers or {}))

    def _metadata(self, more: Mapping[str, Any]) -> dict[str, Any]:
        self._timestamp = self._timestamp or iso(self._clock())
        metadata: dict[str, Any] = {"requestId": self.request_id, "timestamp": self._timestamp}
        if self.key is not None:
            metadata["instanceId"] = self.key.instance
        return metadata | dict(more)
