"""Builds the document: meanings and examples of docs/events.md, the catalogue, and the schemas of this room."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from chalicelib.apis.book.routes import EVENTS
from chalicelib.apis.trade.socket_topics import Topic
from chalicelib.services.feed.types import ESCROW_TYPES, SIGNED_TYPES
from infra.asyncapi import bodies, sockets
from infra.asyncapi.bodies import COUNT, TEXT, TIME, Schema, object_of, one_of
from infra.settings import ROOT

CATALOGUE = ROOT / "docs" / "events.md"
SOCKET_EXAMPLES = Path(__file__).with_name("examples.json")
"""A received message of each kind, by the name of the message."""
DOCUMENT = ROOT / "chalicelib" / "apis" / "reference" / "asyncapi.json"
CANCEL_REQUESTED = "signed_order.cancel_requested"
_SECTION = re.compile(r"^## (.*?)\n(.*?)(?=^## |\Z)", re.DOTALL | re.MULTILINE)
_ROW = re.compile(r"^\| `([\w.]+)` \| (.*) \|$", re.MULTILINE | re.ASCII)
_EXAMPLE = re.compile(r"```json\n(.*?)\n```", re.DOTALL)
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")


@dataclass(frozen=True, slots=True)
class EventForm:
    """The events of one area that have one form of body. name: of the message. section: of the catalogue."""

    name: str
    area: str
    section: str
    types: tuple[str, ...]
    body: Schema


def event_forms() -> list[EventForm]:
    """Return every form of event."""
    steps = tuple(sorted(SIGNED_TYPES - {CANCEL_REQUESTED}))
    return [
        *(EventForm(camel(kind), "book", "Book", (kind,), body) for kind, body in bodies.BOOK.items()),
        EventForm("signedOrderStep", "signed", "Signed orders", steps, bodies.SIGNED_STEP),
        EventForm(
            "signedOrderCancelRequested", "signed", "Signed orders", (CANCEL_REQUESTED,), bodies.SIGNED_CANCEL_REQUESTED
        ),
        EventForm("signedOrderBalanceChanged", "signed", "Ledger", ("balance.changed",), bodies.SIGNED_BALANCE),
        EventForm("escrowStep", "escrow", "Escrow orders", tuple(sorted(ESCROW_TYPES)), bodies.ESCROW_STEP),
        EventForm("escrowBalanceChanged", "escrow", "Ledger", ("balance.changed",), bodies.ESCROW_BALANCE),
        EventForm("ledgerBalanceChanged", "ledger", "Ledger", ("balance.changed",), bodies.LEDGER_BALANCE),
    ]


def camel(kind: str) -> str:
    """Return the name of a message for a type of event.

    >>> camel("order.amend_refused")
    'orderAmendRefused'
    """
    first, *others = re.split(r"[._]", kind)
    return first + "".join(map(str.capitalize, others))


def event_schema(form: EventForm) -> Schema:
    """Return the schema of an event of a form."""
    return object_of(
        {
            "id": {"type": "string", "description": "The event's name for ever; deliveries of one event share it."},
            "type": one_of(form.types),
            "time": TIME | {"description": "When it was decided: ISO 8601, UTC, milliseconds."},
            "log": {"type": "string", "description": "The log that it comes from.", "pattern": f"^{form.area}/"},
            "sequence": COUNT | {"description": "Number of the entry in the log."},
            "part": COUNT | {"description": "Place among the entry's events, from 0."},
            "body": form.body,
        }
    )


@cache
def catalogue() -> Mapping[str, Mapping[str, tuple[str, str]]]:
    """Return receivers and meaning of each type, by section of docs/events.md and type."""
    found = {}
    for section, text in _SECTION.findall(CATALOGUE.read_text(encoding="utf-8")):
        rows = {kind: _LINK.sub(r"\1", columns).split(" | ") for kind, columns in _ROW.findall(text)}
        found[section] = {kind: (row[0] if len(row) > 1 else "merchant", row[-1]) for kind, row in rows.items()}
    return found


@cache
def event_examples() -> list[dict[str, Any]]:
    """Return the events that docs/events.md shows."""
    return [json.loads(text) for text in _EXAMPLE.findall(CATALOGUE.read_text(encoding="utf-8"))]


def event_message(form: EventForm) -> Schema:
    """Return the message of a form, with the catalogue's words and examples."""
    told = catalogue()[form.section]
    if len(form.types) == 1:
        receivers, meaning = told[form.types[0]]
        title, text = form.types[0], f"Receivers: {receivers}. It means: {meaning}."
    else:
        rows = (f"| `{kind}` | {' | '.join(told[kind])} |" for kind in form.types)
        title, text = form.name, "\n".join(["| type | receivers | meaning |", "| --- | --- | --- |", *rows])
    shown = [one for one in event_examples() if one["type"] in form.types and one["log"].split("/")[0] == form.area]
    return {
        "title": title,
        "description": text,
        "contentType": "application/json",
        "payload": event_schema(form),
        "examples": [{"name": one["type"], "payload": one} for one in shown],
    }


