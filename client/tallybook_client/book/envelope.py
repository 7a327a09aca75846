"""What all calls of the book desk share: keys of writes, errors, results of a batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from msgspec import Raw, Struct, field

from tallybook_client.book.errors import BY_CODE, BookError
from tallybook_client.errors import Unreadable
from tallybook_client.transport import Answer, Session, keyed, not_the_desks, retry_after_s
from tallybook_client.wire import json_of, value_of

T = TypeVar("T")


class _Detail(Struct):
    field: str
    message: str


class _Error(Struct):
    code: str
    message: str
    details: tuple[_Detail, ...] = ()


class _Metadata(Struct):
    request_id: str | None = field(name="requestId", default=None)
    cursor: str | None = None


class _Failure(Struct):
    error: _Error
    metadata: _Metadata = field(default_factory=_Metadata)


class _Result(Struct):
    success: bool
    data: Raw = field(default_factory=lambda: Raw(b"null"))
    error: _Error | None = None


class Results(Struct):
    """The results of a batch, one for each order."""

    results: tuple[_Result, ...]

    def of(self, kind: type[T]) -> list[T | BookError]:
        """Return each result: a value of this type, or the error."""
        return [value_of(one.data, kind) if one.error is None else _refused(one.error) for one in self.results]


def posted(
    session: Session,
    path: str,
    members: Mapping[str, Any],
    kind: type[T],
    key: str | None,
    wait_s: int = 0,
    method: str = "POST",
) -> T:
    """Send a write under an ``Idempotency-Key`` (T12); return its data."""
    return session.send(keyed(method, path, json_of(members), key, wait_s)).data(kind)


def error_of(answer: Answer) -> BookError:
    """Return the error of an answer; one that is not the desk's own, as of a gateway, has no code."""
    try:
        found = value_of(answer.body, _Failure)
    except Unreadable:
        return not_the_desks(BookError, answer)
    return BY_CODE.get(found.error.code, BookError)(
        answer.status,
        found.error.code,
        found.error.message,
        fields={one.field: one.message for one in found.error.details},
        request_id=found.metadata.request_id,
        retry_after_s=retry_after_s(answer),
        cursor=found.metadata.cursor,
    )


def _refused(error: _Error) -> BookError:
    """Return the error of one order of a batch. Its status is that of the order alone."""
    kind = BY_CODE.get(error.code, BookError)
    return kind(
        kind.documented_status, error.code, error.message, fields={one.field: one.message for one in error.details}
    )
