"""HTTP server of the local DynamoDB: passes calls of DynamoDB and of its streams straight to ministack's functions.

It exists for its cost: an HTTP server for all of ministack's services, and the routing between them, take several times
the CPU that a call of DynamoDB itself takes. Every GET is answered with 200: the engine is there.
"""

from __future__ import annotations

import asyncio
import json
import logging
import signal
from collections.abc import Coroutine
from http import HTTPStatus
from typing import Any

from infra.sdk_http import Connection, Head, response

_STREAMS = "DynamoDBStreams_"
_LOG = logging.getLogger(__name__)


def answer(head: Head, body: bytes) -> bytes:
    """Answer a call of DynamoDB or of its streams."""
    if head.method == "GET":
        return response(HTTPStatus.OK, {"Content-Type": "text/plain"}, b"DynamoDB\n")
    try:
        status, headers, said = _called(head, body)
    except Exception:
        _LOG.exception("%s failed", head.headers.get("x-amz-target"))
        status, headers = HTTPStatus.INTERNAL_SERVER_ERROR, {"Content-Type": "application/x-amz-json-1.0"}
        said = json.dumps({"__type": "InternalServerError", "message": "the local DynamoDB failed"})
    return response(HTTPStatus(status), headers, said if isinstance(said, bytes) else said.encode())


def _called(head: Head, body: bytes) -> tuple[int, dict[str, Any], str | bytes]:
    """Return the answer of ministack's function, for the account and region in the request's signature."""
    from ministack.core import responses, router
    from ministack.services import dynamodb, dynamodb_streams

    responses.set_request_account_id(router.extract_access_key_id(head.headers))
    responses.set_request_region(router.extract_region(head.headers))
    service: Any = dynamodb_streams if head.headers.get("x-amz-target", "").startswith(_STREAMS) else dynamodb
    answer: tuple[int, dict[str, Any], str | bytes] = _result(
        service.handle_request(head.method, head.path, head.headers, body, {})
    )
    return answer


def _result(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Return the result of a coroutine that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value
    coroutine.close()
    raise RuntimeError("ministack's function waits for something")


async def serve(host: str, port: int) -> None:
    """Serve until SIGINT or SIGTERM. Raises OSError if the port is taken."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    connections: set[Connection] = set()
    server = await loop.create_server(lambda: Connection(connections, answer), host, port)
    await stop.wait()
    server.close()
    for connection in list(connections):
        connection.close()
