"""Attempts at a write (T60): what each answer of DynamoDB means, how often a write is tried, and the pauses in between.

**Answers.** The SDK retries a call and reports only the last answer; an earlier attempt may have been carried out and
its answer lost. So every attempt of the SDK is recorded (``recorded_attempts``), and a write is judged by all of them.
One table says what an answer means by itself, for writes, transactions and the statements of a batch. What it means
after an attempt that may have been carried out follows from these meanings (docs/guarantees.md, "Unknown outcomes").

**Tries.** A command that lost a race is decided anew and tried again, a bounded number of times, with exponential
backoff and full jitter (``tries``): ``until_written``. A command that can find out afterwards whether it was done is
also tried again after a lost answer: ``until_known``.
"""

from __future__ import annotations

import json
import random
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from enum import Enum, auto
from typing import Any, TypeVar

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
)
from botocore.parsers import ResponseParserError

from chalicelib.support.outcomes import OutcomeUnknown, Unavailable

T = TypeVar("T")
Pause = Callable[[float], object]
"""Sleeps for a number of seconds."""
PAUSE_FIRST_S, PAUSE_MAX_S = 0.02, 1.0
"""The longest pause before the second try, and before any later one."""

FAILURES = (ClientError, BotoCoreError, ResponseParserError)
"""Exceptions that a call of the SDK raises."""
SERVER_FAULT, REDIRECTION = 500, 300
"""The lowest HTTP status of server errors, and the lowest that is no success."""


class Meaning(Enum):
    """What the answer to one attempt says about the write."""

    DONE = auto()
    """The write is done."""
    REFUSED = auto()
    """A condition failed: this attempt changed nothing."""
    BUSY = auto()
    """Conflict with a running transaction: this attempt changed nothing, a retry may succeed."""
    NOT_TAKEN = auto()
    """Throttled or not sent: this attempt changed nothing."""
    PERHAPS_DONE = auto()
    """No answer, an unreadable one, or a server error: this attempt may have been carried out."""
    FAULTY = auto()
    """Invalid: a bug, or a missing table or permission. This attempt changed nothing."""


MEANINGS: dict[str, Meaning] = {
    "ConditionalCheckFailedException": Meaning.REFUSED,
    "TransactionConflictException": Meaning.BUSY,
    "ReplicatedWriteConflictException": Meaning.BUSY,
    "ProvisionedThroughputExceededException": Meaning.NOT_TAKEN,
    "RequestLimitExceeded": Meaning.NOT_TAKEN,
    "ThrottlingException": Meaning.NOT_TAKEN,
    "TransactionInProgressException": Meaning.PERHAPS_DONE,  # an earlier attempt is running and may succeed
    "InternalServerError": Meaning.PERHAPS_DONE,
    "ServiceUnavailable": Meaning.PERHAPS_DONE,
    "RequestTimeout": Meaning.PERHAPS_DONE,
    "RequestTimeoutException": Meaning.PERHAPS_DONE,
    "PriorRequestNotComplete": Meaning.PERHAPS_DONE,
}
"""By error code. Other codes are FAULTY, or with a status of 500 or above PERHAPS_DONE."""

REASONS: dict[str, Meaning] = {
    "ConditionalCheckFailed": Meaning.REFUSED,
    "DuplicateItem": Meaning.REFUSED,
    "TransactionConflict": Meaning.BUSY,
    "ThrottlingError": Meaning.BUSY,  # the SDK does not retry these
    "ProvisionedThroughputExceeded": Meaning.BUSY,
    "RequestLimitExceeded": Meaning.BUSY,
    "InternalServerError": Meaning.PERHAPS_DONE,
}
"""By the code of one part: a transaction's cancellation reason, or the error of one statement of a batch. Others are
FAULTY. A cancelled transaction changed nothing, whatever the reason."""

NOT_SENT = (
    EndpointConnectionError,
    ConnectTimeoutError,
    NoCredentialsError,
    PartialCredentialsError,
    CredentialRetrievalError,
)
"""Failures before any byte of the request is sent."""

