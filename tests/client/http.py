"""Connections of the client that end at a desk in this process, and what can go wrong on the way."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any
from urllib.parse import parse_qs, urlsplit

import urllib3
from urllib3.connection import HTTPConnection
from urllib3.exceptions import NewConnectionError, ProtocolError

from chalicelib.apis.kit.http import HttpRequest, HttpResponse

BASE_URL = "http://desk.test"


class Trouble(Enum):
    """What happens to a request."""

    NO_CONNECTION = "it is not sent"
    LOST_BEFORE = "the connection breaks, and the desk did nothing"
    LOST_AFTER = "the connection breaks when the desk has carried it out"
    GATEWAY = "a gateway answers 502 in the desk's place, when the desk has carried it out"


@dataclass(frozen=True)
class Sent:
    """A request that was sent, and its answer; None if none came back."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: Mapping[str, str]
    body: bytes
    status: int | None = None


@dataclass(frozen=True)
class Received:
    """What the client reads of an answer of urllib3's."""

    status: int
    data: bytes
    headers: urllib3.HTTPHeaderDict


Answers = Callable[[HttpRequest], HttpResponse]


class InProcess(urllib3.PoolManager):
    """troubles: of the next requests, in turn; None: nothing goes wrong. An HttpResponse is given as the answer.

    is_newer: whether the desk is of a later version, whose objects have a member more.
    """

    def __init__(self, answer: Answers, troubles: Iterable[Trouble | HttpResponse | None] = ()) -> None:
        super().__init__()
        self._answer = answer
        self.troubles = deque(troubles)
        self.sent: list[Sent] = []
        self.is_newer = False

    def request(self, method: str, url: str, body: Any = None, headers: Any = None, **_options: Any) -> Any:
        parts = urlsplit(url)
        sent = {name.lower(): value for name, value in headers.items()}
        query = parse_qs(parts.query, keep_blank_values=True)
        trouble = self.troubles.popleft() if self.troubles else None
        status = None
        try:
            if trouble is Trouble.NO_CONNECTION:
                raise NewConnectionError(HTTPConnection("desk.test"), "refused")
            if trouble is Trouble.LOST_BEFORE:
                raise ProtocolError("cut off")
            response = trouble if isinstance(trouble, HttpResponse) else None
            response = response or self._answer(HttpRequest(method, None, {}, query, sent, body or b"", parts.path))
            if trouble is Trouble.LOST_AFTER:
                raise ProtocolError("cut off")
            if trouble is Trouble.GATEWAY:
                response = HttpResponse(502, '{"message": "Internal server error"}')
            status = response.status
            text = response.body.replace('{"', '{"newer": "x", "') if self.is_newer else response.body
            return Received(response.status, text.encode(), urllib3.HTTPHeaderDict(response.headers))
        finally:
            self.sent.append(Sent(method, parts.path, query, sent, body or b"", status))
