"""One HTTP request of a webhook: to a public address only, bounded in time, and of the answer nothing but its head.

The name is resolved once, every address that it has is checked, and the connection goes to one of these addresses, with
the name for TLS and ``Host``. So a name cannot mean another address for the check than for the connection (DNS
rebinding). Redirects are not followed: they are answers that are no success.
"""

from __future__ import annotations

import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from http.client import HTTPException, HTTPResponse, parse_headers

from botocore.httpsession import get_cert_path
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, NewConnectionError
from urllib3.exceptions import TimeoutError as UrllibTimeout
from urllib3.util.ssl_match_hostname import CertificateError

from chalicelib.domain.webhooks.addresses import AddressRefused, Target, may_connect, target_of

TIMEOUT_S = 10.0
"""For a whole attempt, from the look-up of the name to the head of the answer. A look-up is not interrupted; nothing is
connected to after one that took longer.
"""
ADDRESSES_MAX = 2
"""Addresses of a name that an attempt tries to connect to."""
SWITCHED, OK, GONE, TOO_MANY, UNAVAILABLE = 101, 200, 410, 429, 503
RETRY_AFTER_CHARACTERS_MAX = 40
USER_AGENT = "Tallybook-Webhooks"

logging.getLogger("urllib3.connection").setLevel(logging.ERROR)  # it warns, with a traceback, of each malformed head

Resolve = Callable[[str, int], list[str]]
"""Returns the IP addresses of a name, in the order in which to try them. Raises OSError."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What an attempt came to. status: of the HTTP answer; None if there was none. said: in a few words.

    retry_after_s: the pause that the receiver asks for.
    """

    status: int | None
    said: str
    retry_after_s: int | None = None

    @property
    def is_success(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    @property
    def is_gone(self) -> bool:
        return self.status == GONE


Send = Callable[[str, Mapping[str, str], bytes], Answer]
"""Posts a body with headers to a URL. Never raises for what the URL or its receiver do."""


def resolved(name: str, port: int) -> list[str]:
    """Resolve a name by the system's resolver."""
    found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Sender:
    """Posts webhooks. now_s: Unix seconds, for a ``Retry-After`` with a date.

    allows_local: http and loopback addresses are allowed: for a run on the developer's machine. ca_certs: file of
    trusted authorities.
    """

    def __init__(
        self,
        now_s: Callable[[], int],
        *,
        allows_local: bool = False,
        resolve: Resolve = resolved,
        timeout_s: float = TIMEOUT_S,
        ca_certs: str | None = None,
    ) -> None:
        self._now_s = now_s
        self._allows_local = allows_local
        self._resolve = resolve
        self._timeout_s = timeout_s
        self._ca_certs = ca_certs

    def __call__(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        deadline = _Deadline(self._timeout_s)
        try:
            with deadline:
                target = target_of(url, allows_local=self._allows_local)
                answer = self._post(target, self._addresses(target), headers, body, deadline)
            return Answer(None, "timeout") if deadline.is_over else answer
        except Exception as error:
            has_timed_out = isinstance(error, TimeoutError | UrllibTimeout) and not isinstance(
                error, NewConnectionError
            )
            if deadline.is_over or has_timed_out:
                return Answer(None, "timeout")
            if isinstance(error, AddressRefused):
                return Answer(None, str(error))
            if isinstance(error, ssl.SSLError | CertificateError):
                return Answer(None, "TLS failed")
            if isinstance(error, OSError | HTTPError | HTTPException):
                return Answer(None, "connection failed")
            raise

    def _addresses(self, target: Target) -> list[str]:
        """Return the addresses of a host. Raises AddressRefused if any of them may not be connected to."""
        try:
            addresses = self._resolve(target.host, target.port)
        except (OSError, UnicodeError) as error:
            raise AddressRefused("the name has no address") from error
        if not addresses or not all(may_connect(one, allows_local=self._allows_local) for one in addresses):
            raise AddressRefused("not a public address")
        return addresses[:ADDRESSES_MAX]

    def _post(
        self, target: Target, addresses: Sequence[str], headers: Mapping[str, str], body: bytes, deadline: _Deadline
    ) -> Answer:
        connection = self._connected(target, addresses, deadline)
        try:
            sent = {**headers, "Host": target.host_header, "User-Agent": USER_AGENT, "Content-Type": "application/json"}
            connection.request("POST", target.path, body=body, headers=sent, preload_content=False)
            answer = connection.getresponse()
            asked = retry_after_s(answer.headers.get("Retry-After", ""), self._now_s())
            return Answer(
                answer.status, str(answer.status), asked if answer.status in (TOO_MANY, UNAVAILABLE) else None
            )
        finally:
            connection.close()

    def _connected(self, target: Target, addresses: Sequence[str], deadline: _Deadline) -> HTTPConnection:
        """Return a connection to the first address that takes one. The time that is left is shared by those to try."""
        for left, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
            connection = self._connection(target, address, deadline.left_s() / left)
            connection.response_class = _FinalResponse
            deadline.connection = connection
            try:
                connection.connect()
                connection.timeout = deadline.left_s()  # for the answer; there may be none left
            except Exception:
                connection.close()
                if left == 1 or deadline.is_over:
                    raise
            else:
                return connection
        raise AddressRefused("the name has no address")

    def _connection(self, target: Target, address: str, timeout_s: float) -> HTTPConnection:
        if not target.is_secure:
            return HTTPConnection(address, target.port, timeout=timeout_s)
        return HTTPSConnection(
            address,
            target.port,
            timeout=timeout_s,
            cert_reqs="CERT_REQUIRED",
            ca_certs=self._ca_certs or get_cert_path(True),
            server_hostname=target.host,
            assert_hostname=target.host,
        )


class _FinalResponse(HTTPResponse):
    """Passes over every interim answer, such as 103 (RFC 9110, section 15.2); http.client does so with 100 alone."""

    def _read_status(self) -> tuple[str, int, str]:
        while True:
            found: tuple[str, int, str] = super()._read_status()  # type: ignore[misc]
            if not SWITCHED < found[1] < OK:
                return found
            parse_headers(self.fp)


class _Deadline:
    """Shuts the connection down when an attempt's time is over: a receiver that sends one byte at a time ends too.

    A connection that is being made has no socket yet: whoever makes it asks what time is left before and after.
    """

    def __init__(self, seconds: float) -> None:
        self._ends_s = time.monotonic() + seconds
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True
        self.connection: HTTPConnection | None = None
        self.is_over = False

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *_error: object) -> None:
        self._timer.cancel()

    def left_s(self) -> float:
        """Return how many seconds are left. Raises TimeoutError if none are."""
        left_s = self._ends_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        return left_s

    def _end(self) -> None:
        self.is_over = True
        sock = None if self.connection is None else self.connection.sock
        if sock is not None:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)


def retry_after_s(text: str, now_s: int) -> int | None:
    """Return the seconds that a ``Retry-After`` asks for, as a number or a date; None if it is neither.

    A date without a zone is of UTC (RFC 9110, section 5.6.7).
    """
    if len(text) > RETRY_AFTER_CHARACTERS_MAX:
        return None
    if text.isascii() and text.isdigit():
        return int(text)
    try:
        at = parsedate_to_datetime(text)
        return max(0, int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()) - now_s)
    except (ValueError, TypeError, OverflowError):
        return None
