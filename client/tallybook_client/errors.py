"""Errors that calls raise: one base class, and a class for each thing that a caller may do about it.

Each desk has a class for what it answers (``BookError``, ``TradeError`` ...) and a subclass for each of its documented
codes, in ``errors`` of the desk's package.
"""

from __future__ import annotations

from typing import ClassVar


class TallybookError(Exception):
    """Any failure of a call. attempts: how many requests were sent.

    follows_a_lost_one: whether a request before the last one may have been carried out.
    """

    attempts = 1
    follows_a_lost_one = False


class Unreachable(TallybookError):
    """No answer came, and nothing was changed: the request was a read, or it was never sent."""


class TlsFailed(Unreachable):
    """What answers does not speak TLS, or has no valid certificate. Nothing was sent, and a repeat ends alike."""


class Unreadable(TallybookError):
    """An answer is not of the form that this version of the client knows. body: the answer as it came."""

    def __init__(self, message: str, body: bytes) -> None:
        super().__init__(message)
        self.body = body


class OutcomeUnknown(TallybookError):
    """It is not known whether a write was carried out: its answer was lost, or the service says so.

    key: under which it was sent, or None. Repeat the call with it, now or within a day, to get the outcome; it is
    carried out once. Without a key, look before you repeat. ``__cause__``: what happened last.
    """

    def __init__(self, message: str, key: str | None) -> None:
        super().__init__(message)
        self.key = key


class ApiError(TallybookError):
    """A desk answered with an error.

    status: of HTTP. code: of the desk's documented table, "" if the answer has none. message: for people, may change.
    fields: the faulty fields and what is wrong with each. retry_after_s: of the header Retry-After, else None.
    cursor: where to follow on, if the feed's cursor is gone.
    """

    is_pending: ClassVar[bool] = False
    """Whether the request is queued all the same, and a repeat waits for its outcome."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        fields: dict[str, str] | None = None,
        request_id: str | None = None,
        retry_after_s: float | None = None,
        cursor: str | None = None,
    ) -> None:
        super().__init__(f"{status} {code}: {message}" if code else f"{status}: {message}")
        self.status, self.code, self.message = status, code, message
        self.fields = fields or {}
        self.request_id = request_id
        self.retry_after_s = retry_after_s
        self.cursor = cursor

    @property
    def is_refused_for_now(self) -> bool:
        """Whether nothing was done, and the desk says when to ask again."""
        return self.status in (429, 503) and self.retry_after_s is not None and not self.is_pending

    @property
    def retryable(self) -> bool:
        """Whether the same request may succeed later."""
        return self.status == 429 or self.status >= 500
