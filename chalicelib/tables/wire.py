"""Request bodies, written directly: a request with rows in typed form is what DynamoDB takes, but for bytes.

The SDK would check and copy every value of every request first, by its own description of DynamoDB. That is most of the
CPU of a call with many rows. Signing, retries, connections and answers stay the SDK's.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from typing import Any


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


def write_bodies(client: Any) -> None:
    """Have an SDK client write its bodies so. Does nothing to a client that is not the SDK's."""
    if hasattr(client, "_serializer"):
        client._serializer = BodyWriter()


def _base64(value: bytes | bytearray) -> str:
    return b64encode(value).decode()
