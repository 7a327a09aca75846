"""What all calls of the taker desk share: the signature of a taker's request, errors."""

from __future__ import annotations

import base64
import hmac
import time
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from operator import attrgetter
from typing import Any, TypeVar
from urllib.parse import urlencode

from msgspec import Struct

from tallybook_client.errors import Unreadable
from tallybook_client.paging import by_page
from tallybook_client.taker.errors import BY_CODE, TakerError
from tallybook_client.transport import Answer, Request, Session, not_the_desks, query_of, retry_after_s
from tallybook_client.wire import Members, member_of, value_of

Row = TypeVar("Row")
MOUNT = "/api/v1"
PAGE_SIZE_MAX = 100


class _Failure(Struct):
    code: int
    message: str
    details: str | dict[str, Any] = ""


def takers_headers(api_key: str, secret: str | None, request: Request) -> Mapping[str, str]:
    """Return the headers of a taker's request; with a secret, it is signed now (K4)."""
    if secret is None:
        return {"X-API-Key": api_key}
    timestamp = str(time.time_ns() // 1_000_000)
    content = urlencode(request.query).encode() if request.is_read else request.body
    message = f"{request.method}|{request.path}|{timestamp}|".encode() + content
    signature = base64.b64encode(hmac.digest(secret.encode(), message, sha256)).decode()
    return {"X-API-Key": api_key, "X-API-Timestamp": timestamp, "X-API-Signature": signature}


def error_of(answer: Answer) -> TakerError:
    """Return the error of an answer; one that is not the desk's own, as of a gateway, has no code.

    ``fields`` are its details (K51).
    """
    try:
        found = value_of(answer.body, _Failure)
    except Unreadable:
        return not_the_desks(TakerError, answer)
    details = found.details if isinstance(found.details, dict) else _in_text(found.details)
    fields = {name: str(value) for name, value in details.items()}
    return BY_CODE.get(str(found.code), TakerError)(
        answer.status,
        str(found.code),
        found.message,
        fields=fields,
        request_id=answer.headers.get("X-REQUEST-ID"),
        retry_after_s=retry_after_s(answer),
        cursor=fields.get("cursor"),
    )


def rows_of(
    session: Session,
    path: str,
    asked: Mapping[str, Any],
    name: str,
    kind: type[list[Row]],
    key: Sequence[str],
    limit: int | None,
) -> Iterator[Row]:
    """Yield the rows of a list. A page may be short, so its answer says whether it is the last one (K43).

    key: the members that tell a row from all others.
    """

    def page(number: int, size: int) -> tuple[list[Row], bool]:
        query = query_of(**asked, page=number, page_size=size)
        answer = session.get(MOUNT + path, Members, query)
        return member_of(answer, name, kind), number >= member_of(answer, "total_pages", int)

    return by_page(page, attrgetter(*key), PAGE_SIZE_MAX, limit)


def _in_text(details: str) -> dict[str, str]:
    parts = (part.partition(": ") for part in details.split("; ") if part)
    return {name: value for name, _, value in parts}
