"""Subscribers of the feed benchmark by WebSocket: each follows the trade desk's topics, is cut off, and resumes.

A subscriber follows every book's ``trade`` and ``orderbook/level_2_delta`` and its customer's private topics over one
connection. It keeps the cursor of each topic's last message, and each new connection begins behind it. It checks at
once what needs no other knowledge: ids count from 1 in each connection and topic, and every delta has the hash of the
depth to which it leads. What it was told is compared with the logs later (``feed_checks``).
"""

from __future__ import annotations

import json
import random
import socket
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from multiprocessing.synchronize import Event
from typing import Any

from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import ClientConnection, connect

from benchmarks.feed_depth import Depth, Market, due_between
from benchmarks.feed_phases import Phases
from chalicelib.domain.feed.logs import book_log
from tallybook_client import TallybookError, TradeDesk

TRADE, DELTA = "trade", "orderbook/level_2_delta"
PONG = "pong"
PRIVATE = ("user_trades", "order_status", "balance")
TOPICS = (TRADE, DELTA, *PRIVATE)
OPEN_S_MAX, MESSAGE_S_MAX, END_S_MAX = 20, 5, 30
PAUSE_S = 0.05
FAILURES_MAX = 20
CUT_KINDS = ("dropped", "closed", "forgotten")
Text = Mapping[str, Any]


class ServerFailed(Exception):
    """The function behind the gateway has failed, so it is not known what is subscribed: the client connects anew."""


@dataclass(frozen=True, slots=True)
class SocketPlace:
    """Where a customer follows by WebSocket, with which API token. every: the sequences at which depths are noted."""

    url: str
    address: str
    customer: str
    token: str
    secret: str
    markets: list[Market]
    every: int


@dataclass(slots=True)
class TopicTold:
    """What came of a topic. begun: the cursor at which it was first subscribed, and when (Unix ms). names: one for each
    new message.
    """

    begun: str = ""
    begun_ms: float = 0
    cursor: str = ""
    names: list[str] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    unkept: set[str] = field(default_factory=set)


@dataclass(slots=True)
class SocketTold:
    """What one subscriber received.

    depths: digest by (log, sequence). snapshots: the sequence of each log's first depth. balances: amounts by currency
    code, as text. doubles: messages that came again behind their cursor; again: those whose cursor was forgotten;
    repeated: those that came again under their id, which R49 allows after a fault.
    delays: of all messages, as ``feed_client.Told`` has them, without those decided before their topic was subscribed;
    delays_of: the same by topic.
    """

    customer: str
    topics: dict[str, TopicTold] = field(default_factory=dict)
    depths: dict[tuple[str, int], str] = field(default_factory=dict)
    snapshots: dict[str, int] = field(default_factory=dict)
    balances: dict[str, tuple[str, str]] = field(default_factory=dict)
    delays: dict[str, Counter[int]] = field(default_factory=dict)
    delays_of: dict[str, dict[str, Counter[int]]] = field(default_factory=dict)
    cuts: Counter[str] = field(default_factory=Counter)
    messages: int = 0
    hashes: int = 0
    doubles: int = 0
    again: int = 0
    repeated: int = 0
    ended_by_server: int = 0
    faults: list[str] = field(default_factory=list)


