"""Answers and faults of the escrow desk: their bodies and statuses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from chalicelib.apis.kit.http import HttpResponse
from chalicelib.support.canonical import exact

Errors = dict[str, list[str]]
"""The errors of a request: by field, texts for people."""
INVALID = 422
MESSAGES = {
    401: "Unauthenticated.",
    403: "This action is unauthorized.",
    404: "Not found",
    410: "Gone. Read the orders anew, then follow from this cursor.",
    INVALID: "The given data was invalid.",
    429: "Too Many Attempts.",
    500: "Server Error",
}
"""Each error's message, by its status."""


class Fault(Exception):
    """A request that is answered with an error of this API. headers: in addition to those of every answer.

    cursor: from where to follow events.
    """

    def __init__(
        self, status: int, errors: Errors | None = None, retry_after_s: int | None = None, cursor: str | None = None
    ) -> None:
        super().__init__(MESSAGES[status])
        self.status, self.name, self.message, self.errors = status, str(status), MESSAGES[status], errors
        self.cursor = cursor
        self.headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}


def unauthenticated() -> Fault:
    return Fault(401)


def unauthorized() -> Fault:
    return Fault(403)


def not_found() -> Fault:
    return Fault(404)


def gone(cursor: str) -> Fault:
    """Return the fault of a cursor that is no longer resumable. cursor: that of now."""
    return Fault(410, cursor=cursor)


def too_many(retry_after_s: int) -> Fault:
    return Fault(429, retry_after_s=retry_after_s)


def server_error() -> Fault:
    return Fault(500)


def invalid(errors: Errors) -> Fault:
    """Return the fault of a request with bad fields, or forbidden by its order's status."""
    return Fault(INVALID, errors)


def invalid_field(field: str, text: str) -> Fault:
    return invalid({field: [text]})


def words(field: str) -> str:
    """Return a field's name as in texts for people."""
    return field.replace("_", " ")


def is_required(field: str) -> str:
    return f"The {words(field)} field is required."


def is_not_selectable(field: str) -> str:
    """Return the error of a value that is not in its list, or refers to nothing (E4)."""
    return f"The selected {words(field)} is invalid."


def breaks_rule(field: str, rule: str) -> str:
    return f"The {words(field)} {rule}."


def single(data: Mapping[str, object]) -> str:
    """Return the body of an answer with one object."""
    return written({"data": data})


def written(body: Mapping[str, object]) -> str:
    """Return a body as JSON with exact numbers."""
    return exact(body)


def response(status: int, body: str, headers: Mapping[str, str] | None = None) -> HttpResponse:
    always = {"Content-Type": "application/json; charset=utf-8", "Cache-Control": "no-store"}
    return HttpResponse(status, body, always | dict(headers or {}))


def failure(fault: Fault) -> HttpResponse:
    errors: Mapping[str, Sequence[str]] | None = fault.errors
    body: dict[str, object] = {"message": fault.message} | ({} if errors is None else {"errors": errors})
    body |= {} if fault.cursor is None else {"cursor": fault.cursor}
    return replace(response(fault.status, written(body), fault.headers), error=fault.name)
