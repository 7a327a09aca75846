"""Builds the document of messages and channels."""

from __future__ import annotations

import json
from pathlib import Path

from chalicelib.apis.kit.description import Schema
from chalicelib.apis.trade.socket_topics import Topic
from infra.asyncapi import sockets
from infra.asyncapi.channels import WEBHOOK_HEADERS, channel_schema, channels, operations
from infra.asyncapi.events import event_forms, event_message
from infra.settings import ROOT

SOCKET_EXAMPLES = Path(__file__).with_name("examples.json")
"""A received message of each kind, by the name of the message."""
DOCUMENT = ROOT / "chalicelib" / "apis" / "reference" / "asyncapi.json"


def socket_messages() -> dict[str, Schema]:
    """Return the messages of both desks' WebSockets, by name."""
    shown = json.loads(SOCKET_EXAMPLES.read_text(encoding="utf-8"))
    payloads = {
        **{sockets.TOPIC_NAMES[topic]: (f"Topic `{topic}`.", sockets.of_topic(topic)) for topic in Topic},
        "said": ("Whether a request was carried out; a pong; an error.", sockets.SAID),
        "stopping": ("A stop that is planned, at every desk.", sockets.STOPPING),
        "asked": ("What a client sends.", sockets.ASKED),
        "orderStatusChange": ("A step of an order that the client may see (K46).", sockets.STATUS_CHANGE),
        "cancellationRequest": ("A maker wants to cancel what the taker holds (K46).", sockets.CANCELLATION_REQUEST),
        "heartbeat": ("First, and then every half a minute.", sockets.HEARTBEAT),
    }
    return {
        name: {
            "title": name,
            "description": text,
            "contentType": "application/json",
            "payload": payload,
            "examples": [{"payload": shown[name]}],
        }
        for name, (text, payload) in payloads.items()
    }


def _server(protocol: str, host: str, about: str, pathname: str = "") -> Schema:
    found: Schema = {"host": host, "protocol": protocol, "description": about}
    return found | ({"pathname": pathname} if pathname else {})


def document() -> Schema:
    """Return the AsyncAPI document."""
    forms = event_forms()
    messages = {form.name: event_message(form) for form in forms} | socket_messages()
    (escrow,) = (form for form in forms if form.name == "escrowStep")
    step = messages["escrowStep"]
    messages["escrowPosted"] = step | {
        "payload": escrow.body,
        "headers": WEBHOOK_HEADERS,
        "examples": [{"payload": one["payload"]["body"]} for one in step["examples"]],
    }
    found = channels()
    gateway = "{api}.execute-api.{region}.amazonaws.com"
    deployed = {
        "variables": {"api": {"description": "The id that a deployment prints."}, "region": {"default": "eu-west-1"}}
    }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Tallybook: events",
            "version": "0.1.0",
            "description": (
                "What Tallybook tells by itself: events of its feed by long poll and webhooks, and messages on "
                "WebSockets. An event arrives at least once, always under its id. New types and members may come: "
                "pass over what you do not know. Requests and their answers are described in /openapi.json."
            ),
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "localHttp": _server("http", "127.0.0.1:8000", "A local run; base_url in .local/demo.json."),
            "http": _server("https", gateway, "A deployment; it prints its address.") | deployed,
            "localSocket": _server("ws", "127.0.0.1:{port}", "A local run; websocket_url in .local/demo.json.")
            | {"variables": {"port": {"description": "It differs from run to run."}}},
            "socket": _server("wss", gateway, "A deployment; it prints its address.", "/ws") | deployed,
        },
        "channels": {name: channel_schema(channel) for name, channel in found.items()},
        "operations": dict(one for name, channel in found.items() for one in operations(name, channel)),
        "components": {"messages": messages},
    }


def as_text(value: Schema) -> str:
    """Return the document as its file has it."""
    return json.dumps(value, ensure_ascii=False, indent=1) + "\n"