def socket_messages() -> dict[str, Schema]:
    """Return the messages of both desks' WebSockets, by name."""
    shown = json.loads(SOCKET_EXAMPLES.read_text(encoding="utf-8"))
    payloads = {
        **{sockets.TOPIC_NAMES[topic]: (f"Topic `{topic}`.", sockets.of_topic(topic)) for topic in Topic},
        "said": ("Whether a request was carried out; a pong; an error; a stop that is planned.", sockets.SAID),
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


@dataclass(frozen=True, slots=True)
class Channel:
    """A way on which messages come. http: the method of its requests; None: a WebSocket.

    messages: names of those that are sent. received: of those that the service receives.
    """

    address: str | None
    servers: tuple[str, ...]
    about: str
    messages: tuple[str, ...]
    received: tuple[str, ...] = ()
    http: str | None = None
    query: Schema | None = None
    headers: Schema | None = None


POLL: Schema = object_of(
    {
        "after": {"type": "string", "description": "The cursor of an earlier answer, or start; absent: from now on."},
        "limit": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100},
    },
    optional=("after", "limit"),
)
POLLED = (
    "Long poll: with the header Prefer: wait=N, the answer waits up to N seconds (20 at most) for the first event. It "
    "is a page of such events with the cursor behind them; the OpenAPI description has its envelope."
)
TAKERS_TYPES = {"types": {"type": "string", "description": "List with commas of types of messages."}, "after": TEXT}
WEBHOOK_HEADERS = object_of(
    {
        "webhook-id": {"type": "string", "description": "The event's id, the same in each attempt."},
        "webhook-timestamp": {"type": "string", "description": "Unix seconds of the attempt."},
        "webhook-signature": {"type": "string", "description": "Signatures as Standard Webhooks defines, with blanks."},
        "webhook-event": {"type": "string", "description": "The event's type."},
    }
)
SOCKETS, HTTP = ("localSocket", "socket"), ("localHttp", "http")


