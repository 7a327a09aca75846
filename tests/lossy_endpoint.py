"""Faults beneath the SDK's retries: an endpoint in front of the tables in memory that does what is asked and loses it.

A real client of boto3 makes its calls, signs, tries again and gives up as it does on AWS; only the HTTP requests go no
further than here. Each request is one attempt. At one of them the fault begins: the attempt is carried out, and neither
it nor the attempts that the SDK makes after it, at the same call, are answered as they should be.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import Any
from unittest import mock

import boto3
from boto3.dynamodb.types import Binary
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from tests.faults import parts_of, response
from tests.memory import MemoryDynamoDB
from tests.recording import nobody

URL = "http://dynamodb.test"
ATTEMPTS_MAX = 4
"""As ``wiring`` sets it."""
WRITES = ("PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems", "BatchWriteItem", "BatchExecuteStatement")

Answer = Callable[[str, bytes], AWSResponse]
"""Answers an attempt at an operation with this body, or raises what a connection that fails does."""


def error(status: int, code: str, **more: Any) -> Answer:
    return lambda _operation, _body: http_response(
        status, {"__type": f"com.amazonaws.dynamodb.v20120810#{code}"} | more
    )


def no_answer(_operation: str, _body: bytes) -> AWSResponse:
    raise ReadTimeoutError(endpoint_url=URL)


def cut_off(_operation: str, _body: bytes) -> AWSResponse:
    """The connection is closed in the middle of the answer."""
    raise ConnectionClosedError(endpoint_url=URL)


def half_an_answer(_operation: str, _body: bytes) -> AWSResponse:
    """What there is of the answer looks whole to HTTP, as behind a proxy that gives it a new length."""
    return http_response(200, b'{"Attributes": {"request')


def each_statement(code: str) -> Answer:
    """Return an answer to a batch of statements, each of which is refused with this code; other writes get a 500."""

    def answer(operation: str, body: bytes) -> AWSResponse:
        if operation != "BatchExecuteStatement":
            return failed(operation, body)
        return http_response(200, {"Responses": [response(code) for _ in json.loads(body)["Statements"]]})

    return answer


def conflict(operation: str, body: bytes) -> AWSResponse:
    if operation == "BatchExecuteStatement":
        return each_statement("TransactionConflict")(operation, body)
    if operation == "TransactWriteItems":
        reasons = [{"Code": "TransactionConflict"}]
        return error(400, "TransactionCanceledException", CancellationReasons=reasons)(operation, body)
    code = "ThrottlingException" if operation == "BatchWriteItem" else "TransactionConflictException"
    return error(400, code)(operation, body)


throttled = error(400, "ThrottlingException")
failed = error(500, "InternalServerError")
in_progress = error(400, "TransactionInProgressException")


@dataclass(frozen=True)
class Loss:
    """first: how the attempt is answered that was carried out; then: how those after it are, None: as they should be.

    calls: how many more attempts are answered as ``then`` says.
    """

    first: Answer
    then: Answer | None = None
    calls: int = 100


LOSSES = {
    "applied, then 500": Loss(failed, failed),
    "applied, then throttled": Loss(failed, throttled),
    "applied, then out of capacity": Loss(no_answer, error(400, "ProvisionedThroughputExceededException")),
    "applied, then over the limit": Loss(cut_off, error(400, "RequestLimitExceeded")),
    "applied, then conflict": Loss(failed, conflict),
    "applied, then a conflict that passes": Loss(no_answer, conflict, 2),
    "applied, then in progress": Loss(cut_off, in_progress),
    "in progress at once": Loss(in_progress, in_progress),
    "applied, answer cut in the middle": Loss(cut_off),
    "applied, answer cut in the middle each time": Loss(cut_off, cut_off),
    "applied, answer made shorter": Loss(half_an_answer, half_an_answer),
    "applied, once without an answer": Loss(no_answer),
    "throttled, never applied": Loss(throttled, throttled),
}
"""In the last one alone nothing is carried out."""
NEVER_APPLIED = "throttled, never applied"
BATCH_LOSSES = LOSSES | {
    f"applied, then {code}": Loss(cut_off, each_statement(code)) for code in ("ThrottlingError", "InternalServerError")
}
"""What may be lost of a batch of statements."""


@dataclass
class Endpoint:
    """An endpoint that loses one write.

    at: the write at which the loss begins, 1 is the first; 0: never. reads_fail_after: once the loss has begun, reads
    are throttled, so that nothing can be looked up. part: the part of a batch of statements that is carried out
    (``parts_of``), None: all of it. parts: how many there are, if the loss began at a batch.
    """

    tables: MemoryDynamoDB
    loss: Loss
    at: int = 0
    reads_fail_after: bool = False
    part: int | None = None
    parts: int = field(default=0, init=False)
    writes: int = field(default=0, init=False)
    lost: int = field(default=0, init=False)
    _body: bytes = field(default=b"", init=False)

    @property
    def has_struck(self) -> bool:
        return self.lost > 0

    @property
    def lost_ids(self) -> bool:
        """Whether the write that was struck took ids from a counter: they are skipped, nothing else comes of it."""
        return b"counter/" in self._body

    def answer(self, request: Any, **_rest: Any) -> AWSResponse:
        """Answer an attempt; the hook of the SDK's event ``before-send``."""
        operation = request.headers["X-Amz-Target"].decode().partition(".")[2]
        is_again = bool(self.lost) and request.body == self._body
        if operation not in WRITES:
            if self.has_struck and self.reads_fail_after:
                return throttled(operation, request.body)
            return self._carried_out(operation, request.body)
        if is_again:
            if self.loss.then is None or self.lost > self.loss.calls:
                return self._carried_out(operation, request.body)
            self.lost += 1
            return self.loss.then(operation, request.body)
        self.writes += 1
        if self.writes != self.at:
            return self._carried_out(operation, request.body)
        self._body, self.lost = request.body, 1
        if self.loss is not LOSSES[NEVER_APPLIED]:
            self._carried_out_in_part(operation, request.body)
        return self.loss.first(operation, request.body)

    def _carried_out_in_part(self, operation: str, body: bytes) -> None:
        if operation != "BatchExecuteStatement":
            self._carried_out(operation, body)
            return
        statements = json.loads(body)["Statements"]
        parts = parts_of(len(statements))
        self.parts = len(parts)
        part = range(len(statements)) if self.part is None else sorted(parts[self.part])
        if part:
            self._carried_out(operation, json.dumps({"Statements": [statements[one] for one in part]}).encode())

    def _carried_out(self, operation: str, body: bytes) -> AWSResponse:
        method = getattr(self.tables, re.sub(r"(?<!^)(?=[A-Z])", "_", operation).lower())
        try:
            answer = nobody(method)(**from_wire(json.loads(body)))
        except ClientError as refused:
            told = {
                name: value for name, value in refused.response.items() if name not in ("Error", "ResponseMetadata")
            }
            return error(400, refused.response["Error"]["Code"], **told)(operation, body)
        return http_response(200, {name: value for name, value in answer.items() if name != "ResponseMetadata"})


