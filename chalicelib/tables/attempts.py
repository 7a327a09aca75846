"""Attempts: what each answer of DynamoDB means for a write, whichever attempt at it was answered so (T60).

The SDK tries a call several times and shows the last answer alone; an earlier attempt may have been carried out and its
answer lost. So each attempt is noted as the SDK makes it (``noted``), and a write is judged by all of them. What an
answer means by itself is said here, in one table for writes, transactions and the single statements of a batch; what it
means after an attempt that may have been carried out follows from the meanings (docs/guarantees.md, "Unknown
outcomes").
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from enum import Enum, auto
from typing import Any

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

FAILURES = (ClientError, BotoCoreError, ResponseParserError)
"""What a call of the SDK raises."""
SERVER_FAULT, REDIRECTION = 500, 300
"""The first HTTP status of faults of the server, and the first that is no success."""


class Meaning(Enum):
    """What the answer to one attempt says of the write."""

    DONE = auto()
    """It is carried out."""
    REFUSED = auto()
    """A condition does not hold: this attempt changed nothing."""
    BUSY = auto()
    """A transaction has one of its rows at this moment: this attempt changed nothing, another may do better."""
    NOT_TAKEN = auto()
    """Throttled, or not sent: this attempt changed nothing."""
    PERHAPS_DONE = auto()
    """No answer, none that can be read, or a fault of the server: this attempt may have been carried out."""
    FAULTY = auto()
    """Never taken as it is: a bug, or a missing table or permission. This attempt changed nothing."""


MEANINGS: dict[str, Meaning] = {
    "ConditionalCheckFailedException": Meaning.REFUSED,
    "TransactionConflictException": Meaning.BUSY,
    "ReplicatedWriteConflictException": Meaning.BUSY,
    "ProvisionedThroughputExceededException": Meaning.NOT_TAKEN,
    "RequestLimitExceeded": Meaning.NOT_TAKEN,
    "ThrottlingException": Meaning.NOT_TAKEN,
    "TransactionInProgressException": Meaning.PERHAPS_DONE,  # an earlier attempt at it, that may end well
    "InternalServerError": Meaning.PERHAPS_DONE,
    "ServiceUnavailable": Meaning.PERHAPS_DONE,
    "RequestTimeout": Meaning.PERHAPS_DONE,
    "RequestTimeoutException": Meaning.PERHAPS_DONE,
    "PriorRequestNotComplete": Meaning.PERHAPS_DONE,
}
"""By the error's code; a code that is not here is FAULTY, with a status of 500 or above PERHAPS_DONE."""

REASONS: dict[str, Meaning] = {
    "ConditionalCheckFailed": Meaning.REFUSED,
    "DuplicateItem": Meaning.REFUSED,
    "TransactionConflict": Meaning.BUSY,
    "ThrottlingError": Meaning.BUSY,  # the SDK does not try these again by itself
    "ProvisionedThroughputExceeded": Meaning.BUSY,
    "RequestLimitExceeded": Meaning.BUSY,
    "InternalServerError": Meaning.PERHAPS_DONE,
}
"""By the code of one part: why a transaction was cancelled, or what became of one statement of a batch. Others are
FAULTY. Of a cancelled transaction nothing is done, whatever the reason."""

NOT_SENT = (
    EndpointConnectionError,
    ConnectTimeoutError,
    NoCredentialsError,
    PartialCredentialsError,
    CredentialRetrievalError,
)
"""Failures before a byte of the request is sent."""

_noted: ContextVar[list[Meaning] | None] = ContextVar("attempts of the call that is being made", default=None)


def meaning_of(error: Exception) -> Meaning:
    """Return what the failure (one of FAILURES) of a call's last attempt means by itself."""
    if isinstance(error, ClientError):
        return _meaning_of_answer(error.response)
    if isinstance(error, ParamValidationError):
        return Meaning.FAULTY
    return Meaning.NOT_TAKEN if isinstance(error, NOT_SENT) else Meaning.PERHAPS_DONE


def listen(client: Any) -> None:
    """Have the attempts of a client's calls noted; a client that is not the SDK's makes one attempt a call."""
    events = getattr(getattr(client, "meta", None), "events", None)
    if events is not None:
        events.register("response-received.dynamodb", _note, unique_id="tallybook-attempts")


@contextmanager
def noted() -> Iterator[list[Meaning]]:
    """Note what becomes of each attempt of the one call that is made meanwhile, the last one too."""
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
    """Tell whether an answer came as it was sent. The SDK takes one that is no JSON for one that says nothing."""
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
    is_unreadable = not code or code.isdigit()  # the SDK's word for an error without a code
    is_server_fault = answer["ResponseMetadata"]["HTTPStatusCode"] >= SERVER_FAULT
    return Meaning.PERHAPS_DONE if is_unreadable or is_server_fault else Meaning.FAULTY


def _meaning_of_reasons(codes: list[str | None]) -> Meaning:
    """Return what a cancelled transaction means: a condition that fails decides, then a part that was busy."""
    meanings = {REASONS.get(code or "") for code in codes}
    if Meaning.REFUSED in meanings:
        return Meaning.REFUSED
    return Meaning.BUSY if Meaning.BUSY in meanings else Meaning.FAULTY
