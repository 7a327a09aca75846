"""The trade desk's WebSocket: subscribe, unsubscribe and ping (docs/trade-desk.md, "WebSocket").

Anybody may follow public topics of the public instance. A ticket (``POST /ticket``) says who the client is, once for
the connection: then it follows its own topics, and the public ones of its instance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.apis.kit.exact_json import UnreadableJson, read_json
from chalicelib.apis.kit.sockets import MESSAGE_BYTES_MAX, Opened, Opening
from chalicelib.apis.trade.envelope import Fault
from chalicelib.apis.trade.pairs import Market, Pairs, pair_not_found, symbol_of
from chalicelib.apis.trade.socket_topics import Topic, TradeTopics
from chalicelib.domain.feed.cursor import Cursor, UnreadableCursor, cursor_of
from chalicelib.domain.feed.event import customer_subject
from chalicelib.domain.feed.subscription import (
    SUBSCRIPTIONS_MAX,
    Connection,
    Subscription,
    TooManyConnections,
    TooManySubscriptions,
    UnknownConnection,
)
from chalicelib.services.feed.reading import TooManyLogs
from chalicelib.services.push.sessions import CursorUnusable, Sessions
from chalicelib.services.tenancy.rate_limiter import AnonymousUse, RateLimiter
from chalicelib.services.tenancy.tickets import Tickets, TicketUnknown
from chalicelib.support.ascii_case import ascii_upper
from chalicelib.support.canonical import exact
from chalicelib.support.outcomes import Unavailable

DESK = "trade"
WELCOME_ID = -1
AGAIN = "with the cursor of its last message"
DEPTH_MAX = 4
"""Bound of nested objects and lists in a client's message."""


class Refused(Exception):
    """A message that is not carried out; the text says why."""


@dataclass(frozen=True, slots=True)
class TradeSocket:
    """public_instance: whose public topics clients follow who have not said who they are. clock_ms: Unix ms."""

    sessions: Sessions
    topics: TradeTopics
    pairs: Pairs
    tickets: Tickets
    limiter: RateLimiter
    public_instance: str | None
    clock_ms: Callable[[], int]

    def connect(self, opening: Opening) -> Opened:
        """Let a client in, whoever it is."""
        address = opening.client_address
        if self.limiter.anonymous_refusal(AnonymousUse.MARKET_DATA, address, self.clock_ms()):
            return Opened(429, "Too many requests")
        try:
            self.sessions.open(opening.connection_id, DESK, self.public_instance or "", None, f"address/{address}")
        except TooManyConnections:
            return Opened(429, "Too many connections")
        return Opened(200)

    def message(self, connection_id: str, content: bytes) -> None:
        """Carry out a client's message, and say so or why not. Never raises for what the client sent."""
        try:
            if self.limiter.anonymous_refusal(AnonymousUse.MESSAGE, connection_id, self.clock_ms()):
                raise Refused("too many messages")
            connection = self.sessions.connections.get(connection_id)
            self._carry_out(connection, _read(content))
        except UnknownConnection:
            self.sessions.sender.close(connection_id)
        except (Refused, Fault) as refusal:
            self._say(connection_id, "error", {"message": str(refusal)})

    def _carry_out(self, connection: Connection, message: Mapping[str, Any]) -> None:
        method, names = message.get("method"), message.get("topics", [])
        if method == "ping":
            self._say(connection.connection_id, "pong", {})
            return
        if method not in ("subscribe", "unsubscribe"):
            raise Refused("method must be subscribe, unsubscribe or ping")
        if not isinstance(names, list) or not 1 <= len(names) <= SUBSCRIPTIONS_MAX:
            raise Refused(f"topics must be a list of 1 to {SUBSCRIPTIONS_MAX}")
        if "ticket" in message:
            connection = self._identified(connection, message["ticket"])
        topics = [_topic_in(connection, name) for name in names]
        cursor = _cursor_in(message)
        if method == "unsubscribe":
            for left in [_name_of(topic, pair) for topic, pair in topics]:
                self.sessions.connections.unsubscribe(connection.connection_id, left)
                self._say(connection.connection_id, left, {"message": "unsubscribed"})
        else:
            pairs = dict.fromkeys(pair for topic, pair in topics if not topic.is_private)
            markets = {pair: self.pairs.open_book(connection.instance, pair) for pair in pairs}
            for wanted in [_wanted(connection, topic, pair, markets.get(pair)) for topic, pair in topics]:
                try:
                    self._subscribe(wanted, cursor)
                except Refused as refusal:  # of this topic alone
                    self._say(connection.connection_id, "error", {"message": str(refusal)})

    def _identified(self, connection: Connection, ticket: object) -> Connection:
        try:
            instance, customer, credential = self.tickets.spend(ticket if isinstance(ticket, str) else "")
            subject = customer_subject(customer)
            return self.sessions.connections.identify(connection.connection_id, instance, subject, credential)
        except (TicketUnknown, ValueError) as error:
            raise Refused("the ticket is unknown, spent, or another customer's") from error

    def _subscribe(self, one: Subscription, cursor: Cursor | None) -> None:
        begins_with_state = Topic(one.name.partition("@")[0]) in (Topic.TICKER, Topic.DEPTH, Topic.DEPTH_DELTA)
        state = self.topics.state if begins_with_state else None
        try:
            self.sessions.follow(self.topics, one, cursor, self._welcome, state)
        except CursorUnusable as error:
            reason = "the cursor is too old, or not of this topic: subscribe without it, or read events"
            raise Refused(f"{one.name}: {reason}") from error
        except Unavailable as error:
            raise Refused(f"{one.name} cannot be read now: subscribe again, {AGAIN}") from error
        except (TooManyLogs, TooManySubscriptions) as error:
            reason = f"more than {SUBSCRIPTIONS_MAX} topics, or too many books for one topic"
            raise Refused(f"{one.name}: {reason}") from error

    def _welcome(self, one: Subscription) -> bytes:
        return self._text(one.name, {"message": "subscribed"}, one.cursor.to_text())

    def _say(self, connection_id: str, topic: str, body: Mapping[str, object]) -> None:
        self.sessions.sender.send(connection_id, self._text(topic, body))

    def _text(self, topic: str, body: Mapping[str, object], cursor: str | None = None) -> bytes:
        message = {"id": WELCOME_ID, "topic": topic, "timestamp": self.clock_ms(), "body": body}
        return exact(message if cursor is None else {**message, "cursor": cursor}).encode()


