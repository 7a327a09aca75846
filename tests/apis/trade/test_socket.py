"""The trade desk's WebSocket: connections, tickets, subscriptions, and who may follow what."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.apis.kit.sockets import MESSAGE_BYTES_MAX
from chalicelib.apis.trade.pairs import Market, Pairs
from chalicelib.apis.trade.socket_topics import Topic
from chalicelib.domain.books.vocabulary import BookStatus
from chalicelib.domain.feed.subscription import CONNECTIONS_MAX, SUBSCRIPTIONS_MAX
from chalicelib.domain.tenancy.credentials import digest_of
from chalicelib.domain.tenancy.instances import InstanceStatus
from chalicelib.domain.tenancy.keys import API_TOKENS, TokenStatus
from chalicelib.services.books.depth import DepthReader
from chalicelib.services.push.sessions import HANDSHAKE_S
from chalicelib.services.tenancy import tickets
from chalicelib.tables.credentials import Credentials
from chalicelib.tables.tenants import Tenants
from chalicelib.tables.writes import Put
from tests.apis.trade.desk import PAIR, SignedDesk
from tests.apis.trade.sockets import DELTA, DEPTH, TICKER, TRADES, Sockets, bodies, numbered, open_sockets
from tests.faults import unavailable
from tests.world import INSTANCE, NOW_MS


def test_pairs_are_named_in_any_case_and_answered_in_capitals(sockets: Sockets) -> None:
    (welcome,) = sockets.subscribe(f"trade@{PAIR.lower()}")
    assert welcome["topic"] == TRADES


def test_private_topics_need_a_ticket(sockets: Sockets) -> None:
    (error,) = sockets.subscribe("balance")
    assert error["topic"] == "error"
    assert "ticket" in error["body"]["message"]


def test_a_ticket_is_spent_once_and_binds_the_connection_to_its_customer(sockets: Sockets) -> None:
    ticket = sockets.ticket()
    assert numbered(sockets.subscribe("balance", ticket=ticket)) == [-1]
    sockets.connect("d")
    for name, other in (("d", ticket), ("c", sockets.ticket(sockets.ben)), ("d", "x"), ("d", 7)):
        (error,) = sockets.subscribe("balance", name=name, ticket=other)
        assert error["topic"] == "error"
    sockets.trade()
    assert all(message["body"]["user_id"] == "ann" for message in sockets.messages() if message["id"] > 0)


def test_a_ticket_ends_after_a_minute(sockets: Sockets, monkeypatch: pytest.MonkeyPatch) -> None:
    ticket = sockets.ticket()
    spent_at = NOW_MS // 1000 + tickets.LIFE_S
    monkeypatch.setattr(sockets.socket.tickets, "_now_s", lambda: spent_at)
    (error,) = sockets.subscribe("balance", ticket=ticket)
    assert error["topic"] == "error"


@pytest.mark.parametrize("topic", list(Topic))
def test_of_each_topic_a_customer_gets_what_is_public_and_nothing_of_anothers(sockets: Sockets, topic: Topic) -> None:
    """Ann trades with ben while cat follows: no private topic tells it, and no public one names them."""
    cat = sockets.desk.as_customer("cat")
    name = topic if topic.is_private else f"{topic}@{PAIR}"
    sockets.subscribe(name, ticket=sockets.ticket(cat))
    sockets.trade()
    sockets.repeat()
    told = [message for message in sockets.messages() if message["id"] > 0]
    assert bool(told) is not topic.is_private
    assert not re.search(r"\b(ann|ben)\b", json.dumps(bodies(told)))


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"nonsense",
        b"[]",
        b"\xff",
        b'{"method":"subscribe"}',
        b'{"method":"subscribe","topics":[]}',
        b'{"method":"subscribe","topics":"trade@B_Q"}',
        b'{"method":"subscribe","topics":["trade"]}',
        b'{"method":"subscribe","topics":["trade@"]}',
        b'{"method":"subscribe","topics":["trade@X_Y"]}',
        b'{"method":"subscribe","topics":["balance@B_Q"]}',
        b'{"method":"subscribe","topics":["deposit"]}',
        b'{"method":"subscribe","topics":[7]}',
        b'{"method":"subscribe","topics":["trade@B_Q"],"cursor":"?"}',
        b'{"method":"subscribe","topics":["trade@B_Q"],"cursor":7}',
        b'{"method":"order.create"}',
        b'{"method":["subscribe"]}',
        b"[" * MESSAGE_BYTES_MAX,
        b'{"a":' * 1000,
        b'"' + b"x" * (MESSAGE_BYTES_MAX + 1) + b'"',
    ],
)
def test_a_bad_message_is_answered_with_an_error_and_changes_nothing(sockets: Sockets, message: bytes) -> None:
    before = list(sockets.desk.world.database.scan("connections"))
    (error,) = sockets.say(message)
    assert (error["id"], error["topic"]) == (-1, "error")
    assert list(sockets.desk.world.database.scan("connections")) == before


def test_a_ping_is_answered(sockets: Sockets) -> None:
    (pong,) = sockets.say({"method": "ping"})
    assert (pong["id"], pong["topic"]) == (-1, "pong")


def test_after_unsubscribing_no_more_messages_come_and_ids_begin_anew(sockets: Sockets) -> None:
    sockets.subscribe(TRADES)
    sockets.trade()
    (gone,) = sockets.say({"method": "unsubscribe", "topics": [TRADES]})
    assert gone["topic"] == TRADES
    before = len(sockets.messages())
    sockets.trade()
    assert len(sockets.messages()) == before
    sockets.subscribe(TRADES)
    sockets.trade()
    assert numbered(sockets.messages()[before:]) == [-1, 1]


def test_who_unsubscribes_from_a_topic_that_it_does_not_follow_is_answered_too(sockets: Sockets) -> None:
    for _ in range(2):
        (gone,) = sockets.say({"method": "unsubscribe", "topics": [TRADES]})
        assert (gone["id"], gone["topic"], gone["body"]) == (-1, TRADES, {"message": "unsubscribed"})


def test_who_follows_a_pair_can_leave_it_once_its_book_is_closed(sockets: Sockets) -> None:
    sockets.subscribe(TRADES)
    sockets.desk.world.change_status(BookStatus.CLOSED)
    (gone,) = sockets.say({"method": "unsubscribe", "topics": [TRADES.lower()]})
    assert (gone["topic"], gone["body"]) == (TRADES, {"message": "unsubscribed"})
    assert [row for row in sockets.desk.world.database.scan("connections") if TRADES in str(row)] == []


def test_a_connection_has_a_bounded_number_of_topics(sockets: Sockets) -> None:
    (error,) = sockets.subscribe(*[TRADES] * (SUBSCRIPTIONS_MAX + 1))
    assert error["topic"] == "error"


def test_an_address_has_a_bounded_number_of_connections(sockets: Sockets) -> None:
    statuses = [sockets.connect(f"n{number}").status for number in range(CONNECTIONS_MAX)]
    assert statuses == [200] * (CONNECTIONS_MAX - 1) + [429]
    assert sockets.connect("elsewhere", "192.0.2.2").status == 200


def test_a_connection_says_a_bounded_number_of_messages_a_second(sockets: Sockets) -> None:
    sockets.connect("d")
    topics = [sockets.say({"method": "ping"})[0]["topic"] for _ in range(101)]
    assert topics == ["pong"] * 100 + ["error"]
    (refused,) = sockets.subscribe(TRADES)
    assert refused["body"] == {"message": "too many messages"}
    assert sockets.say({"method": "ping"}, "d")[0]["topic"] == "pong"
    sockets.later(1)
    assert sockets.say({"method": "ping"})[0]["topic"] == "pong"


def test_connections_that_have_ended_without_a_word_are_not_counted(sockets: Sockets) -> None:
    """No event is sure to tell that a connection has ended. One whose handshake may go on is none of them."""
    names = [f"n{number}" for number in range(CONNECTIONS_MAX - 1)]
    assert {sockets.connect(name).status for name in names} == {200}
    sockets.subscribe(TRADES, name="n0")
    sockets.clients.gone |= {"n0", "n1"}
    assert sockets.connect("another").status == 429
    sockets.later(HANDSHAKE_S + 1)
    assert [sockets.connect(f"m{number}").status for number in range(3)] == [200, 200, 429]
    rows = list(sockets.desk.world.database.scan("connections"))
    assert not [
        row for row in rows if {"n0", "n1"} & {row["topic"].partition("/")[2], row["connection"].partition("/")[0]}
    ]


def test_without_a_public_instance_everything_needs_a_ticket(sockets: Sockets) -> None:
    sockets = open_sockets(sockets.desk, public_instance=None)
    assert sockets.connect("d").status == 200
    assert sockets.subscribe(TRADES, name="d")[0]["topic"] == "error"
    assert sockets.subscribe(TRADES, name="d", ticket=sockets.ticket())[0]["topic"] == TRADES


def test_a_message_on_a_connection_that_is_gone_closes_it(sockets: Sockets) -> None:
    assert sockets.say({"method": "ping"}, "unknown") == []
    assert sockets.clients.gone == {"unknown"}


def block(desk: SignedDesk) -> None:
    Credentials(desk.world.database, API_TOKENS).change(digest_of(desk.token), status=TokenStatus.BLOCKED)


def delete(desk: SignedDesk) -> None:
    Credentials(desk.world.database, API_TOKENS).delete(digest_of(desk.token))


def archive(desk: SignedDesk) -> None:
    tenants = Tenants(desk.world.database, lambda: NOW_MS // 1000)
    tenants.change(INSTANCE, lambda found: replace(found, status=InstanceStatus.ARCHIVED))


def switch_off(desk: SignedDesk) -> None:
    tenants = Tenants(desk.world.database, lambda: NOW_MS // 1000)
    tenants.change(INSTANCE, lambda found: replace(found, services=frozenset()))


@pytest.mark.parametrize("end", [block, delete, archive, switch_off])
def test_who_follows_private_topics_by_a_token_that_is_no_longer_good_is_turned_out(sockets: Sockets, end: Any) -> None:
    sockets.subscribe("user_trades", ticket=sockets.ticket())
    sockets.connect("p", "192.0.2.2")
    sockets.subscribe(TRADES, name="p")
    sockets.pushing.beat.round()
    assert sockets.clients.gone == set()
    end(sockets.desk)
    sockets.pushing.beat.round()
    assert sockets.clients.gone == {"c"}


def test_a_topic_whose_state_cannot_be_read_now_is_refused_in_words(
    sockets: Sockets, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DepthReader, "whole", unavailable)
    (refused,) = sockets.subscribe(DEPTH)
    assert (refused["topic"], refused["body"]) == (
        "error", {"message": f"{DEPTH} cannot be read now: subscribe again, with the cursor of its last message"},
    )  # fmt: skip


def test_a_topic_that_is_refused_keeps_no_other_of_its_message_from_being_followed(
    sockets: Sockets, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DepthReader, "whole", unavailable)
    answers = sockets.subscribe(DEPTH, TRADES, TICKER)
    assert [message["topic"] for message in answers] == ["error", TRADES, "error"]
    assert [body["message"].partition(" ")[0] for body in bodies(answers)] == [DEPTH, "subscribed", TICKER]


@pytest.mark.parametrize("topic", ["trade", "ticker"])
def test_who_says_later_that_it_is_of_another_instance_follows_a_topic_once(sockets: Sockets, topic: str) -> None:
    """A pair of the public instance, and the one of that name where the client's ticket is of."""
    name = f"{topic}@{PAIR}"
    world = sockets.desk.world
    sockets.subscribe(name)
    connection = world.database.get("connections", {"topic": "connection/c", "connection": "connection"})
    assert connection is not None
    ((_, *keys),) = connection["topics"]
    elsewhere = [key.replace(INSTANCE, "inst_else") for key in keys]
    database = world.database
    database.write(Put("connections", connection | {"topics": [[name, *elsewhere]]}))
    rows = [row for row in database.scan("connections") if row["topic"].startswith("follows/")]
    for row in rows:
        database.write(Put("connections", row | {"topic": row["topic"].replace(INSTANCE, "inst_else")}))
    sockets.subscribe(name)
    topics = [row["topic"] for row in database.scan("connections") if row["topic"].startswith("follows/")]
    assert sorted(topics) == sorted(row["topic"] for row in rows)


def test_a_pair_is_read_once_for_all_topics_of_a_message(sockets: Sockets, monkeypatch: pytest.MonkeyPatch) -> None:
    read, open_book = [], Pairs.open_book

    def noting(pairs: Pairs, instance: str, pair: str) -> Market:
        read.append(pair)
        return open_book(pairs, instance, pair)

    monkeypatch.setattr(Pairs, "open_book", noting)
    answers = sockets.subscribe(TRADES, DEPTH, DELTA, TICKER, "user_trades", ticket=sockets.ticket())
    assert {answer["topic"] for answer in answers} == {TRADES, DEPTH, DELTA, TICKER, "user_trades"}
    assert read == [PAIR]
