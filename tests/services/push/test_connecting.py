"""A connection that subscribes by connecting begins with a heartbeat, and with all since; a beat finishes what died."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import pytest

from chalicelib.domain.feed.subscription import UnknownConnection
from chalicelib.services.push import steps
from chalicelib.services.push.recent import ENTRIES_MAX
from chalicelib.services.push.sessions import ENTRIES_LEFT, OPENING_S, TELLING_S
from chalicelib.tables.dynamodb import Database
from tests.faults import Died, FaultyClient, raising
from tests.services.push.world import (
    HEARTBEAT,
    LANE,
    NOBODYS_EVENT,
    ONE_TAKERS_EVENT,
    TAKERS_EVENT,
    PushWorld,
    later,
    of_taker,
    prepared,
    texts,
)
from tests.world import INSTANCE


def test_what_happens_until_a_connection_is_open_comes_behind_its_first_heartbeat(world: PushWorld) -> None:
    prepared(world)
    new = world.happen(LANE, TAKERS_EVENT)
    world.broadcaster().receive(INSTANCE, new)
    looks = count()

    def pause(_seconds: float) -> None:
        if next(looks) == 2:
            world.clients.gone.discard("c")

    world.beat().begin("c", pause)
    assert texts(world) == [HEARTBEAT, new[0].event_id]
    newer = world.happen(LANE, ONE_TAKERS_EVENT)
    world.broadcaster().receive(INSTANCE, newer)
    assert texts(world)[2:] == [newer[0].event_id]


def test_a_connection_that_never_opens_is_given_up(world: PushWorld) -> None:
    prepared(world)
    world.beat().begin("c", lambda _: None)
    world.beat().round()
    world.connections.get("c")
    later(world, OPENING_S)
    world.beat().round()
    with pytest.raises(UnknownConnection):
        world.connections.get("c")


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("what", ["store", "message"])
@pytest.mark.parametrize("with_event", [False, True], ids=["nothing happens", "something happens"])
def test_a_beginning_that_dies_anywhere_is_finished_by_a_beat(
    fresh_world: Callable[[], PushWorld], what: str, after: bool, with_event: bool
) -> None:
    for at in count(1):
        world = fresh_world()
        prepared(world)
        world.clients.gone.discard("c")
        first = world.happen(LANE, TAKERS_EVENT) + world.happen(LANE, ONE_TAKERS_EVENT)
        client = FaultyClient(world.database._client, raising(Died(), after=after))
        faulty = Database(client, world.database.name("").removesuffix("-"), pause=lambda _: None)
        sends, has_died = count(1), False

        def die(sends: count[int] = sends, at: int = at) -> None:
            if next(sends) == at:
                raise Died

        if what == "store":
            client.strike_at(at)
        else:
            setattr(world.clients, "after_send" if after else "before_send", die)
        try:
            world.beat(faulty).begin("c", lambda _: None)
        except Died:
            has_died = True
        world.clients.before_send = world.clients.after_send = lambda: None
        if with_event:
            first += world.happen(LANE, TAKERS_EVENT)
            world.broadcaster().receive(INSTANCE, first[-1:])
        for _ in range(2):
            later(world)
            world.beat().round()
        told = [text for text in texts(world) if text != HEARTBEAT]
        assert list(dict.fromkeys(told)) == [event.event_id for event in first]
        assert texts(world)[0] == HEARTBEAT
        if not has_died:
            break
    assert at > 3


def test_a_beginning_that_nobody_has_started_is_made_by_the_beat(world: PushWorld) -> None:
    prepared(world)
    world.clients.gone.discard("c")
    missed = world.happen(LANE, TAKERS_EVENT)
    later(world)
    world.beat().round()
    assert texts(world) == [HEARTBEAT, missed[0].event_id]


def test_of_two_that_begin_at_once_one_tells_what_was_missed(world: PushWorld) -> None:
    prepared(world)
    world.clients.gone.discard("c")
    missed = world.happen(LANE, TAKERS_EVENT)
    beat, rival = world.beat(), world.beat()

    def rival_too() -> None:
        world.clients.before_send = lambda: None
        rival.begin("c", lambda _: None)

    world.clients.before_send = rival_too
    beat.begin("c", lambda _: None)
    assert texts(world) == [HEARTBEAT, missed[0].event_id, HEARTBEAT]


def test_what_is_not_connected_any_more_does_not_begin(world: PushWorld) -> None:
    world.beat().begin("unknown", lambda _: None)
    assert world.clients.received == []


def test_t160_what_a_client_that_has_left_missed_is_not_gone_through(world: PushWorld) -> None:
    """Each step of it would read its logs, and what is sent to nobody tells nobody that the client has left."""
    prepared(world)
    own = world.happen(LANE, TAKERS_EVENT)
    for _ in range(10 * ENTRIES_MAX):
        world.happen(LANE, NOBODYS_EVENT)
    world.clients.gone.discard("c")

    def leave() -> None:
        if texts(world)[-1] == own[0].event_id:
            world.connections.close("c")

    world.clients.after_send = leave
    world.beat().begin("c", lambda _: None)
    assert world.reads == [(LANE, 1, ENTRIES_LEFT + 1)]
    assert world.rows_of("c") == []


def test_who_missed_much_is_told_before_anybody_waits_for_it(world: PushWorld) -> None:
    """While one taker is sent what it missed, others are told what happens, at once."""
    prepared(world)
    missed = [event for _ in range(2 * ENTRIES_LEFT) for event in world.happen(LANE, TAKERS_EVENT)]
    of_taker(world, "d", place=len(world.logs[LANE]))
    world.clients.gone.discard("c")
    told: list[str] = []

    def tell_others() -> None:
        if texts(world) == [HEARTBEAT, *(event.event_id for event in missed[:2])]:
            world.clients.before_send = lambda: None
            events = world.happen(LANE, TAKERS_EVENT)
            told.append(events[0].event_id)
            world.broadcaster().receive(INSTANCE, events)
            assert (world.paused, texts(world, "d")) == (0, told)

    world.clients.before_send = tell_others
    world.beat().begin("c", lambda _: None)
    assert told
    assert texts(world) == [HEARTBEAT, *(event.event_id for event in missed), *told]


def test_a_beginning_keeps_a_round_of_beats_for_a_bounded_time_and_goes_on_with_the_next(
    world: PushWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "ENTRIES_A_STEP", ENTRIES_LEFT)
    prepared(world)
    missed = [event for _ in range(4 * ENTRIES_LEFT) for event in world.happen(LANE, TAKERS_EVENT)]
    world.clients.gone.discard("c")
    later(world)
    began_ms = world.now_ms
    world.clients.before_send = lambda: later(world, 0.5)
    world.beat().round()
    assert world.now_ms - began_ms < (TELLING_S + ENTRIES_LEFT + 1) * 1000
    told = len(texts(world))
    for _ in range(3):
        later(world)
        world.beat().round()
    assert texts(world)[told] == HEARTBEAT
    assert [text for text in texts(world) if text != HEARTBEAT] == [event.event_id for event in missed]