class Socket:
    """One subscriber. draw: decides how it is cut off. cuts_s: when, by the monotonic clock."""

    def __init__(self, place: SocketPlace, draw: random.Random, cuts_s: list[float], phases: Phases) -> None:
        self.told = SocketTold(place.customer)
        self._place = place
        self._draw = draw
        self._cuts_s = cuts_s
        self._phases = phases
        self._markets = {market.pair: market for market in place.markets}
        self._depths = {market.pair: Depth(market) for market in place.markets}
        public = [f"{topic}@{market.pair}" for market in place.markets for topic in (TRADE, DELTA)]
        self.told.topics = {name: TopicTold() for name in (*public, *PRIVATE)}
        self._ids: Counter[str] = Counter()
        self._is_through = False

    def follow(self, stop: Event) -> None:
        """Follow until ``stop`` is set; then take what is left on a last connection. FAILURES_MAX connections one after
        the other that bring nothing are a fault.
        """
        failures = 0
        while not self._is_through:
            is_last, before = stop.is_set(), self.told.messages
            try:
                with self._connected() as connection:
                    if is_last:
                        self._receive_rest(connection)
                    else:
                        self._receive(connection, stop)
            except (ConnectionClosed, ServerFailed, OSError, InvalidHandshake, TallybookError) as error:
                self.told.ended_by_server += isinstance(error, ConnectionClosed | ServerFailed)
                failures = 1 if self.told.messages > before else failures + 1
                if failures > FAILURES_MAX:
                    self.told.faults.append(f"cannot follow: {error!r}")
                    return
                time.sleep(PAUSE_S)

    def _receive_rest(self, connection: ClientConnection) -> None:
        """Take what the subscriptions bring at once: the answer to a ping comes behind it."""
        connection.send(json.dumps({"method": "ping"}))
        while not self._is_through:
            self._take(connection.recv(timeout=END_S_MAX))

    def _connected(self) -> closing[ClientConnection]:
        """Connect and subscribe to every topic, behind its last message."""
        connection = connect(self._place.url, open_timeout=OPEN_S_MAX, close_timeout=1, max_queue=None)
        self._ids.clear()
        desk = TradeDesk(f"http://{self._place.address}", self._place.token, self._place.secret, answer_s=OPEN_S_MAX)
        ticket = {"ticket": desk.ticket()}
        for name, topic in self.told.topics.items():
            resume = {"cursor": topic.cursor} if topic.cursor else {}
            connection.send(json.dumps({"method": "subscribe", "topics": [name], **resume, **ticket}))
            ticket = {}
        return closing(connection)

    def _receive(self, connection: ClientConnection, stop: Event) -> None:
        """Take messages until the next cut, or until ``stop`` is set."""
        kind = self._draw.choice(CUT_KINDS)
        while not stop.is_set():
            left_s = self._cuts_s[0] - time.monotonic() if self._cuts_s else MESSAGE_S_MAX
            try:
                text = connection.recv(timeout=min(max(left_s, PAUSE_S), MESSAGE_S_MAX))
            except TimeoutError:
                text = ""
            is_due = bool(self._cuts_s) and self._cuts_s[0] <= time.monotonic()
            forgets = bool(text) and is_due and kind == "forgotten" and self._take(text, forgets=True)
            if text and not (is_due and kind == "forgotten"):
                self._take(text)
            if is_due and (forgets or kind != "forgotten"):
                self._cuts_s.pop(0)
                self.told.cuts[kind] += 1
                if kind == "dropped":
                    connection.socket.shutdown(socket.SHUT_RDWR)
                return

    def _take(self, text: str | bytes, *, forgets: bool = False) -> bool:
        """Take a message in. forgets: its cursor is lost. Return whether a cursor was lost. Raises ServerFailed."""
        message: Text = json.loads(text, parse_int=str, parse_float=str)
        if "topic" not in message:
            raise ServerFailed(message)
        topic = self.told.topics.get(message["topic"])
        if topic is None or message["id"] == "-1":
            self._take_answer(message, topic)
            return False
        if not self._is_next(message):
            return False
        self.told.messages += 1
        name = _name_of(message)
        if name in topic.unkept:
            topic.unkept.discard(name)
            self.told.again += 1
        elif name in topic.seen:
            self.told.doubles += 1
        else:
            self._note_delay(message["topic"].partition("@")[0], int(message["timestamp"]), topic)
            self._take_new(message, topic, name)
        if forgets and topic.cursor:
            topic.unkept.add(name)
            return True
        topic.cursor = message["cursor"]
        return False

    def _note_delay(self, kind: str, at_ms: int, topic: TopicTold) -> None:
        if at_ms >= topic.begun_ms:
            self._phases.note(self.told.delays, at_ms)
            self._phases.note(self.told.delays_of.setdefault(kind, {}), at_ms)

    def _take_answer(self, message: Text, topic: TopicTold | None) -> None:
        """Take a message that is no event: where a subscription begins, or what the server refuses."""
        if topic is None:
            if "subscribe again" in str(message["body"]):
                raise ServerFailed(message)
            if message["topic"] not in (PONG, "system"):
                self.told.faults.append(f"{message['topic']}: {message['body']}")
            self._is_through = message["topic"] == PONG
        elif not topic.begun:
            topic.begun, topic.begun_ms = message["cursor"], time.time() * 1000
            if not message["topic"].startswith(DELTA):  # whose cursor is the snapshot's
                topic.cursor = topic.begun

    def _is_next(self, message: Text) -> bool:
        """Return False for a message that comes again under its id, which a client passes over (R49)."""
        name, number = message["topic"], int(message["id"])
        if number <= self._ids[name]:
            self.told.repeated += 1
            return False
        if number != self._ids[name] + 1:
            self.told.faults.append(f"{name}: id {number} follows {self._ids[name]}")
        self._ids[name] = number
        return True

    def _take_new(self, message: Text, topic: TopicTold, name: str) -> None:
        kind, _, pair = message["topic"].partition("@")
        if kind == "balance":
            for one in message["body"]["balances"]:
                self.told.balances[one["currency_code"]] = one["available_amount"], one["locked_amount"]
            return
        if kind == DELTA:
            self._take_depth(message["body"], self._depths[pair], book_log(self._markets[pair].book_id))
        topic.names.append(name)
        topic.seen.add(name)

    def _take_depth(self, body: Text, depth: Depth, log: str) -> None:
        sequence = int(body["sequence"])
        if log in self.told.snapshots:
            for due in due_between(depth.sequence, sequence, self._place.every):
                self.told.depths[log, due] = depth.digest()
        else:
            self.told.snapshots[log] = sequence
        depth.apply(body)
        self.told.hashes += 1
        if depth.hash() != body["hash"]:
            self.told.faults.append(f"{log}: another hash at {sequence}")


def _name_of(message: Text) -> str:
    """Return what tells a message from all others of its topic."""
    body = message["body"]
    match message["topic"].partition("@")[0]:
        case "trade":
            return str(body["id"])
        case "orderbook/level_2_delta":
            return str(body["sequence"])
        case "user_trades":
            return f"{body['id']} {body['taker_or_maker']}"
        case "order_status":
            return f"{body['id']} {body['status']} {body['executed_amount']}"
    return str(message["cursor"])