def without_metadata(answer: Any) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name not in ("Error", "ResponseMetadata")}


def http_response(status: int, body: Any) -> AWSResponse:
    content = body if isinstance(body, bytes) else json.dumps(to_wire(body)).encode()
    response = AWSResponse(URL, status, {"content-type": "application/x-amz-json-1.0"}, BytesIO(content))
    response._content = content
    return response


def to_wire(value: Any) -> Any:
    """Return an answer of the client as JSON has it: binaries in base64."""
    from base64 import b64encode

    if isinstance(value, dict):
        return {name: to_wire(member) for name, member in value.items()}
    if isinstance(value, list):
        return [to_wire(member) for member in value]
    return b64encode(bytes(value)).decode() if isinstance(value, bytes | bytearray | Binary) else value


def from_wire(value: Any) -> Any:
    from base64 import b64decode

    if isinstance(value, dict):
        if value.keys() == {"B"} and isinstance(value["B"], str):
            return {"B": b64decode(value["B"])}
        return {name: from_wire(member) for name, member in value.items()}
    return [from_wire(member) for member in value] if isinstance(value, list) else value


class Lossy:
    """A client of boto3 whose requests an endpoint answers; which one is changed from case to case."""

    def __init__(self) -> None:
        config = Config(retries={"total_max_attempts": ATTEMPTS_MAX, "mode": "standard"})
        self.client: Any = boto3.client("dynamodb", endpoint_url=URL, region_name="us-east-1", config=config)
        self._endpoint: Endpoint | None = None
        self.client.meta.events.register("before-send.dynamodb", self._answer)

    def _answer(self, request: Any, **_rest: Any) -> AWSResponse:
        assert self._endpoint is not None
        return self._endpoint.answer(request)

    @contextmanager
    def over(self, endpoint: Endpoint) -> Iterator[Any]:
        """Give the client over this endpoint, that does not wait between its attempts."""
        self._endpoint = endpoint
        with mock.patch("botocore.endpoint.time.sleep"), mock.patch(QUOTA, return_value=True):
            yield self.client


QUOTA = "botocore.retries.quota.RetryQuota.acquire"
"""What keeps a client from trying again and again, over all its calls: here one client makes thousands that fail."""


class CuttingServer(ThreadingHTTPServer):
    """An endpoint behind real sockets, at ``url``: it closes the connection in the middle of its answer to a write.

    cut: how many answers to writes it cuts, from the first one on.
    """

    def __init__(self, tables: MemoryDynamoDB, cut: int) -> None:
        super().__init__(("127.0.0.1", 0), _Cutting)
        self.endpoint = Endpoint(tables, LOSSES[NEVER_APPLIED])
        self.left_to_cut = cut

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Cutting(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        server: Any = self.server
        body = self.rfile.read(int(self.headers["Content-Length"]))
        operation = self.headers["X-Amz-Target"].partition(".")[2]
        response = server.endpoint._carried_out(operation, body)
        content = response.content + b" " * 100  # so that there is a middle
        self.send_response(response.status_code)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        is_cut = operation in WRITES and server.left_to_cut > 0
        server.left_to_cut -= is_cut
        self.wfile.write(content[: len(content) // 2] if is_cut else content)
        self.close_connection = is_cut

    def log_message(self, *_: Any) -> None: ...