def _read(content: bytes) -> Mapping[str, Any]:
    """Return a client's message. Raises Refused; takes time linear in its length."""
    try:
        message = read_json(content, depth_max=DEPTH_MAX) if len(content) <= MESSAGE_BYTES_MAX else None
    except UnreadableJson as error:
        raise Refused(f"the message {error}") from error
    if not isinstance(message, dict):
        raise Refused(f"the message must be a JSON object of {MESSAGE_BYTES_MAX} bytes at most")
    return message


def _topic_in(connection: Connection, name: object) -> tuple[Topic, str]:
    """Return a topic that a client names, and its pair; a private one has none. Raises Refused."""
    text, _, pair = (name if isinstance(name, str) else "").partition("@")
    if text not in list(Topic) or bool(pair) == Topic(text).is_private:
        raise Refused("there is no such topic")
    topic = Topic(text)
    if topic.is_private and connection.subject is None:
        raise Refused(f"{topic} needs a ticket")
    if not connection.instance:
        raise Refused("public topics need a ticket here")
    return topic, pair


def _wanted(connection: Connection, topic: Topic, pair: str, market: Market | None) -> Subscription:
    """Return a subscription to a topic; a private one has no market."""
    return Subscription(
        connection_id=connection.connection_id,
        desk=DESK,
        name=_name_of(topic, pair),
        instance=connection.instance,
        subjects=(connection.subject,) if topic.is_private and connection.subject else (),
        book_id=None if market is None else market.book.book_id,
        beats=topic.repeats or topic.is_private,
        cursor=Cursor(),
        next_id=1,
        expires_s=connection.expires_s,
        credential=connection.credential if topic.is_private else "",
    )


def _name_of(topic: Topic, pair: str) -> str:
    """Return the name of a topic as subscriptions have it. Raises Fault if this can be no pair."""
    if topic.is_private:
        return topic
    if symbol_of(pair) is None:
        raise pair_not_found()
    return f"{topic}@{ascii_upper(pair)}"


def _cursor_in(message: Mapping[str, Any]) -> Cursor | None:
    text = message.get("cursor")
    try:
        return None if text is None else cursor_of(text if isinstance(text, str) else "")
    except UnreadableCursor as error:
        raise Refused("the cursor is unreadable") from error
