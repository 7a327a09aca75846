"""Sending to clients' connections."""

from __future__ import annotations

from typing import Any, Protocol


class Gone(Exception):
    """The connection is closed."""


class Sender(Protocol):
    def send(self, connection_id: str, message: bytes) -> None:
        """Send a message to a client. Raises Gone."""

    def close(self, connection_id: str) -> None:
        """Close a client's connection; does nothing if it is closed."""


class GatewaySender:
    """Sends through API Gateway. client: botocore's ``apigatewaymanagementapi``."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def send(self, connection_id: str, message: bytes) -> None:
        try:
            self._client.post_to_connection(ConnectionId=connection_id, Data=message)
        except self._client.exceptions.GoneException as error:
            raise Gone(connection_id) from error

    def close(self, connection_id: str) -> None:
        try:
            self._client.delete_connection(ConnectionId=connection_id)
        except self._client.exceptions.GoneException:
            return
