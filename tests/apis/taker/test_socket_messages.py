"""The WebSocket of the taker desk: what takers and makers are sent, and first if they resume; what a beat costs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from benchmarks.meter import metered
from chalicelib.apis.taker.socket_messages import Type
from chalicelib.domain.feed.cursor import Cursor
from chalicelib.domain.feed.event import ALL_TAKERS, taker_subject
from chalicelib.services.feed.reading import Feed
from chalicelib.services.feed.scopes import of_maker, of_taker
from chalicelib.services.push.steps import BEAT_S
from chalicelib.tables.writes import Put
from tests.apis.taker.desk import (
    INSTANCE,
    MAKER,
    NOW_S,
    OTHER_API_KEY,
    OTHER_INSTANCE,
    OTHER_MAKER_KEY,
    TAKER,
    Desk,
    data_of,
    make_key,
    open_instance,
)
from tests.apis.taker.sockets import BOTH, CHANGES, Sockets, open_sockets, refusal


def test_messages_have_the_vendors_members_and_a_cursor(sockets: Sockets) -> None:
    sockets.taker()
    sockets.maker()
    order_hash = sockets.desk.created()
    sockets.desk.lock(order_hash)
    sockets.desk.fill(order_hash, 4 * 10**18, tx_hash="0x" + "ab" * 32)
    sockets.desk.cancel(order_hash)
    sockets.follow()
    created, locked, filled, asked = sockets.messages()
    about = {"order_hash": order_hash, "maker": MAKER}
    lock = {"expires_at": "2025-01-17T04:00:24Z", "lock_id": locked["data"]["metadata"]["lock_id"]}
    at = "2025-01-17T03:00:24Z"
    assert {**created, "cursor": ""} == {
        "type": "order_status_change", "timestamp": created["timestamp"], "cursor": "",
        "data": about | {"taker": None, "from_status": None, "to_status": "pending"},
    }  # fmt: skip
    assert locked["data"] == about | {
        "taker": TAKER, "from_status": "pending", "to_status": "locked", "metadata": lock,
    }  # fmt: skip
    assert filled["data"] == about | {
        "taker": TAKER, "from_status": "locked", "to_status": "partially_filled",
        "metadata": lock | {"blockchain_tx_hash": "0x" + "ab" * 32},
    }  # fmt: skip
    assert list(asked) == ["type", "timestamp", "data", "cursor"]
    assert asked["type"] == "cancellation_request"
    assert list(asked["data"]) == ["order_hash", "maker", "reason", "metadata"]
    assert asked["data"]["reason"] == "user_requested"
    assert asked["data"]["metadata"]["expires_at"] == lock["expires_at"]
    assert asked["data"]["metadata"]["request_id"].startswith("cmd_")
    assert all(len(message["timestamp"]) == len(at) for message in sockets.messages())
    assert [{**one, "cursor": ""} for one in sockets.messages("m")] == [
        {**one, "cursor": ""} for one in (created, locked, filled)
    ]


def test_all_messages_of_a_lock_name_it_and_the_next_lock_is_another(sockets: Sockets) -> None:
    sockets.taker()
    order_hash = sockets.desk.created()
    sockets.desk.lock(order_hash)
    sockets.desk.unlock(order_hash)
    sockets.desk.clock.advance(1)
    sockets.desk.lock(order_hash)
    sockets.follow()
    named = [message["data"].get("metadata", {}).get("lock_id") for message in sockets.messages()]
    assert named[0] is None
    assert named[1] == named[2]
    assert named[3] not in named[:3]


def test_a_heartbeat_comes_first_and_then_every_30_seconds_with_its_time_in_milliseconds(sockets: Sockets) -> None:
    sockets.taker()
    for _ in range(2):
        sockets.repeat()
        sockets.pushing.beat.round()
    heartbeats = sockets.messages(heartbeats=True)
    assert [list(message) for message in heartbeats] == [["type", "timestamp", "cursor"]] * 3
    times = [(NOW_S + seconds) * 1000 for seconds in (0, BEAT_S, 2 * BEAT_S)]
    assert [message["timestamp"] for message in heartbeats] == times


def test_a_taker_is_told_which_orders_can_be_locked_and_what_becomes_of_its_own_alone(sockets: Sockets) -> None:
    sockets.taker("t")
    sockets.taker("o", desk=sockets.desk.as_other)
    order_hash = sockets.desk.created()
    sockets.desk.lock(order_hash)
    sockets.desk.unlock(order_hash)
    sockets.follow()
    assert sockets.statuses("t") == [(None, "pending"), ("pending", "locked"), ("locked", "pending")]
    assert sockets.statuses("o") == [(None, "pending"), ("locked", "pending")]


def test_a_maker_is_told_of_its_own_orders_alone(sockets: Sockets) -> None:
    other = sockets.desk.as_maker(OTHER_MAKER_KEY)
    sockets.maker("m")
    sockets.maker("o", desk=other)
    sockets.desk.created()
    sockets.follow()
    assert (sockets.statuses("m"), sockets.statuses("o")) == ([(None, "pending")], [])
    other.created(maker=other.maker)
    sockets.follow()
    assert (sockets.statuses("m"), sockets.statuses("o")) == ([(None, "pending")], [(None, "pending")])


@pytest.mark.parametrize(
    ("types", "expected"),
    [
        ("order_status_change", ["order_status_change", "order_status_change"]),
        ("cancellation_request", ["cancellation_request"]),
        (" cancellation_request ,, order_status_change,", ["order_status_change"] * 2 + ["cancellation_request"]),
    ],
)
def test_only_the_types_that_a_client_names_are_sent(sockets: Sockets, types: str, expected: list[str]) -> None:
    sockets.taker(query=f"types={types}")
    order_hash = sockets.desk.created()
    sockets.desk.lock(order_hash)
    sockets.desk.cancel(order_hash)
    sockets.follow()
    assert [message["type"] for message in sockets.messages()] == expected


EVERYBODY: dict[str, Any] = {
    "taker": lambda desk: of_taker(INSTANCE, desk.taker),
    "other taker": lambda desk: of_taker(INSTANCE, desk.as_other.taker),
    "maker": lambda desk: of_maker(INSTANCE, desk.maker),
    "other maker": lambda desk: of_maker(INSTANCE, desk.as_maker(OTHER_MAKER_KEY).maker),
}
"""Whom the feed shows what, by who asks."""


@pytest.mark.parametrize("kind", list(Type))
@pytest.mark.parametrize("who", EVERYBODY)
def test_each_type_tells_each_client_what_its_feed_shows_and_nothing_else(
    sockets: Sockets, who: str, kind: Type
) -> None:
    """Of two takers and two makers, each with orders, locks, fills, rejections and cancels of its own."""
    desk, other = sockets.desk, sockets.desk.as_maker(OTHER_MAKER_KEY)
    as_client = {"other taker": desk.as_other, "other maker": other}.get(who, desk)
    connect = sockets.maker if "maker" in who else sockets.taker
    if connect("c", f"types={kind}", as_client).status != 200:
        assert (kind, connect) == (Type.CANCELLATION_REQUEST, sockets.maker)
        return
    for maker in (desk, other):
        for number, taker in enumerate((desk, desk.as_other)):
            one, two = (maker.created(maker=maker.maker, nonce=2 * number + each) for each in (10, 11))
            taker.lock(one)
            taker.fill(one, 10**18)
            maker.cancel(one)
            taker.unlock(one)
            taker.lock(two)
            maker.cancel(two)
            taker.reject(two, reason="no")
    sockets.follow()
    scope = EVERYBODY[who](desk)
    shown = Feed(desk.database, desk.clock).read(scope, Cursor(), 1000).events
    expected = [
        (event.body["orderHash"], event.body.get("toStatus", event.body.get("reason")))
        for event in shown
        if (event.type == "signed_order.cancel_requested") == (kind is Type.CANCELLATION_REQUEST)
    ]
    told = [
        (one["data"]["order_hash"], one["data"].get("to_status", one["data"].get("reason")))
        for one in sockets.messages("c")
    ]
    assert sorted(told) == sorted(expected)
    assert len(expected) >= 2


def test_takers_of_another_instance_are_told_nothing(sockets: Sockets) -> None:
    open_instance(sockets.desk.database, OTHER_INSTANCE)
    make_key(sockets.desk.database, "key-elsewhere", TAKER, instance=OTHER_INSTANCE)
    sockets.open("e", "taker", BOTH, {"x-api-key": "key-elsewhere"})
    sockets.desk.lock(sockets.desk.created())
    sockets.follow()
    assert sockets.messages("e") == []


def test_a_batch_that_comes_again_is_told_once(sockets: Sockets) -> None:
    sockets.taker()
    sockets.desk.lock(sockets.desk.created())
    sockets.follow()
    sockets.streams.forget()
    sockets.follow()
    assert len(sockets.messages()) == 2


@pytest.mark.parametrize("at", range(4))
def test_who_resumes_gets_first_what_it_missed(sockets: Sockets, at: int) -> None:
    sockets.taker("t")
    hashes = [sockets.desk.created(nonce=nonce) for nonce in (1, 2)]
    for order_hash in hashes:
        sockets.desk.lock(order_hash)
    sockets.follow()
    whole = sockets.messages("t")
    assert len(whole) == 4
    sockets.taker("r", f"{BOTH}&after={whole[at]['cursor']}")
    missed = sockets.messages("r")
    assert sorted(str(one["data"]) for one in missed) == sorted(str(one["data"]) for one in whole[at + 1 :])
    sockets.desk.unlock(hashes[0])
    sockets.follow()
    assert sockets.statuses("r")[-1] == ("locked", "pending")


def test_a_heartbeat_tells_an_idle_client_from_where_to_resume(sockets: Sockets) -> None:
    sockets.taker("t")
    (heartbeat,) = sockets.messages("t", heartbeats=True)
    sockets.desk.created()
    sockets.taker("r", f"{CHANGES}&after={heartbeat['cursor']}")
    assert sockets.statuses("r") == [(None, "pending")]


def test_what_happens_while_a_connection_is_being_opened_is_told(desk: Desk) -> None:
    started: list[str] = []
    sockets = open_sockets(desk, started.append)
    assert sockets.taker().status == 200
    desk.created()
    sockets.follow()
    assert sockets.messages(heartbeats=True) == []
    sockets.pushing.beat.begin(started[0], lambda _: None)
    assert [one["type"] for one in sockets.messages(heartbeats=True)] == ["heartbeat", "order_status_change"]


def test_a_cursor_that_is_none_is_refused(sockets: Sockets) -> None:
    assert refusal(sockets.taker(query=f"{BOTH}&after=?")) == (400, 400001)


@pytest.mark.parametrize("are_others_there", [False, True], ids=["restored", "made anew"])
def test_a_cursor_of_other_tables_is_refused_and_leaves_no_connection(sockets: Sockets, are_others_there: bool) -> None:
    sockets.taker()
    sockets.desk.created()
    sockets.follow()
    cursor = sockets.messages()[-1]["cursor"]
    database = sockets.desk.database
    rows = list(database.scan("outbox"))
    database.delete_many("outbox", [{"owner": row["owner"], "number": row["number"]} for row in rows])
    for row in rows if are_others_there else ():
        database.write(Put("outbox", row | {"at_ms": row["at_ms"] + 1}))
    before = len(list(database.scan("connections")))
    assert refusal(sockets.taker("r", f"{BOTH}&after={cursor}")) == (410, 410)
    assert len(list(database.scan("connections"))) == before


def test_a_beat_writes_once_a_connection_and_reads_once_what_many_share(desk: Desk) -> None:
    database, meter = metered(desk.database)
    sockets = open_sockets(replace(desk, database=database))
    for name in ("a", "b", "c"):
        sockets.taker(name)
    sockets.desk.clock.advance(BEAT_S)
    meter.take()
    sockets.pushing.beat.round()
    bill = meter.take()
    assert bill.of("connections").write_units == 3
    assert bill.calls == 6, "pointers, their rows, the key, the desk, one call of three writes, and how long logs are"


def test_those_who_follow_are_found_by_a_query_for_each_key_and_one_read_of_rows_elsewhere(desk: Desk) -> None:
    database, meter = metered(desk.database)
    sockets = open_sockets(replace(desk, database=database))
    for name in ("a", "b", "c"):
        sockets.taker(name)
    connections = sockets.pushing.beat.sessions.connections
    own, all_takers = f"{INSTANCE}/{taker_subject(TAKER)}", f"{INSTANCE}/{ALL_TAKERS}"
    for keys, calls in (([all_takers], 1), ([own], 2), ([own, all_takers], 2)):
        meter.take()
        assert len(connections.following(keys)) == 3
        assert meter.take().calls == calls


def test_the_other_key_of_a_taker_gets_the_same(sockets: Sockets) -> None:
    make_key(sockets.desk.database, "second-key", TAKER.upper().replace("0X", "0x"))
    sockets.open("s", "taker", CHANGES, {"x-api-key": "second-key"})
    order_hash = sockets.desk.created()
    data_of(sockets.desk.lock(order_hash))
    sockets.follow()
    assert sockets.statuses("s") == [(None, "pending"), ("pending", "locked")]
    assert OTHER_API_KEY not in str(list(sockets.desk.database.scan("connections")))
