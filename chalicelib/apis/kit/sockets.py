"""Events of a WebSocket API as its desks see them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

MESSAGE_BYTES_MAX = 8 * 1024
"""Longest message of a client that a desk reads."""


@dataclass(frozen=True, slots=True)
class Opening:
    """A client that wants to connect.

    path: ``/`` where the API has none. headers: in lower case. query: the last value of each parameter.
    """

    connection_id: str
    path: str
    client_address: str
    headers: Mapping[str, str]
    query: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Opened:
    """The answer to a client that connects. status: 200 lets it in; message: why not. headers: of the handshake's
    answer, such as ``Sec-WebSocket-Protocol``.
    """

    status: int
    message: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


class SocketDesk(Protocol):
    """What serves the connections of a desk."""

    def connect(self, opening: Opening) -> Opened:
        """Let a client in, or say why not. A message sent before this has returned is lost: the connection is Gone."""

    def message(self, connection_id: str, content: bytes) -> None:
        """Carry out a client's message. Raises Gone (``push.sending``), and nothing for what the client sent."""
