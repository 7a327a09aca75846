"""Events of a WebSocket API as its desks see them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

MESSAGE_BYTES_MAX = 8 * 1024
"""Longest message of a client."""


@dataclass(frozen=True, slots=True)
class Opening:
    """A client that wants to connect. headers: in lower case. query: the first value of each parameter."""

    connection_id: str
    client_address: str
    headers: Mapping[str, str]
    query: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Opened:
    """The answer to a client that connects. status: 200 lets it in; message: why not."""

    status: int
    message: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
