"""One request over HTTP, repeated where that is safe (T138).

| what happened | reads, and writes under a key | other writes |
| --- | --- | --- |
| no connection: nothing was sent | again | again |
| no TLS, or no valid certificate: nothing was sent | its error | its error |
| 429, or 503 with Retry-After: nothing was done | again, after that time | again, after that time |
| the answer was lost, or is 5xx | again | OutcomeUnknown |

A write under a key whose repeats run out is OutcomeUnknown too if any of its attempts may have been carried out.
"""

from __future__ import annotations

import random
import secrets
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import TypeVar
from urllib.parse import quote, urlencode

import urllib3
from urllib3.connection import HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError

from tallybook_client.errors import ApiError, OutcomeUnknown, TlsFailed, Unreachable
from tallybook_client.wire import data_of

T = TypeVar("T")
E = TypeVar("E", bound=ApiError)
CONNECT_S_MAX = 5
FIRST_PAUSE_S, PAUSE_S_MAX = 0.1, 5.0
_NO_TLS = frozenset(("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"))
"""What OpenSSL, up to 3.1 and since, says of an answer in plain text to the begin of TLS."""
GATE_STATUSES = frozenset((401, 403, 429))
"""Answers that a desk gives before it looks at the key of a write: they tell nothing of an earlier attempt."""


class Repeat(Enum):
    """Which failures of a request are followed by another attempt."""

    ALWAYS = "reads, and writes that are carried out once under their key"
    IF_NOTHING_WAS_DONE = "writes that would be carried out twice"


@dataclass(frozen=True, slots=True)
class Retries:
    """attempts: at most, the first included. within_s: no pause begins that would end later than this after the first.

    ``Retries(attempts=1)`` repeats nothing.
    """

    attempts: int = 5
    within_s: float = 60

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ValueError("attempts: at least 1, which repeats nothing")


@dataclass(frozen=True, slots=True)
class Request:
    """path: from the root, percent-encoded. key: under which a write is carried out once, however often it is sent.

    wait_s: how long the service may wait before it answers (``Prefer: wait``).
    """

    method: str
    path: str
    query: Sequence[tuple[str, str]] = ()
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    repeat: Repeat = Repeat.ALWAYS
    key: str | None = None
    wait_s: int = 0

    @property
    def is_read(self) -> bool:
        return self.method == "GET"


def keyed(method: str, path: str, body: bytes, key: str | None, wait_s: int = 0) -> Request:
    """Return a write under an ``Idempotency-Key``, this one or a new one, so that repeats are carried out once."""
    once = key or secrets.token_urlsafe(18)
    return Request(method, path, (), body, {"Idempotency-Key": once}, key=once, wait_s=wait_s)


