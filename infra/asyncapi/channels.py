"""The ways on which events and messages come: WebSockets, webhooks, long polls; and the operations on them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from chalicelib.apis.book.routes import EVENTS
from chalicelib.apis.kit.description import Schema
from chalicelib.apis.kit.events import LIMIT_DEFAULT, LIMIT_MAX, WAIT_S_MAX
from chalicelib.apis.trade.socket_topics import Topic
from infra.asyncapi import sockets
from infra.asyncapi.bodies import TEXT, object_of
from infra.asyncapi.events import catalogue, event_forms


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
        "limit": {"type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": LIMIT_DEFAULT},
    },
    optional=("after", "limit"),
)
POLLED = (
    f"Long poll: with the header Prefer: wait=N, the answer waits up to N seconds ({WAIT_S_MAX} at most) for the first "
    "event. It is a page of such events with the cursor behind them; the OpenAPI description has its envelope."
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
        """Return the names of the areas' forms, of those that such a receiver receives."""
        return tuple(
            form.name
            for form in forms
            if form.area in areas and any(receiver in catalogue()[form.section][kind][0] for kind in form.types)
        )

    trade = tuple(sockets.TOPIC_NAMES[topic] for topic in Topic)
    signed = of("signed", receiver="maker")
    return {
        "tradeSocket": Channel(
            "/",
            SOCKETS,
            "The trade desk's WebSocket: rules R48 to R52. Topics user_trades, order_status and balance need a ticket.",
            (*trade, "said", "stopping"),
            received=("asked",),
        ),
        "takerSocket": Channel(
            "/ws/taker/v1",
            SOCKETS,
            "The takers' WebSocket: rules K46 to K49. API Gateway has no paths below the stage: connect there with "
            "the query desk=taker.",
            ("orderStatusChange", "cancellationRequest", "heartbeat", "stopping"),
            query=object_of(TAKERS_TYPES, optional=("after",)),
        ),
        "makerSocket": Channel(
            "/ws/maker/v1",
            SOCKETS,
            "The makers' WebSocket: rules K46 to K49. On API Gateway connect with the query desk=maker.",
            ("orderStatusChange", "heartbeat", "stopping"),
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
            "/2.0/events",
            HTTP,
            f"What a merchant receives, of the world of its key. {POLLED}",
            of("escrow", receiver="merchant"),
            http="GET",
            query=POLL,
        ),
    }


def reference(path: str, *parts: str) -> Schema:
    return {"$ref": "#/" + "/".join((path, *parts))}


def channel_schema(channel: Channel) -> Schema:
    names = (*channel.messages, *channel.received)
    found: Schema = {"address": channel.address, "description": channel.about}
    found["messages"] = {name: reference("components/messages", name) for name in names}
    if channel.servers:
        found["servers"] = [reference("servers", name) for name in channel.servers]
    if channel.http is None:
        found["bindings"] = {"ws": {"method": "GET"} | ({"query": channel.query} if channel.query else {})}
    return found


def operations(name: str, channel: Channel) -> Iterable[tuple[str, Schema]]:
    for action, messages in (("send", channel.messages), ("receive", channel.received)):
        if messages:
            found: Schema = {"action": action, "channel": reference("channels", name), "summary": channel.about}
            found["messages"] = [reference("channels", name, "messages", one) for one in messages]
            if channel.http is not None:
                query = {"query": channel.query} if channel.query else {}
                found["bindings"] = {"http": {"method": channel.http, **query}}
            yield name if action == "send" else f"{name}Asked", found
