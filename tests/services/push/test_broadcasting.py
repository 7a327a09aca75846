"""Messages have ids from 1 without gaps, events come in order, and no crash, rival or late batch leaves one out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from chalicelib.domain.feed.cursor import BEGINNING, Cursor, cursor_of
from chalicelib.domain.feed.event import FeedEvent
from chalicelib.domain.feed.subscription import INTENT_LIFE_MS, Intent, UnknownConnection
from chalicelib.services.push import steps
from chalicelib.services.push.broadcasting import PASSED_OVER_MAX, NotSent
from chalicelib.services.push.sessions import ENTRIES_LEFT
from chalicelib.support.outcomes import Unavailable
from chalicelib.tables.dynamodb import Database
from tests.faults import Died, FaultyClient, raising
from tests.services.push.world import (
    ANNS_EVENT,
    BOOK_A,
    BOOK_B,
    NOBODYS_EVENT,
    PUBLIC_EVENT,
    PushWorld,
    ids,
    numbered,
    told,
    welcome,
)
from tests.world import INSTANCE


def test_a_subscriber_of_a_book_gets_its_public_events_numbered_from_1(world: PushWorld) -> None:
    world.connect("c")
    world.follow_book("c", BOOK_A)
    first, second = world.happen(BOOK_A, PUBLIC_EVENT, ANNS_EVENT, PUBLIC_EVENT), world.happen(BOOK_A, PUBLIC_EVENT)
    broadcaster = world.broadcaster()
    broadcaster.receive(INSTANCE, first + second)
    third = world.happen(BOOK_A, PUBLIC_EVENT)
    broadcaster.receive(INSTANCE, third)
    expected = ids([*first, *second, *third], PUBLIC_EVENT)
    assert world.clients.of("c") == numbered(*expected)
    assert world.reads == []


def test_a_batch_that_comes_again_is_sent_once(world: PushWorld) -> None:
    world.connect("c")
    world.follow_book("c", BOOK_A)
    events = world.happen(BOOK_A, PUBLIC_EVENT)
    world.broadcaster().receive(INSTANCE, events)
    world.broadcaster().receive(INSTANCE, events)
    assert world.clients.of("c") == numbered(events[0].event_id)


def test_what_lies_between_a_subscribers_place_and_the_batch_is_read_from_the_log(world: PushWorld) -> None:
    world.connect("c")
    world.connect("d")
    missed = [world.happen(BOOK_A, PUBLIC_EVENT)[0] for _ in range(3)]
    world.follow_book("c", BOOK_A)
    world.follow_book("d", BOOK_A, place=2)
    new = world.happen(BOOK_A, PUBLIC_EVENT)
    world.broadcaster().receive(INSTANCE, new)
    assert world.clients.of("c") == numbered(*(event.event_id for event in [*missed, *new]))
    assert world.clients.of("d") == numbered(missed[2].event_id, new[0].event_id)
    assert world.reads == [(BOOK_A, 0, 3)]


def test_a_place_within_an_entry_goes_on_there(world: PushWorld) -> None:
    world.connect("c")
    events = world.happen(BOOK_A, PUBLIC_EVENT, PUBLIC_EVENT)
    subscription = world.follow_book("c", BOOK_A)
    world.broadcaster().receive(INSTANCE, events)
    (_, first), _ = world.clients.received
    resumed = replace(subscription, cursor=cursor_of(first["cursor"]))
    world.connections.subscribe(resumed)
    world.clients.received.clear()
    world.broadcaster().receive(INSTANCE, events)
    assert world.clients.of("c") == numbered(events[1].event_id)


def test_a_customer_gets_its_own_events_of_all_books_and_nobody_elses(world: PushWorld) -> None:
    world.connect("c")
    world.follow_ann("c")
    broadcaster = world.broadcaster()
    in_a = world.happen(BOOK_A, NOBODYS_EVENT, ANNS_EVENT, frozenset({"customer/bob"}))
    in_b = world.happen(BOOK_B, ANNS_EVENT)
    for events in (in_a, in_b):
        broadcaster.receive(INSTANCE, events)
    assert world.clients.of("c") == numbered(in_a[1].event_id, in_b[0].event_id)


def test_events_of_another_instance_reach_nobody(world: PushWorld) -> None:
    world.connect("c")
    world.connect("d", instance="inst_other001")
    world.follow_ann("c")
    events = [
        FeedEvent("inst_other001", BOOK_A, 1, "00000001", 0, "0", "test.made", 1, ANNS_EVENT, {}),
        FeedEvent("inst_other001", BOOK_A, 1, "00000001", 1, "1", "test.made", 1, PUBLIC_EVENT, {}),
    ]
    world.broadcaster().receive("inst_other001", events)
    assert world.clients.received == []


def test_a_place_that_nothing_moves_is_moved_now_and_then_so_that_it_is_not_read_again(world: PushWorld) -> None:
    world.connect("c")
    world.follow_ann("c")
    for _ in range(PASSED_OVER_MAX - 1):
        world.happen(BOOK_A, NOBODYS_EVENT)
    own = world.happen(BOOK_A, frozenset({"customer/bob"}), ANNS_EVENT)
    world.broadcaster().receive(INSTANCE, own)
    assert world.reads == [(BOOK_A, 0, PASSED_OVER_MAX - 1)]
    assert world.clients.of("c") == numbered(own[1].event_id)


def test_a_connection_that_is_gone_is_removed_with_all_its_rows(world: PushWorld) -> None:
    world.connect("c")
    world.connect("d")
    world.follow_book("c", BOOK_A)
    world.follow_book("d", BOOK_A)
    world.follow_ann("c")
    world.clients.gone.add("c")
    events = world.happen(BOOK_A, PUBLIC_EVENT)
    world.broadcaster().receive(INSTANCE, events)
    assert world.clients.of("d") == numbered(events[0].event_id)
    left = {(row["topic"], row["connection"]) for row in world.database.scan("connections")}
    assert not any("c" in (connection, connection.partition("/")[0]) for _, connection in left)
    with pytest.raises(UnknownConnection):
        world.connections.get("c")


@pytest.mark.parametrize("needs_an_intent", [False, True])
def test_a_client_that_leaves_while_it_subscribes_leaves_nothing_that_delays_others(
    world: PushWorld, needs_an_intent: bool
) -> None:
    world.connect("c")
    world.connect("d")
    world.follow_book("d", BOOK_A)
    world.leave_while(lambda: world.follow_ann("c") if needs_an_intent else world.follow_book("c", BOOK_A), "c")
    assert world.rows_of("c") != []
    batches = [world.happen(BOOK_A, PUBLIC_EVENT, ANNS_EVENT) for _ in range(3)]
    deliver(world, batches)
    assert world.clients.of("d") == numbered(*(events[0].event_id for events in batches))
    assert world.rows_of("c") == []
    assert world.paused == 0


def test_what_was_sent_to_who_is_far_behind_is_kept_step_by_step(
    world: PushWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that has no time for all of it begins where it was, not anew: nobody waits for it for ever."""
    monkeypatch.setattr(steps, "ENTRIES_A_STEP", 2)
    world.connect("c")
    one = world.follow_book("c", BOOK_A)
    events = [event for _ in range(7) for event in world.happen(BOOK_A, PUBLIC_EVENT)]
    sends = count(1)

    def die() -> None:
        if next(sends) == 6:
            raise Died

    world.clients.after_send = die
    with pytest.raises(Died):
        world.broadcaster().receive(INSTANCE, events[-1:])
    (kept,) = world.connections.again([one])
    assert kept.next_id == 5
    world.broadcaster().receive(INSTANCE, events[-1:])
    received = world.clients.of("c")
    assert received[:4] + received[6:] == numbered(*(event.event_id for event in events))