def channels() -> dict[str, Channel]:
    """Return every channel, by name."""
    forms = event_forms()

    def of(*areas: str, receiver: str = "") -> tuple[str, ...]:
        return tuple(
            form.name
            for form in forms
            if form.area in areas and any(receiver in catalogue()[form.section][kind][0] for kind in form.types)
        )

    trade = tuple(sockets.TOPIC_NAMES[topic] for topic in Topic)
    balances = ("signedOrderBalanceChanged",)
    signed = tuple(name for name in of("signed") if name not in balances)
    steps = tuple(name for name in of("escrow") if name == "escrowStep")
    return {
        "tradeSocket": Channel(
            "/",
            SOCKETS,
            "The trade desk's WebSocket: rules R48 to R52. Topics user_trades, order_status and balance need a ticket.",
            (*trade, "said"),
            received=("asked",),
        ),
        "takerSocket": Channel(
            "/ws/taker/v1",
            SOCKETS,
            "The takers' WebSocket: rules K46 to K49. API Gateway has no paths below the stage: connect there with "
            "the query desk=taker.",
            ("orderStatusChange", "cancellationRequest", "heartbeat"),
            query=object_of(TAKERS_TYPES, optional=("after",)),
        ),
        "makerSocket": Channel(
            "/ws/maker/v1",
            SOCKETS,
            "The makers' WebSocket: rules K46 to K49. On API Gateway connect with the query desk=maker.",
            ("orderStatusChange", "heartbeat"),
            query=object_of(TAKERS_TYPES, optional=("after",)),
        ),
        "webhook": Channel(
            None,
            (),
            "A request to the URL of an operator's endpoint for each event of the types that it names. Answer 2xx "
            "within ten seconds; docs/webhooks.md has signatures and retries. A test sends the type webhook.test.",
            tuple(form.name for form in forms),
            http="POST",
            headers=WEBHOOK_HEADERS,
        ),
        "merchantWebhook": Channel(
            None,
            (),
            "A request to the URL of a merchant's endpoint. Its body is the member body of the event alone, as the "
            "vendor posts it.",
            ("escrowPosted",),
            http="POST",
            headers=WEBHOOK_HEADERS,
        ),
        "bookEvents": Channel(
            EVENTS,
            HTTP,
            f"The operator's feed of an instance, or with customerRef of a customer. {POLLED}",
            of("book", "signed", "ledger"),
            http="GET",
            query=POLL,
        ),
        "tradeEvents": Channel(
            "/trade/events",
            HTTP,
            f"What the customer behind a token receives. {POLLED}",
            of("book", "signed", "ledger", receiver="customer"),
            http="GET",
            query=POLL,
        ),
        "takerEvents": Channel(
            "/api/v1/takers/events", HTTP, f"What a taker receives. {POLLED}", signed, http="GET", query=POLL
        ),
        "makerEvents": Channel(
            "/api/v1/makers/events", HTTP, f"What a maker receives. {POLLED}", signed, http="GET", query=POLL
        ),
        "escrowEvents": Channel(
            "/2.0/events", HTTP, f"What a merchant receives, of the world of its key. {POLLED}", steps,
            http="GET", query=POLL,
        ),
    }  # fmt: skip


def _reference(path: str, *parts: str) -> Schema:
    return {"$ref": "#/" + "/".join((path, *parts))}


def _channel(channel: Channel) -> Schema:
    names = (*channel.messages, *channel.received)
    found: Schema = {"address": channel.address, "description": channel.about}
    found["messages"] = {name: _reference("components/messages", name) for name in names}
    if channel.servers:
        found["servers"] = [_reference("servers", name) for name in channel.servers]
    if channel.http is None:
        found["bindings"] = {"ws": {"method": "GET"} | ({"query": channel.query} if channel.query else {})}
    return found


def _operations(name: str, channel: Channel) -> Iterable[tuple[str, Schema]]:
    for action, messages in (("send", channel.messages), ("receive", channel.received)):
        if messages:
            found: Schema = {"action": action, "channel": _reference("channels", name), "summary": channel.about}
            found["messages"] = [_reference("channels", name, "messages", one) for one in messages]
            if channel.http is not None:
                query = {"query": channel.query} if channel.query else {}
                found["bindings"] = {"http": {"method": channel.http, **query}}
            yield name if action == "send" else f"{name}Asked", found


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
        "channels": {name: _channel(channel) for name, channel in found.items()},
        "operations": dict(one for name, channel in found.items() for one in _operations(name, channel)),
        "components": {"messages": messages},
    }


def as_text(value: Schema) -> str:
    """Return the document as its file has it."""
    return json.dumps(value, ensure_ascii=False, indent=1) + "\n"
