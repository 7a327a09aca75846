"""Every kind of delivery to webhooks and to WebSocket clients once."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING
from unittest.mock import patch

import boto3
from botocore.exceptions import ClientError

from chalicelib.apis.trade.socket_topics import Topic
from chalicelib.domain.webhooks.endpoint import Owner
from chalicelib.services.calling import caller_of
from chalicelib.services.push import sessions
from chalicelib.services.push.following import follow_records
from chalicelib.services.push.rows import JournalRows
from chalicelib.services.push.steps import BEAT_S
from chalicelib.services.webhooks.sending import Answer
from chalicelib.services.webhooks.starting import by_function
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.webhooks import QUIET_MS
from chalicelib.wiring.webhooks import end_of_feed
from infra.shards import lambda_record
from infra.tables import create_tables
from tests.apis.taker.desk import open_taker_desk
from tests.apis.taker.sockets import BOTH
from tests.apis.taker.sockets import open_sockets as open_signed_order_sockets
from tests.apis.trade.desk import PAIR, open_trade_desk
from tests.apis.trade.sockets import Sockets, open_sockets
from tests.infra.work_of_books import read_master_key
from tests.recording import BEATER, DELIVERER, STREAMS, work_of
from tests.services.webhooks.world import URL, Hooks, event
from tests.world import INSTANCE, NOW_MS, QUOTE, World, record_of

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient


def push(world: World) -> None:
    """Tell an operator's endpoint of one event and of two, and of the entries of the world's book."""
    hooks = Hooks(world.database)
    hooks.endpoint()
    hooks.dispatcher._start = by_function(lambda: boto3.client("lambda"), DELIVERER)
    entries = [
        lambda_record(record_of(row, number), STREAMS["push_journal"])
        for number, row in enumerate(world.database.scan("journal"), 1)
    ]
    for function in ("push_journal", "push_outbox"):
        with work_of(function):
            hooks.receive(event(1))
            hooks.now_ms += QUIET_MS
            hooks.receive(event(2), event(3))
    with work_of("push_journal"):
        assert follow_records(JournalRows(world.database), {"webhooks": hooks.dispatcher}, entries) == []


def at_the_sockets(client: DynamoDBClient) -> None:
    """Have clients follow every topic, resume and leave, each pushing function at work on both streams.

    A function carries out what another began to send (``tables.connections``), so it reads the logs of both.
    """
    for function in ("push_journal", "push_outbox"):
        prefix = f"sockets-{function}"
        create_tables(client, prefix)
        desk = open_trade_desk(World(Database(client, prefix)), clock=lambda: NOW_MS)
        sockets = open_sockets(desk)
        public = [f"{topic}@{PAIR}" for topic in Topic if not topic.is_private]
        private = [str(topic) for topic in Topic if topic.is_private]
        assert sockets.connect().status == 200
        sockets.subscribe(*public)
        sockets.subscribe(*private, ticket=sockets.ticket())
        begun = {message["topic"]: message["cursor"] for message in sockets.messages()}
        trade_and_credit(sockets)
        sockets.streams.miss()
        trade_and_credit(sockets)
        later = open_sockets(desk, clients=sockets.clients)
        sockets.streams.broadcaster = later.pushing.broadcaster
        sockets.streams.follow(function)
        trade_and_credit(sockets)
        sockets.streams.miss()
        beating = open_sockets(desk, clients=sockets.clients)
        beating.later(BEAT_S)
        with patch.object(sessions, "PASSED_OVER_MAX", 1):
            beating.pushing.beat.round()
        assert {message["topic"] for message in sockets.messages() if message["id"] > 1} == begun.keys()
        sockets.connect("late")
        sockets.say({"method": "unsubscribe", "topics": ["balance"], "ticket": sockets.ticket()}, "late")
        for topic in begun:
            welcome, first, *_ = sockets.subscribe(topic, name="late", cursor=begun[topic])
            assert (welcome["id"], first["id"]) == (-1, 1)
        sockets.say({"method": "unsubscribe", "topics": ["balance"]}, "late")
        sockets.leave("late")
        sockets.clients.gone.add("c")
        trade_and_credit(sockets)
        sockets.streams.follow(function)
        left = {row["topic"].partition("/")[0] for row in desk.world.database.scan("connections")}
        assert left == {"instance"}
    at_the_signed_order_sockets(client)


def at_the_signed_order_sockets(client: DynamoDBClient) -> None:
    """Have takers and makers connect, get heartbeats, resume, and be turned out."""
    create_tables(client, "signed")
    desk = open_taker_desk(Database(client, "signed"))
    let_in: list[str] = []

    def start(connection_id: str) -> None:
        let_in.append(connection_id)
        with suppress(ClientError):  # there is no such function here
            caller_of(lambda: boto3.client("lambda"), BEATER, "Begin a connection")({"connection": connection_id})

    sockets = open_signed_order_sockets(desk, start, read_master_key)
    for opened in (sockets.signed("t"), sockets.maker("m")):
        assert opened.status == 200
    for connection_id in let_in:
        sockets.pushing.beat.begin(connection_id, lambda _: None)
    desk.created()
    sockets.streams.follow("push_outbox")
    (message,) = sockets.messages("t")
    desk.created(nonce=2)
    sockets.taker("late", f"{BOTH}&after={message['cursor']}")
    sockets.pushing.beat.begin("late", lambda _: None)
    assert len(sockets.messages("late")) == 1
    desk.clock.advance(BEAT_S)
    sockets.clients.gone.add("m")
    sockets.pushing.beat.round()
    assert [one["type"] for one in sockets.messages("late", heartbeats=True)].count("heartbeat") == 2


def trade_and_credit(sockets: Sockets) -> None:
    sockets.desk.world.credit("ann", QUOTE, 10**21)
    sockets.desk.place(side="buy", amount="1", price="1")
    sockets.ben.place(side="sell", amount="3", price="5")
    sockets.desk.place(side="buy", amount="3", price="5")
    sockets.desk.place(side="buy", amount="2", price="4")
    for _ in range(2):  # an order that is filled by two entries
        sockets.ben.place(side="sell", amount="1", price="4")
        sockets.desk.match()


def deliver_webhooks(database: Database) -> None:
    hooks = Hooks(database)
    hooks.endpoint()
    hooks.receive(event())
    hooks.deliverer._master_keys = lambda: [read_master_key()]
    hooks.work()
    hooks.deliverer._start = by_function(lambda: boto3.client("lambda"), DELIVERER)
    assert hooks.deliverer.sweep() == 0
    hooks.now_ms += QUIET_MS
    assert hooks.deliverer.sweep() == 1
    hooks.deliverer._cursor_of = lambda _owner: end_of_feed(database)(Owner(INSTANCE))
    hooks.receiver.answers[URL] = [Answer(410, "410")]
    hooks.receive(event(2))
    hooks.work()