def test_entries_without_events_keep_nobody_from_subscribing(world: PushWorld) -> None:
    world.connect("c")
    for _ in range(3 * ENTRIES_LEFT):
        world.happen(BOOK_A)
    begins = Cursor().moved(INSTANCE, BOOK_A, BEGINNING)
    sessions = world.beat().sessions
    wanted = replace(world.follow_book("c", BOOK_A), name="trade@new")
    sessions.follow(world.desks["trade"], wanted, begins, welcome)
    events = world.happen(BOOK_A, PUBLIC_EVENT)
    world.broadcaster().receive(INSTANCE, events)
    assert told(world, "trade@new") == [(-1, "welcome"), *numbered(events[0].event_id)]


def test_others_wait_until_a_client_was_sent_the_last_that_it_missed_and_pass_over_it_if_that_takes_long(
    world: PushWorld,
) -> None:
    """The beat ends the connection, if nobody says that it goes on (``test_beginnings``)."""
    world.connect("c")
    one = world.follow_book("c", BOOK_A)
    world.connections.move([(one, replace(one, intent=Intent((), world.now_ms, "dead")))])
    begun_ms = world.now_ms
    for _ in range(2):
        world.broadcaster().receive(INSTANCE, world.happen(BOOK_A, PUBLIC_EVENT))
    assert INTENT_LIFE_MS <= world.now_ms - begun_ms < 2 * INTENT_LIFE_MS
    assert world.clients.received == []