_noted: ContextVar[list[Meaning] | None] = ContextVar("attempts of the call that is being made", default=None)


def meaning_of(error: Exception) -> Meaning:
    """Return what the failure (one of FAILURES) of a call's last attempt means by itself."""
    if isinstance(error, ClientError):
        return _meaning_of_answer(error.response)
    if isinstance(error, ParamValidationError):
        return Meaning.FAULTY
    return Meaning.NOT_TAKEN if isinstance(error, NOT_SENT) else Meaning.PERHAPS_DONE


def record_attempts(client: Any) -> None:
    """Record the attempts of a client's calls. A client that is not the SDK's makes one attempt for each call."""
    events = getattr(getattr(client, "meta", None), "events", None)
    if events is not None:
        events.register("response-received.dynamodb", _note, unique_id="tallybook-attempts")


@contextmanager
def recorded_attempts() -> Iterator[list[Meaning]]:
    """Record the meaning of each attempt of the one call made inside this context."""
    attempts: list[Meaning] = []
    token = _noted.set(attempts)
    try:
        yield attempts
    finally:
        _noted.reset(token)


def _note(
    parsed_response: Mapping[str, Any] | None = None,
    response_dict: Mapping[str, Any] | None = None,
    exception: Exception | None = None,
    **_rest: Any,
) -> None:
    attempts = _noted.get()
    if attempts is None:
        return
    if exception is not None or parsed_response is None or response_dict is None:
        attempts.append(Meaning.PERHAPS_DONE if exception is None else meaning_of(exception))
    elif not _is_whole(response_dict["headers"], response_dict["body"], parsed_response):
        attempts.append(Meaning.PERHAPS_DONE)
    elif response_dict["status_code"] < REDIRECTION:
        attempts.append(Meaning.DONE)
    else:
        attempts.append(_meaning_of_answer(parsed_response))


def _is_whole(headers: Mapping[str, str], body: bytes, parsed: Mapping[str, Any]) -> bool:
    """Return whether an answer arrived complete. The SDK parses an answer that is no JSON as an empty one."""
    checksum = headers.get("x-amz-crc32")
    if checksum is not None and checksum != str(zlib.crc32(body)):
        return False
    if parsed.keys() - {"ResponseMetadata", "Error", "message", "Message"} or body in (b"", b"{}"):
        return body != b"" or "Error" in parsed
    try:
        return isinstance(json.loads(body), dict)
    except ValueError:
        return False


def _meaning_of_answer(answer: Mapping[str, Any]) -> Meaning:
    code = answer["Error"]["Code"]
    if code == "TransactionCanceledException":
        return _meaning_of_reasons([reason.get("Code") for reason in answer.get("CancellationReasons", [])])
    if code in MEANINGS:
        return MEANINGS[code]
    is_unreadable = not code or code.isdigit()  # the SDK's placeholder for a missing code
    is_server_fault = answer["ResponseMetadata"]["HTTPStatusCode"] >= SERVER_FAULT
    return Meaning.PERHAPS_DONE if is_unreadable or is_server_fault else Meaning.FAULTY


def _meaning_of_reasons(codes: list[str | None]) -> Meaning:
    """Return what a cancelled transaction means: a failed condition decides, then a conflict or throttling."""
    meanings = {REASONS.get(code or "") for code in codes}
    if Meaning.REFUSED in meanings:
        return Meaning.REFUSED
    return Meaning.BUSY if Meaning.BUSY in meanings else Meaning.FAULTY


