"""Sending to clients' connections."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Protocol

from chalicelib.support.telemetry import logger

MESSAGE_BYTES_MAX = 128 * 1024
"""API Gateway sends no longer message."""


class Gone(Exception):
    """The connection is closed, or not yet open."""


class Sender(Protocol):
    def send(self, connection_id: str, message: bytes) -> None:
        """Send a message to a client. Raises Gone."""

    def close(self, connection_id: str) -> None:
        """Close a client's connection; does nothing if it is closed."""

    def is_open(self, connection_id: str) -> bool:
        """Return whether there is such a connection, and its handshake is over."""


class GatewaySender:
    """Sends through API Gateway. client: botocore's ``apigatewaymanagementapi``, which retries what is throttled.

    A client that cannot be sent to is cut off, so that it delays no other: it does not read what it was sent, or the
    message is longer than MESSAGE_BYTES_MAX.
    """

    def __init__(self, client: Any) -> None:
        self._client = client

    def send(self, connection_id: str, message: bytes) -> None:
        failures = self._client.exceptions
        try:
            self._client.post_to_connection(ConnectionId=connection_id, Data=message)
        except failures.GoneException as error:
            raise Gone(connection_id) from error
        except (failures.LimitExceededException, failures.PayloadTooLargeException) as error:
            logger.warning("a client is cut off", connection=connection_id, bytes=len(message), reason=str(error))
            self.close(connection_id)
            raise Gone(connection_id) from error

    def is_open(self, connection_id: str) -> bool:
        try:
            self._client.get_connection(ConnectionId=connection_id)
        except self._client.exceptions.GoneException:
            return False
        return True

    def close(self, connection_id: str) -> None:
        with suppress(self._client.exceptions.GoneException):
            self._client.delete_connection(ConnectionId=connection_id)
