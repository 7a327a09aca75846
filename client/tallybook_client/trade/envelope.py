"""What all calls of the trade desk share: the signature of a request, errors."""

from __future__ import annotations

import base64
import hmac
import re
import time
from collections.abc import Mapping
from hashlib import sha256

from msgspec import Struct

from tallybook_client.errors import Unreadable
from tallybook_client.trade.errors import BY_CODE, TradeError
from tallybook_client.transport import Answer, Request, not_the_desks, retry_after_s
from tallybook_client.wire import value_of

_FIELD = re.compile(r"Invalid parameters: ([^.]+)\. ?(.*)", re.ASCII | re.DOTALL)


class _Cursor(Struct):
    cursor: str | None = None


class _Failure(Struct):
    error_code: int
    message: str
    data: _Cursor | None = None


def signed_headers(token: str, secret: str, request: Request) -> Mapping[str, str]:
    """Return the headers that sign a request now: HMAC-SHA256 over timestamp, method, path and body (R7)."""
    timestamp = str(time.time_ns() // 1_000_000)
    message = f"{timestamp}{request.method}{request.path}".encode() + request.body
    signature = base64.b64encode(hmac.digest(secret.encode(), message, sha256)).decode()
    return {"Authorization": token, "Timestamp": timestamp, "Signature": signature}


def error_of(answer: Answer) -> TradeError:
    """Return the error of an answer; one that is not the desk's own, as of a gateway, has no code."""
    try:
        found = value_of(answer.body, _Failure)
    except Unreadable:
        return not_the_desks(TradeError, answer)
    faulty = _FIELD.fullmatch(found.message)
    return BY_CODE.get(str(found.error_code), TradeError)(
        answer.status,
        str(found.error_code),
        found.message,
        fields={faulty[1]: faulty[2]} if faulty else {},
        retry_after_s=retry_after_s(answer),
        cursor=found.data.cursor if found.data else None,
    )
