"""The checks of subscribers by WebSocket notice each fault that a feed can have."""

from __future__ import annotations

import json
import multiprocessing
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosedError

from benchmarks.feed_checks import Kept, kept_of
from benchmarks.feed_depth import Market
from benchmarks.feed_phases import Phases
from benchmarks.feed_socket import DELTA, FAILURES_MAX, PRIVATE, TRADE, Socket, SocketPlace, SocketTold
from benchmarks.feed_socket_checks import Asset, repeats, socket_problems_of
from chalicelib.apis.trade.ids import internal
from chalicelib.tables.dynamodb import Database
from tests.apis.trade.desk import PAIR, data_of, open_trade_desk
from tests.apis.trade.sockets import Sockets, open_sockets
from tests.world import BASE, INSTANCE, NOW_MS, QUOTE, World

EVERY = 2
Messages = list[dict[str, Any]]


@dataclass(frozen=True)
class Ran:
    """What a client got, what the logs have, and how its subscriber is placed."""

    messages: Messages
    kept: Kept
    place: SocketPlace

    def told(self, messages: Messages) -> SocketTold:
        subscriber = Socket(self.place, random.Random(0), [], Phases(0, 0))
        for message in messages:
            subscriber._take(json.dumps(message))
        return subscriber.told

    def problems(self, messages: Messages) -> list[str]:
        assets = {"B": Asset(BASE, 0), "Q": Asset(QUOTE, 18)}
        return socket_problems_of(self.kept, self.told(messages), self.place.markets, assets)

    def of(self, topic: str) -> Messages:
        return [message for message in self.messages if message["topic"].startswith(topic) and message["id"] > 0]


