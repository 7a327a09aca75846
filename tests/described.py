"""Clients that accept only what the AsyncAPI document describes: the members of a message's schema, and no other."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from jsonschema_rs import Draft7Validator

from chalicelib.apis.kit.description import Schema
from infra.asyncapi.document import document
from tests.documented import closed
from tests.services.push.world import Clients


@cache
def validator_of(name: str) -> Draft7Validator:
    """Return the validator of a message of the document, by its name."""
    return Draft7Validator(closed(document()["components"]["messages"][name]["payload"]))


@cache
def socket_names() -> dict[str, str]:
    """Return the names of the messages of sockets by what tells them apart: the type, or the topic without its pair."""
    messages: dict[str, Schema] = document()["components"]["messages"]
    found = {}
    for name, message in messages.items():
        members = message["payload"].get("properties", {})
        kind = members.get("type", {}).get("const") or members.get("topic", {}).get("const")
        pattern = members.get("topic", {}).get("pattern", "")
        if kind or pattern:
            found[kind or pattern.strip("^@")] = name
    return found


def name_of(message: Any) -> str:
    """Return the name of a socket's message."""
    if message.get("id") == -1:
        return "said"
    return socket_names()[message["type"] if "type" in message else message["topic"].partition("@")[0]]


class DescribedClients(Clients):
    """Clients that accept only what the document describes."""

    def send(self, connection_id: str, message: bytes) -> None:
        received = json.loads(message)
        validator_of(name_of(received)).validate(received)
        super().send(connection_id, message)