def test_a_connection_that_fails_is_told_again_and_hinders_no_other(world: PushWorld) -> None:
    for name in ("c", "d", "e"):
        world.connect(name)
        world.follow_book(name, BOOK_A)
    events = world.happen(BOOK_A, PUBLIC_EVENT)
    failing = iter([False, True, False])

    def fail() -> None:
        if next(failing, False):
            raise OSError("busy")

    world.clients.before_send = fail
    broadcaster = world.broadcaster()
    with pytest.raises(NotSent):
        broadcaster.receive(INSTANCE, events)
    broadcaster.receive(INSTANCE, events)
    for name in ("c", "d", "e"):
        assert world.clients.of(name) == numbered(events[0].event_id)


@pytest.mark.parametrize("fails", ["close", "move"])
def test_rows_that_cannot_be_written_for_one_are_for_the_others(
    world: PushWorld, fails: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that has left and cannot be removed, or an intent that cannot be written, has nobody told again."""
    world.connect("c")
    world.follow_book("c", BOOK_A)
    world.connect("d")
    world.follow_ann("d")
    if fails == "close":
        world.clients.gone.add("d")
    broadcaster = world.broadcaster()
    works = getattr(broadcaster._connections, fails)
    failing = iter([True])

    def fail_once(*arguments: Any) -> Any:
        if next(failing, False):
            raise Unavailable("busy")
        return works(*arguments)

    monkeypatch.setattr(broadcaster._connections, fails, fail_once)
    events = world.happen(BOOK_A, PUBLIC_EVENT, ANNS_EVENT)
    with pytest.raises(NotSent):
        broadcaster.receive(INSTANCE, events)
    broadcaster.receive(INSTANCE, events)
    assert world.clients.of("c") == numbered(*ids(events, PUBLIC_EVENT))
    assert world.clients.of("d") == ([] if fails == "close" else numbered(*ids(events, ANNS_EVENT)))
    assert (world.rows_of("d") == []) is (fails == "close")


def test_without_connections_nothing_is_written_and_one_row_is_read_a_second(world: PushWorld) -> None:
    client = FaultyClient(world.database._client, raising(Died(), after=False))
    database = Database(client, world.database.name("").removesuffix("-"), pause=lambda _: None)
    broadcaster = world.broadcaster(database)
    for _ in range(5):
        broadcaster.receive(INSTANCE, world.happen(BOOK_A, PUBLIC_EVENT, ANNS_EVENT))
    assert client.calls == 1
    assert list(world.database.scan("connections")) == []
    world.now_ms += 1000
    broadcaster.receive(INSTANCE, world.happen(BOOK_A, PUBLIC_EVENT))
    assert client.calls == 2


Batches = list[list[FeedEvent]]


def scenario(world: PushWorld) -> Batches:
    """Connect two clients of a book, one of them of ann too, in both books, by two topics. Return what then happens."""
    for name in ("c", "d"):
        world.connect(name)
        world.follow_book(name, BOOK_A)
    world.follow_ann("d")
    world.follow_ann("d", "balance")
    return [
        world.happen(BOOK_A, PUBLIC_EVENT, ANNS_EVENT) + world.happen(BOOK_A, PUBLIC_EVENT, PUBLIC_EVENT),
        world.happen(BOOK_B, ANNS_EVENT, PUBLIC_EVENT),
        world.happen(BOOK_A, ANNS_EVENT),
    ]


def scenario_of_one_batch(world: PushWorld) -> Batches:
    """Return what happens in the same as one batch, of two logs."""
    in_a, in_b, in_a_again = scenario(world)
    return [in_a + in_a_again + in_b]


def deliver(world: PushWorld, batches: Batches, database: Database | None = None) -> None:
    """Deliver the batches in order, each again by a new process until it succeeds."""
    broadcaster = world.broadcaster(database)
    for events in batches:
        for _ in range(3):
            try:
                broadcaster.receive(INSTANCE, events)
            except (Died, NotSent):
                broadcaster = world.broadcaster()
                continue
            break
        else:
            raise AssertionError("not delivered")


def check_everything_came(world: PushWorld, batches: Batches) -> None:
    """Each id stands for one event, ids and events come in order from 1 without gaps, and none is left out."""
    events = [event for batch in batches for event in batch]
    public = ids([event for event in events if event.log == BOOK_A], PUBLIC_EVENT)
    anns = ids(events, ANNS_EVENT)
    of_book = [[(m["id"], m["body"]) for c, m in world.clients.received if (c, m["topic"]) == key]
               for key in (("c", "trade@ob_a"), ("d", "trade@ob_a"))]  # fmt: skip
    of_ann = [[(m["id"], m["body"]) for c, m in world.clients.received if (c, m["topic"]) == ("d", topic)]
              for topic in ("user_trades", "balance")]  # fmt: skip
    for received, expected in ((of_book[0], public), (of_book[1], public), (of_ann[0], anns), (of_ann[1], anns)):
        seen: list[tuple[int, str]] = []
        for message in received:  # sent again: the messages from some id on, in order, as before
            if message not in seen:
                seen.append(message)
        assert seen == numbered(*expected)


@pytest.mark.parametrize("happening", [scenario, scenario_of_one_batch])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_death_at_any_store_call_leaves_nothing_out_and_renumbers_nothing(
    fresh_world: Callable[[], PushWorld], after: bool, happening: Callable[[PushWorld], Batches]
) -> None:
    for at in count(1):
        world = fresh_world()
        batches = happening(world)
        client = FaultyClient(world.database._client, raising(Died(), after=after))
        faulty = Database(client, world.database.name("").removesuffix("-"), pause=lambda _: None)
        client.strike_at(at)
        deliver(world, batches, faulty)
        check_everything_came(world, batches)
        if not client.has_struck:
            break
    assert at > 3 * len(batches) + 1


@pytest.mark.parametrize("happening", [scenario, scenario_of_one_batch])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_death_at_any_message_leaves_nothing_out_and_renumbers_nothing(
    fresh_world: Callable[[], PushWorld], after: bool, happening: Callable[[PushWorld], Batches]
) -> None:
    for at in count(1):
        world = fresh_world()
        batches = happening(world)
        sends = count(1)

        def die(sends: count[int] = sends, at: int = at) -> None:
            if next(sends) == at:
                raise Died

        setattr(world.clients, "after_send" if after else "before_send", die)
        deliver(world, batches)
        check_everything_came(world, batches)
        if next(sends) <= at:
            break
    assert at > 8


@pytest.mark.parametrize("happening", [scenario, scenario_of_one_batch])
@pytest.mark.parametrize("at", range(1, 9))
def test_two_at_once_send_the_same_under_the_same_ids(
    world: PushWorld, at: int, happening: Callable[[PushWorld], Batches]
) -> None:
    """While one sends its n-th message, another does the whole batch: the first is refused and goes on behind it."""
    batches = happening(world)
    sends = count(1)
    rival = world.broadcaster()

    def rival_first() -> None:
        if next(sends) == at:
            world.clients.before_send = lambda: None
            for events in batches:
                rival.receive(INSTANCE, events)

    world.clients.before_send = rival_first
    deliver(world, batches)
    check_everything_came(world, batches)


def test_an_intent_in_another_log_is_waited_for_and_carried_out_once_it_is_old(world: PushWorld) -> None:
    world.connect("d")
    world.follow_ann("d")
    in_a, in_b = world.happen(BOOK_A, ANNS_EVENT), world.happen(BOOK_B, ANNS_EVENT)

    def die() -> None:
        raise Died

    world.clients.after_send = die
    with pytest.raises(Died):
        world.broadcaster().receive(INSTANCE, in_a)
    world.clients.after_send = lambda: None
    began_ms = world.now_ms
    world.broadcaster().receive(INSTANCE, in_b)
    assert world.now_ms - began_ms >= INTENT_LIFE_MS
    first = in_a[0].event_id
    assert world.clients.of("d") == [(1, first), (1, first), (2, in_b[0].event_id)]


def test_while_one_sends_what_follows_from_several_logs_another_waits(world: PushWorld) -> None:
    world.connect("d")
    world.follow_ann("d")
    events = world.happen(BOOK_A, ANNS_EVENT)
    rival = world.broadcaster()

    def die_waiting(_seconds: float) -> None:
        raise Died

    rival._pause = die_waiting

    def rival_too() -> None:
        world.clients.before_send = lambda: None
        with pytest.raises(Died):
            rival.receive(INSTANCE, events)

    world.clients.before_send = rival_too
    world.broadcaster().receive(INSTANCE, events)
    assert world.clients.of("d") == numbered(events[0].event_id)


def test_of_two_that_have_read_the_same_one_sends(world: PushWorld) -> None:
    """Another does the whole batch between the first one's reads and its first write, in the same millisecond."""
    world.connect("d")
    world.follow_ann("d")
    events = world.happen(BOOK_A, ANNS_EVENT)
    first, rival = world.broadcaster(), world.broadcaster()
    move = first._connections.move

    def after_the_rivals_claim(moves: Any) -> list[int]:
        first._connections.move = move
        with pytest.raises(Died):
            rival.receive(INSTANCE, events)
        return move(moves)

    def die() -> None:
        world.clients.before_send = lambda: None
        raise Died

    world.clients.before_send = die
    first._connections.move = after_the_rivals_claim
    began_ms = world.now_ms
    first.receive(INSTANCE, events)
    assert world.now_ms - began_ms >= INTENT_LIFE_MS
    assert world.clients.of("d") == numbered(events[0].event_id)


def test_a_message_that_cannot_be_sent_is_sent_again_without_a_wait(world: PushWorld) -> None:
    world.connect("d")
    world.follow_ann("d")
    events = world.happen(BOOK_A, ANNS_EVENT, ANNS_EVENT)
    failing = iter([False, True])

    def fail() -> None:
        if next(failing, False):
            raise OSError("busy")

    world.clients.before_send = fail
    broadcaster = world.broadcaster()
    with pytest.raises(NotSent):
        broadcaster.receive(INSTANCE, events)
    began_ms = world.now_ms
    broadcaster.receive(INSTANCE, events)
    assert world.now_ms - began_ms < INTENT_LIFE_MS
    first, second = (event.event_id for event in events)
    assert world.clients.of("d") == [(1, first), (1, first), (2, second)]