@pytest.fixture
def ran(memory_database: Database) -> Ran:
    """Ann follows everything, over orders that rest, trade, and are cancelled."""
    desk = open_trade_desk(World(memory_database), clock=lambda: NOW_MS)
    desk.world.credit("ann", QUOTE, 10**21 - 1000)  # to an amount that a float holds
    sockets = open_sockets(desk)
    sockets.connect()
    topics = [f"{TRADE}@{PAIR}", f"{DELTA}@{PAIR}", *PRIVATE]
    sockets.subscribe(*topics, ticket=sockets.ticket())
    for amount in (2, 4, 6):
        resting = data_of(desk.place(side="buy", amount=str(amount), price="5"))
        _match(sockets)
        sockets.ben.place(side="sell", amount=str(amount // 2), price="5")
        _match(sockets)
        assert desk.world.cancel("ann", internal(resting["id"], "ord"))
        _match(sockets)
    market = Market(PAIR, desk.world.config.book_id, 0, 18)
    place = SocketPlace("", "", "ann", "", "", [market], EVERY)
    return Ran(sockets.messages(), kept_of(memory_database, INSTANCE, ["ann", "ben"], EVERY), place)


def _match(sockets: Sockets) -> None:
    sockets.desk.match()
    sockets.follow()


def test_a_subscriber_that_was_told_everything_has_no_problem(ran: Ran) -> None:
    told = ran.told(ran.messages)
    assert ran.problems(ran.messages) == []
    assert len(told.depths) >= 2
    assert told.hashes == len(ran.of(DELTA)) >= 6
    for topic in (TRADE, *PRIVATE):
        assert ran.of(topic), topic


@pytest.mark.parametrize("topic", [TRADE, DELTA, "user_trades", "order_status"])
def test_each_message_that_is_left_out_is_a_gap_in_its_ids_and_of_its_topic(ran: Ran, topic: str) -> None:
    for left_out in ran.of(topic)[:-1]:
        problems = ran.problems([message for message in ran.messages if message is not left_out])
        assert any(f"id {left_out['id'] + 1} follows" in problem for problem in problems)
        if topic != DELTA or left_out["id"] > 1:
            assert any("did not bring 1 events" in problem for problem in problems)
    *_, last = ran.of(topic)
    assert any("did not bring" in one for one in ran.problems([one for one in ran.messages if one is not last]))


def test_a_balance_that_is_not_told_is_noticed(ran: Ran) -> None:
    *_, last = [one for one in ran.of("balance") if any(b["currency_code"] == "Q" for b in one["body"]["balances"])]
    problems = socket_problems_of(
        ran.kept,
        ran.told([one for one in ran.messages if one is not last]),
        ran.place.markets,
        {"B": Asset(BASE, 0), "Q": Asset(QUOTE, 18)},
    )
    assert any("of Q, was told" in problem for problem in problems)


def test_a_message_that_comes_again_under_its_id_is_one_and_under_another_a_double(ran: Ran) -> None:
    *_, last = ran.of("user_trades")
    assert ran.problems([*ran.messages, last]) == []
    assert ran.told([*ran.messages, last]).repeated == 1
    assert "ann by WebSocket: 1 doubles" in ran.problems([*ran.messages, {**last, "id": last["id"] + 1}])


def test_messages_that_all_come_again_under_their_ids_are_doubles(ran: Ran) -> None:
    """Under R49 a client passes them over; but only a fault may send them."""
    twice = [message for message in ran.messages for _ in range(2)]
    assert ran.problems(twice) == []
    (problem,) = repeats([ran.told(twice)])
    assert "messages came again under their ids" in problem
    assert repeats([ran.told([*ran.messages, ran.messages[-1]])]) == []


def test_a_server_that_ends_each_connection_at_once_is_a_fault(ran: Ran, monkeypatch: pytest.MonkeyPatch) -> None:
    tries = iter(range(FAILURES_MAX + 1))

    def ended() -> None:
        next(tries)
        raise ConnectionClosedError(None, None)

    monkeypatch.setattr("benchmarks.feed_socket.PAUSE_S", 0)
    subscriber = Socket(ran.place, random.Random(0), [], Phases(0, 0))
    monkeypatch.setattr(subscriber, "_connected", ended)
    subscriber.follow(multiprocessing.Event())
    assert subscriber.told.ended_by_server == FAILURES_MAX + 1
    assert [fault.partition(":")[0] for fault in subscriber.told.faults] == ["cannot follow"]


def test_a_message_whose_cursor_was_forgotten_may_come_again_on_the_next_connection(ran: Ran) -> None:
    subscriber = Socket(ran.place, random.Random(0), [], Phases(0, 0))
    for message in ran.messages[:-1]:
        subscriber._take(json.dumps(message))
    last = ran.messages[-1]
    before = subscriber.told.topics[last["topic"]].cursor
    assert subscriber._take(json.dumps(last), forgets=True)
    assert subscriber.told.topics[last["topic"]].cursor == before != last["cursor"]
    subscriber._ids.clear()
    subscriber._take(json.dumps({**last, "id": 1}))
    assert subscriber.told.topics[last["topic"]].cursor == last["cursor"]
    assert (subscriber.told.again, subscriber.told.doubles, subscriber.told.faults) == (1, 0, [])


def _with_hash(message: dict[str, Any]) -> dict[str, Any]:
    return {**message, "body": {**message["body"], "hash": "1"}}


def _with_less(message: dict[str, Any]) -> dict[str, Any]:
    bids = [{**level, "amount": level["amount"] + 1} for level in message["body"]["bids"]]
    return {**message, "body": {**message["body"], "bids": bids}}


@pytest.mark.parametrize("changed", [_with_hash, _with_less])
def test_a_delta_that_leads_to_another_depth_than_its_hash_says_is_noticed(
    ran: Ran, changed: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    wrong = next(one for one in ran.of(DELTA) if one["id"] > 1 and one["body"]["bids"])
    messages = [changed(one) if one is wrong else one for one in ran.messages]
    assert any("another hash" in problem for problem in ran.problems(messages))


def test_a_depth_that_differs_from_the_journals_is_noticed(ran: Ran) -> None:
    kept = replace(ran.kept, depths=dict.fromkeys(ran.kept.depths, "0"))
    problems = socket_problems_of(kept, ran.told(ran.messages), ran.place.markets, {})
    assert any("differs at" in problem for problem in problems)


def test_an_error_of_the_server_is_a_fault(ran: Ran) -> None:
    said = {"id": -1, "topic": "error", "timestamp": 1, "body": {"message": "no"}}
    assert any("error" in problem for problem in ran.problems([*ran.messages, said]))