class Attempts:
    """The attempts at one call so far. may_be_done: whether any of them may have been carried out."""

    def __init__(self, may_be_done: bool = False) -> None:
        self.may_be_done = may_be_done
        self.meaning = Meaning.NOT_TAKEN
        self.failure: Exception | None = None

    def call(self, operation: Callable[[], Any]) -> Any:
        """Call the client. Return its answer, or None if it failed; ``meaning`` then says how."""
        answer: Any = None
        self.failure = None
        with recorded_attempts() as attempts:
            try:
                answer = operation()
                self.meaning = attempts[-1] if attempts else Meaning.DONE
            except FAILURES as error:
                self.failure, self.meaning = error, meaning_of(error)
        self.may_be_done |= Meaning.PERHAPS_DONE in (*attempts, self.meaning) or self._tries_untold > len(attempts)
        return answer if self.meaning is Meaning.DONE else None

    @property
    def _tries_untold(self) -> int:
        """Return how many earlier attempts the SDK reports beyond those that were recorded one by one."""
        answer: Any = getattr(self.failure, "response", {})
        return int(answer.get("ResponseMetadata", {}).get("RetryAttempts", 0))

    @property
    def refusal(self) -> Any:
        """The error that refused the last attempt."""
        return getattr(self.failure, "response", {})

    def outcome(self) -> Exception:
        """Return the exception for a write that was neither done nor refused."""
        if self.may_be_done:
            return OutcomeUnknown(str(self.failure or "the answer cannot be read"))
        if self.failure is not None and self.meaning is Meaning.FAULTY:
            return self.failure
        return Unavailable(str(self.failure or "not all of a batch is taken"))


def read_call(operation: Callable[[], T]) -> T:
    """Make a read call. Raises Unavailable, or the SDK's error for a bug or a missing table or permission."""
    attempts = Attempts()
    answer: T = attempts.call(operation)
    if attempts.meaning is Meaning.DONE:
        return answer
    if attempts.failure is not None and attempts.meaning is Meaning.FAULTY:
        raise attempts.failure
    raise Unavailable(str(attempts.failure or "the answer cannot be read")) from attempts.failure


class Contended(Exception):
    """A concurrent command was first: this try changed nothing, and another may succeed.

    meaning: the error that the last try ends with, if it has a more specific one.
    """

    def __init__(self, meaning: Exception | None = None) -> None:
        super().__init__("something is not as it was read")
        self.meaning = meaning


def at_once(_seconds: float) -> None:
    """No pause: for tries after a refusal that itself says how to succeed."""


def tries(times: int, pause: Pause, pause_max_s: float = PAUSE_MAX_S) -> Iterator[int]:
    """Yield the number of each try, from 0, with a random pause in between whose bound doubles up to a maximum."""
    yield 0
    for number in range(1, times):
        pause(random.uniform(0, min(pause_max_s, PAUSE_FIRST_S * 2 ** (number - 1))))
        yield number


def until_written(once: Callable[[], T], times: int, pause: Pause, given_up: Exception) -> T:
    """Return the result of ``once``, retried while it raises Contended.

    After the last try raises the Contended's ``meaning``, otherwise ``given_up``: nothing is changed then.
    """
    contended = Contended()
    for _ in tries(times, pause):
        try:
            return once()
        except Contended as error:
            contended = error
    raise contended.meaning or given_up from contended


def until_known(
    once: Callable[[bool], T],
    times: int,
    pause: Pause,
    given_up: Exception,
    cannot_tell: type[Exception] = Unavailable,
) -> T:
    """Return the result of ``once``, retried while it raises Contended, or OutcomeUnknown because an answer was lost.

    once: receives whether an earlier try may have been carried out; if so, it checks first and returns that try's
    result. cannot_tell: the error that it raises if it could not check, or if the check does not tell. Raises as
    ``until_written``, but OutcomeUnknown once an answer was lost and no check has told its outcome.
    """
    lost: OutcomeUnknown | None = None

    def once_more() -> T:
        nonlocal lost
        try:
            return once(lost is not None)
        except OutcomeUnknown as error:
            lost = error
            raise Contended(lost) from error
        except Contended as error:
            raise Contended(lost or error.meaning) from error
        except cannot_tell as error:
            if lost is None:
                raise
            raise lost from error

    return until_written(once_more, times, pause, given_up)
