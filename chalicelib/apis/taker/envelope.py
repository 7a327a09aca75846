"""Answers and faults of the taker desk: one envelope, one table of errors (K7)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from enum import Enum

from chalicelib.apis.kit.http import HttpResponse
from chalicelib.support.canonical import compact


class Error(Enum):
    """Each error with its HTTP status, its code and its usual message."""

    INVALID_PARAMETER = 400, 400001, "Invalid parameter"
    INSUFFICIENT_BALANCE = 400, 400, "Insufficient balance"
    KEY_MISSING = 401, 10010012, "API key, or one of timestamp and signature, is missing"
    KEY_UNKNOWN = 401, 10010009, "API key is invalid"
    KEY_EXPIRED = 401, 10010010, "API key has expired"
    TIMESTAMP_INVALID = 401, 10010011, "Timestamp is no integer, or outside the window"
    SIGNATURE_INVALID = 401, 10010008, "Signature is invalid"
    UNAUTHORIZED = 401, 401, "Unauthorized"
    FORBIDDEN = 403, 403, "Forbidden"
    NOT_FOUND = 404, 404, "Not found"
    CONFLICT = 409, 409, "Conflict"
    CURSOR_GONE = 410, 410, "Gone"
    TOO_MANY_REQUESTS = 429, 429, "Too many requests"
    INTERNAL = 500, 500, "Internal server error"

    def __init__(self, status: int, code: int, message: str) -> None:
        self.status = status
        self.code = code
        self.message = message


ORDER_NOT_FOUND = "Order not found"
"""The message for an unknown order and for another taker's (K8)."""


class Fault(Exception):
    """A request that is answered with an error of this API.

    message: None for the error's usual one. details: left out of the answer if empty; no value contains "; ", which
    separates them (K51). retry_after_s: of the header Retry-After.
    """

    def __init__(
        self,
        error: Error,
        message: str | None = None,
        details: Mapping[str, object] | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(message or error.message)
        self.error, self.name, self.status = error, error.name, error.status
        self.message = message or error.message
        self.details = dict(details or {})
        self.retry_after_s = retry_after_s


def invalid(faults: Mapping[str, str]) -> Fault:
    """Return the fault of a request with bad fields. faults: by field, what is wrong."""
    return Fault(Error.INVALID_PARAMETER, details=faults)


def refuse(faults: Mapping[str, str]) -> None:
    """Raise Fault if there are bad fields."""
    if faults:
        raise invalid(faults)


def order_not_found() -> Fault:
    return Fault(Error.NOT_FOUND, ORDER_NOT_FOUND)


def success(data: object, headers: Mapping[str, str] | None = None) -> HttpResponse:
    """Answer 200; data: of dict, list, str, int, bool and None."""
    return _response(200, {"code": 0, "data": data}, headers)


def failure(fault: Fault, *, has_details_object: bool = False) -> HttpResponse:
    """Answer a fault. has_details_object: show its details as an object, not as the vendor's text (K51)."""
    body: dict[str, object] = {"code": fault.error.code, "message": fault.message}
    if fault.details:
        text = "; ".join(f"{name}: {value}" for name, value in fault.details.items())
        body["details"] = fault.details if has_details_object else text
    headers = {} if fault.retry_after_s is None else {"Retry-After": str(fault.retry_after_s)}
    return replace(_response(fault.status, body, headers), error=fault.name)


def _response(status: int, body: Mapping[str, object], headers: Mapping[str, str] | None = None) -> HttpResponse:
    always = {"Content-Type": "application/json; charset=utf-8", "Cache-Control": "no-store"}
    return HttpResponse(status, compact(body), always | dict(headers or {}))