@dataclass(frozen=True, slots=True)
class Answer:
    """headers: their names in any case. attempts: how many requests it took."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    attempts: int = 1

    def data(self, kind: type[T]) -> T:
        """Return the member ``data`` of the body. Raises Unreadable."""
        return data_of(self.body, kind)


@dataclass(frozen=True, slots=True)
class Session:
    """Sends requests to one service. Thread-safe.

    base_url: http:// or https:// and a host, without a path or with that of a stage; any other is a ValueError.
    credentials: returns the headers that prove who sends a request, anew for each attempt. error_of: returns the desk's
    error for an answer of 4xx or 5xx. http: connections; a ``urllib3.ProxyManager`` goes through a proxy. answer_s: how
    long an answer may take, apart from ``Prefer: wait``.
    """

    base_url: str
    credentials: Callable[[Request], Mapping[str, str]] = field(repr=False)
    error_of: Callable[[Answer], ApiError]
    http: urllib3.PoolManager = field(default_factory=lambda: urllib3.PoolManager(maxsize=10))
    retries: Retries = Retries()
    answer_s: float = 35
    pause: Callable[[float], None] = time.sleep
    clock_s: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        address_of(self.base_url)
        self.http.pool_classes_by_scheme = self.http.pool_classes_by_scheme | {"https": _TlsPool}

    def send(self, request: Request) -> Answer:
        """Return the answer of 2xx. Raises ApiError, Unreachable, OutcomeUnknown."""
        began_s, may_be_done = self.clock_s(), False
        for attempt in range(1, self.retries.attempts + 1):
            try:
                return self._sent(request, attempt)
            except (ApiError, Unreachable) as error:
                error.attempts, error.follows_a_lost_one = attempt, may_be_done
                failure = error
            may_be_done = may_be_done or _may_be_done(failure)
            pause_s = _pause_s(failure, attempt)
            is_last = attempt == self.retries.attempts or self.clock_s() + pause_s > began_s + self.retries.within_s
            if is_last or not _may_repeat(request, failure):
                break
            self.pause(pause_s)
        if not request.is_read and may_be_done and _tells_nothing(failure):
            what = f"{request.method} {request.path} may have been carried out: {failure}"
            unknown = OutcomeUnknown(what, request.key)
            unknown.attempts = failure.attempts
            raise unknown from failure
        raise failure

    def get(self, path: str, kind: type[T], query: Sequence[tuple[str, str]] = (), wait_s: int = 0) -> T:
        """Read; return the member ``data`` of the answer. Raises as ``send`` does, and Unreadable."""
        return self.send(Request("GET", path, query, wait_s=wait_s)).data(kind)

    def _sent(self, request: Request, attempt: int) -> Answer:
        """Return the answer of one attempt. Raises ApiError, Unreachable; _AnswerLost once a part of it was sent."""
        url = self.base_url.rstrip("/") + request.path + (f"?{urlencode(request.query)}" if request.query else "")
        prefer = {"Prefer": f"wait={request.wait_s}"} if request.wait_s else {}
        content = {"Content-Type": "application/json"} if request.body else {}
        try:
            response = self.http.request(
                request.method,
                url,
                body=request.body or None,
                headers={**content, **prefer, **request.headers, **self.credentials(request)},
                timeout=urllib3.Timeout(connect=CONNECT_S_MAX, read=self.answer_s + request.wait_s),
                retries=False,
                redirect=False,
            )
        except (NewConnectionError, ConnectTimeoutError) as error:
            raise _unreachable(self.base_url, error) from error
        except HTTPError as error:
            raise _AnswerLost(f"{self.base_url} gave no answer: {error}") from error
        answer = Answer(response.status, response.headers, response.data, attempt)
        if not 200 <= answer.status < 300:
            raise self.error_of(answer)
        return answer


class _AnswerLost(Unreachable):
    """A request was sent, or a part of it, and its answer did not come."""


class _NoHandshake(NewConnectionError):
    """A connection was made, but TLS did not begin on it."""


class _TlsConnection(HTTPSConnection):
    """A connection over TLS. If its handshake fails, nothing of a request was sent."""

    def connect(self) -> None:
        try:
            super().connect()
        except OSError as error:
            raise _NoHandshake(self, str(error)) from error


class _TlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


def _unreachable(base_url: str, error: HTTPError) -> Unreachable:
    """Return what a connection that could not be made is to the caller."""
    if not isinstance(error, _NoHandshake):
        return Unreachable(f"{base_url} does not answer: {error}")
    cause = error.__cause__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return TlsFailed(f"{base_url} has no valid certificate: {cause}")
    is_plain = isinstance(cause, ssl.SSLError) and cause.reason in _NO_TLS
    kind = TlsFailed if is_plain else Unreachable
    return kind(f"{base_url} does not begin TLS; is it http:// there? ({cause})")


def _may_be_done(failure: ApiError | Unreachable) -> bool:
    """Return whether the attempt that failed so may have been carried out."""
    if isinstance(failure, ApiError):
        return failure.status >= 500 and not failure.is_refused_for_now
    return isinstance(failure, _AnswerLost)


def _tells_nothing(failure: ApiError | Unreachable) -> bool:
    """Return whether the last attempt left open what became of those before it."""
    if isinstance(failure, ApiError):
        return not failure.is_pending and (failure.status in GATE_STATUSES or failure.status >= 500)
    return True


def _may_repeat(request: Request, failure: ApiError | Unreachable) -> bool:
    if isinstance(failure, TlsFailed) or (isinstance(failure, ApiError) and not failure.retryable):
        return False
    return request.repeat is Repeat.ALWAYS or not _may_be_done(failure)


def _pause_s(failure: ApiError | Unreachable, attempt: int) -> float:
    """Return what the answer asks for; else back off exponentially, with jitter."""
    if isinstance(failure, ApiError) and failure.retry_after_s is not None:
        return failure.retry_after_s
    return min(PAUSE_S_MAX, FIRST_PAUSE_S * 2.0 ** (attempt - 1)) * random.uniform(0.5, 1)


def address_of(text: str) -> str:
    """Return the address of a service as it is. Raises ValueError if no request can be sent there."""
    try:
        url = urllib3.util.parse_url(text)
    except urllib3.exceptions.LocationParseError:
        url = urllib3.util.Url()
    if url.scheme not in ("http", "https") or not url.host:
        raise ValueError(f"must be http:// or https:// and a host, not {text!r}")
    return text


def path_of(template: str, **parameters: str) -> str:
    """Return a path with these parameters percent-encoded.

    >>> path_of("/customers/{ref}/orders", ref="ann/b")
    '/customers/ann%2Fb/orders'
    """
    return template.format_map({name: _segment(value) for name, value in parameters.items()})


def query_of(**parameters: object) -> tuple[tuple[str, str], ...]:
    """Return a query without parameters that are None or empty. Times are ISO 8601; ``from_`` is sent as ``from``.

    >>> query_of(status=["open", "canceled"], ids=[], limit=None, from_=7)
    (('status', 'open,canceled'), ('from', '7'))
    """
    given = {name: value for name, value in parameters.items() if value not in (None, "", [], ())}
    return tuple((name.rstrip("_"), _text(value)) for name, value in given.items())


def _segment(text: str) -> str:
    """Return a text as one segment of a path; one of dots alone would be resolved on the way (RFC 3986, 5.2.4).

    An empty one is a ValueError: it would be the path of the list above it.
    """
    if not text:
        raise ValueError("an id in a path is empty")
    return text.replace(".", "%2E") if text in (".", "..") else quote(text, safe="")


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return ",".join(map(_text, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def not_the_desks(kind: type[E], answer: Answer) -> E:
    """Return the error of an answer that is not of the desk's form, as of a gateway. It has no code."""
    text = answer.body[:200].decode(errors="replace")
    return kind(answer.status, "", text, retry_after_s=retry_after_s(answer))


def retry_after_s(answer: Answer) -> float | None:
    """Return the seconds of the header Retry-After; None without one, or for a date."""
    text = answer.headers.get("Retry-After", "")
    return float(text) if text.isascii() and text.isdigit() else None
