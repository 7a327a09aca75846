"""Beats come once, whoever beats beside or died, under ids without gaps."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from chalicelib.domain.feed.cursor import Place
from chalicelib.domain.feed.event import FeedEvent
from chalicelib.domain.feed.subscription import INTENT_LIFE_MS, UnknownConnection
from chalicelib.services.push.broadcasting import PASSED_OVER_MAX
from chalicelib.services.push.recent import ENTRIES_MAX
from chalicelib.services.push.steps import BEAT_S, EARLY_S
from chalicelib.tables.dynamodb import Database
from tests.faults import Died, FaultyClient, raising
from tests.services.push.world import (
    ANNS_EVENT,
    BOOK_A,
    BOOK_B,
    HEARTBEAT,
    LANE,
    NOBODYS_EVENT,
    ONE_TAKERS_EVENT,
    PUBLIC_EVENT,
    TAKER,
    TAKERS,
    TAKERS_EVENT,
    EachEvent,
    PushWorld,
    later,
    numbered,
    of_taker,
    prepared,
    texts,
)
from tests.world import INSTANCE

STATE = "state of trade@ob_a at 1"


def of_book(world: PushWorld, name: str = "c") -> list[FeedEvent]:
    """Connect a client to a topic that shows a book's state, and is at its first entry. Return that entry's events."""
    world.connect(name)
    events = world.happen(BOOK_A, PUBLIC_EVENT)
    world.follow_book(name, BOOK_A, place=1, repeats=True)
    return events


def test_the_state_of_a_book_is_sent_again_under_the_next_id_every_30_seconds(world: PushWorld) -> None:
    of_book(world)
    for _ in range(3):
        world.beat().round()
        world.beat().round()
        later(world)
    assert world.clients.of("c") == numbered(STATE, STATE, STATE)
    new = world.happen(BOOK_A, PUBLIC_EVENT)
    world.broadcaster().receive(INSTANCE, new)
    assert world.clients.of("c")[3:] == [(4, new[0].event_id)]


def test_a_message_takes_the_place_of_the_next_beat_of_a_state(world: PushWorld) -> None:
    of_book(world)
    later(world, BEAT_S)
    world.broadcaster().receive(INSTANCE, world.happen(BOOK_A, PUBLIC_EVENT))
    later(world, EARLY_S - 1)
    world.beat().round()
    assert len(world.clients.received) == 1
    later(world, BEAT_S)
    world.beat().round()
    assert [one for one, _ in world.clients.of("c")] == [1, 2]


@pytest.mark.parametrize("phase_s", range(0, BEAT_S, 4))
def test_the_first_beat_comes_soon_enough_wherever_the_looks_stand(world: PushWorld, phase_s: int) -> None:
    """Looks come every 30 seconds, the next one at some moment after the connection has begun."""
    prepared(world)
    world.clients.gone.discard("c")
    began_ms = world.now_ms
    world.beat().begin("c", lambda _: None)
    later(world, phase_s)
    while texts(world) == [HEARTBEAT]:
        world.beat().round()
        if texts(world) == [HEARTBEAT]:
            later(world)
    assert world.now_ms - began_ms <= (BEAT_S + EARLY_S) * 1000


def test_a_heartbeat_comes_every_30_seconds_whatever_else_is_sent(world: PushWorld) -> None:
    of_taker(world)
    for _ in range(3):
        world.broadcaster().receive(INSTANCE, world.happen(LANE, TAKERS_EVENT))
        world.beat().round()
        later(world)
    assert texts(world).count(HEARTBEAT) == 3


@pytest.mark.parametrize("of", [of_book, of_taker])
def test_of_two_that_beat_at_once_one_sends(world: PushWorld, of: Callable[[PushWorld], Any]) -> None:
    """While one sends its beat, another does its whole round in the same millisecond, and then one more."""
    of(world)
    rivals = [world.beat(), world.beat()]

    def rivals_too() -> None:
        world.clients.before_send = lambda: None
        for rival in rivals:
            rival.round()

    world.clients.before_send = rivals_too
    world.beat().round()
    assert len(world.clients.received) == 1


def test_two_that_have_read_the_same_claim_one_beat(world: PushWorld) -> None:
    of_taker(world)
    of_book(world, "d")
    rival = world.beat()
    beat = world.beat()
    move = beat.sessions.connections.move

    def after_the_rival(moves: Any) -> list[int]:
        rival.round()
        return move(moves)

    beat.sessions.connections.move = after_the_rival
    beat.broadcaster._connections = beat.sessions.connections
    beat.round()
    assert [name for name, _ in world.clients.received] == ["d", "c"]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_death_at_any_store_call_of_a_beat_renumbers_nothing_and_the_next_beat_comes(
    fresh_world: Callable[[], PushWorld], after: bool
) -> None:
    for at in count(1):
        world = fresh_world()
        of_book(world)
        of_taker(world, "d")
        client = FaultyClient(world.database._client, raising(Died(), after=after))
        faulty = Database(client, world.database.name("").removesuffix("-"), pause=lambda _: None)
        client.strike_at(at)
        try:
            world.beat(faulty).round()
        except Died:
            later(world)
            world.beat().round()
        new = world.happen(BOOK_A, PUBLIC_EVENT)
        world.broadcaster().receive(INSTANCE, new)
        for name in ("c", "d"):
            assert world.clients.of(name)
        by_id = dict(world.clients.of("c"))
        assert list(by_id) == list(range(1, len(by_id) + 1))
        assert set(world.clients.of("c")) == set(by_id.items())
        assert by_id[len(by_id)] == new[0].event_id
        if not client.has_struck:
            break
    assert at > 5


@pytest.mark.parametrize("by_event", [False, True], ids=["by the next beat", "with the next entry"])
def test_a_state_that_was_sent_by_one_that_died_is_sent_again_under_its_id(world: PushWorld, by_event: bool) -> None:
    of_book(world)

    def die() -> None:
        world.clients.after_send = lambda: None
        raise Died

    world.clients.after_send = die
    with pytest.raises(Died):
        world.beat().round()
    later(world)
    assert BEAT_S * 1000 > INTENT_LIFE_MS
    if by_event:
        new = world.happen(BOOK_A, PUBLIC_EVENT)
        world.broadcaster().receive(INSTANCE, new)
        assert world.clients.of("c") == [(1, STATE), (1, STATE), (2, new[0].event_id)]
    else:
        world.beat().round()
        assert world.clients.of("c") == [(1, STATE), (1, STATE)]


@pytest.mark.parametrize("entries", [PASSED_OVER_MAX - 1, PASSED_OVER_MAX, 2 * ENTRIES_MAX + 7])
def test_who_hears_nothing_is_moved_on_by_the_beat_so_that_the_next_event_reads_little(
    world: PushWorld, entries: int
) -> None:
    for name in ("c", "d"):
        world.connect(name)
        world.follow_ann(name, beats=True)
    for _ in range(entries):
        world.happen(BOOK_A, PUBLIC_EVENT, NOBODYS_EVENT)
    world.beat().round()
    read = sum(until - after for _, after, until in world.reads)
    assert entries - PASSED_OVER_MAX < read <= entries
    world.reads.clear()
    own = world.happen(BOOK_A, ANNS_EVENT)
    world.broadcaster().receive(INSTANCE, own)
    assert sum(until - after for _, after, until in world.reads) == entries - read
    for name in ("c", "d"):
        assert world.clients.of(name) == numbered(own[0].event_id)


def test_who_is_moved_on_by_two_beats_at_once_gets_what_is_theirs_there_under_one_id(world: PushWorld) -> None:
    world.connect("c")
    world.follow_ann("c", beats=True)
    own = []
    for _ in range(3):
        for _ in range(PASSED_OVER_MAX):
            world.happen(BOOK_A, NOBODYS_EVENT)
        own.append(world.happen(BOOK_B, ANNS_EVENT)[0].event_id)
    beats = [world.beat(), world.beat()]
    world.clients.before_send = lambda: (setattr(world.clients, "before_send", lambda: None), beats[1].round())[1]
    beats[0].round()
    world.broadcaster().receive(INSTANCE, world.logs[BOOK_B][-1])
    assert sorted(set(world.clients.of("c"))) == numbered(*own)


def test_an_instance_whose_logs_cannot_be_read_keeps_no_other_from_its_beat(world: PushWorld) -> None:
    of_taker(world, "c")
    for _ in range(PASSED_OVER_MAX):
        world.happen(LANE, NOBODYS_EVENT)
    beat = world.beat()
    beat.sessions._feed = None  # type: ignore[assignment]
    beat.round()
    assert texts(world) == [HEARTBEAT]


def test_a_client_that_is_gone_is_removed_by_its_beat_and_others_get_theirs(world: PushWorld) -> None:
    for name in ("c", "d"):
        of_taker(world, name)
    world.clients.gone.add("c")
    world.beat().round()
    assert world.clients.of("d") == [(1, HEARTBEAT)]
    with pytest.raises(UnknownConnection):
        world.connections.get("c")


@pytest.mark.parametrize("credential", ["kept", "lost"])
def test_a_client_that_leaves_while_it_subscribes_leaves_nothing_behind_the_next_beat(
    world: PushWorld, credential: str
) -> None:
    world.connect("c")
    world.leave_while(lambda: world.connections.subscribe(world.taker("c", credential=credential)), "c")
    world.taker_desk.disabled.add("lost")
    assert world.rows_of("c") != []
    later(world)
    world.beat().round()
    assert world.rows_of("c") == []


def test_a_client_whose_credential_is_disabled_is_turned_out_with_the_next_beat(world: PushWorld) -> None:
    of_taker(world, "c", credential="lost")
    of_taker(world, "d", credential="kept")
    world.taker_desk.disabled.add("lost")
    world.beat().round()
    assert world.clients.gone == {"c"}
    world.broadcaster().receive(INSTANCE, world.happen(LANE, TAKERS_EVENT))
    assert texts(world, "c") == []
    assert len(texts(world, "d")) == 2


def test_a_client_that_cannot_be_turned_out_keeps_no_other_from_its_beat(world: PushWorld) -> None:
    of_taker(world, "c", credential="lost")
    of_taker(world, "d")
    world.taker_desk.disabled.add("lost")

    def broken(_connection_id: str) -> None:
        raise OSError("no answer")

    world.clients.close = broken
    world.beat().round()
    world.broadcaster().receive(INSTANCE, world.happen(LANE, TAKERS_EVENT))
    assert (texts(world, "c"), len(texts(world, "d"))) == ([], 2)


def test_a_client_of_whom_nothing_can_be_read_gets_its_beat_later(world: PushWorld) -> None:
    of_taker(world)
    lets = world.taker_desk.lets

    def unreadable(_one: Any) -> bool:
        raise OSError("no answer")

    world.taker_desk.lets = unreadable
    world.beat().round()
    assert (texts(world), world.clients.gone) == ([], set())
    world.taker_desk.lets = lets
    world.beat().round()
    assert texts(world) == [HEARTBEAT]


def test_a_state_that_cannot_be_shown_keeps_no_heartbeat_back(world: PushWorld) -> None:
    of_book(world)
    of_taker(world, "d")

    def broken(one: Any, place: Place | None = None) -> Any:
        if one.book_id is not None:
            raise LookupError("no such book")
        return EachEvent.state(world.trade, one, place)

    world.trade.state = broken
    world.beat().round()
    assert (texts(world, "c"), texts(world, "d")) == ([], [HEARTBEAT])


def test_without_connections_a_beat_is_one_read(world: PushWorld) -> None:
    client = FaultyClient(world.database._client, raising(Died(), after=False))
    world.beat(Database(client, world.database.name("").removesuffix("-"), pause=lambda _: None)).round()
    assert client.calls == 1


def test_a_beat_of_every_minute_is_two_half_a_minute_apart_if_anybody_is_there(world: PushWorld) -> None:
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        later(world, seconds)

    world.beat().run(pause)
    assert pauses == []
    of_taker(world)
    for minute in (1, 2):
        world.beat().run(pause)
        assert (texts(world), pauses) == ([HEARTBEAT] * 2 * minute, [BEAT_S] * minute)
        later(world, BEAT_S)


# Subscriptions of several keys


def test_who_follows_several_keys_gets_an_event_of_both_once(world: PushWorld) -> None:
    of_taker(world)
    events = world.happen(LANE, TAKERS_EVENT, ONE_TAKERS_EVENT, frozenset({TAKERS, TAKER}), NOBODYS_EVENT)
    events += world.happen(LANE, ONE_TAKERS_EVENT)
    world.broadcaster().receive(INSTANCE, events)
    shown = [event for event in events if event.receivers]
    assert world.clients.of("c") == numbered(*(event.event_id for event in shown))


def test_a_message_costs_an_intent_and_a_move_and_no_read_of_its_row(world: PushWorld) -> None:
    of_taker(world)
    client = FaultyClient(world.database._client, raising(Died(), after=False))
    broadcaster = world.broadcaster(Database(client, world.database.name("").removesuffix("-"), pause=lambda _: None))
    broadcaster.receive(INSTANCE, world.happen(LANE, TAKERS_EVENT))
    assert client.calls == 4, "whether anybody is connected, who follows, the intent, the move"


def test_a_key_of_a_subscription_is_found_alone(world: PushWorld) -> None:
    of_taker(world)
    for receivers in (ONE_TAKERS_EVENT, TAKERS_EVENT):
        world.broadcaster().receive(INSTANCE, world.happen(LANE, receivers))
    assert len(texts(world)) == 2


def test_a_taker_gets_nothing_of_another(world: PushWorld) -> None:
    of_taker(world)
    world.broadcaster().receive(INSTANCE, world.happen(LANE, frozenset({"taker/0xt2"}), frozenset({"maker/0xt1"})))
    assert texts(world) == []


def test_all_rows_of_a_subscription_go_with_its_connection(world: PushWorld) -> None:
    of_taker(world)
    world.connections.close("c")
    assert {row["topic"].partition("/")[0] for row in world.database.scan("connections")} == {"instance"}


def test_all_rows_of_a_subscription_go_with_it(world: PushWorld) -> None:
    of_taker(world)
    world.connections.unsubscribe("c", "all")
    assert not [row for row in world.database.scan("connections") if row["topic"].startswith("follows/")]
