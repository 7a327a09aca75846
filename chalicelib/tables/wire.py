"""Requests with less of the SDK's CPU (sdk-calls.md). Signing, retries and the parsing of answers stay the SDK's.

Bodies are written directly: a request with rows in typed form is what DynamoDB takes, but for bytes. The SDK would
check and copy every value of every request first, by its own description of DynamoDB: most of the CPU of a call with
many rows. The User-Agent is written once for each client; the SDK writes it twice for each request, with the features
that the request uses: a fifth of the CPU of a small call. Open connections are used directly (``keep_alive``).
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from chalicelib.tables.keep_alive import KeepAlive


class BodyWriter:
    """The serializer of an SDK client of DynamoDB, without checks: for requests that this package builds."""

    def serialize_to_request(self, parameters: Mapping[str, Any], operation_model: Any) -> dict[str, Any]:
        """Return the request as the SDK's own serializer does (a test compares them)."""
        metadata = operation_model.metadata
        return {
            "url_path": "/",
            "query_string": "",
            "method": "POST",
            "headers": {
                "X-Amz-Target": f"{metadata['targetPrefix']}.{operation_model.name}",
                "Content-Type": f"application/x-amz-json-{metadata['jsonVersion']}",
            },
            "body": json.dumps(parameters, default=_base64).encode(),
        }


class OneUserAgent:
    """The User-Agent of all requests of an SDK client."""

    def __init__(self, text: str) -> None:
        self._text = text

    def to_string(self) -> str:
        return self._text


def write_directly(client: Any) -> None:
    """Have an SDK client of DynamoDB or its streams write its requests so. Other clients are left as they are."""
    if not hasattr(client, "_serializer") or isinstance(client._serializer, BodyWriter):
        return
    client._serializer = BodyWriter()
    call_lightly(client)


def call_lightly(client: Any) -> None:
    """Have any SDK client write its User-Agent once, and use its open connections directly."""
    agent = client._user_agent_creator
    service = client.meta.service_model.service_id.hyphenize()
    client.meta.events.unregister(f"request-created.{service}", agent.rebuild_and_replace_user_agent_handler)
    client._user_agent_creator = OneUserAgent(agent.to_string())
    client._endpoint.http_session = KeepAlive(client._endpoint.http_session)


def _base64(value: bytes | bytearray) -> str:
    return b64encode(value).decode()
