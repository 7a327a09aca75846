"""A client that subscribes is told all from there on, or learns that it is not, wherever a process dies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import count

import pytest

from chalicelib.domain.feed.cursor import Cursor
from chalicelib.domain.feed.subscription import INTENT_LIFE_MS, Subscription
from chalicelib.services.push import steps
from chalicelib.services.push.broadcasting import NotSent
from chalicelib.services.push.desk import Body, News
from chalicelib.services.push.recent import ENTRIES_MAX
from chalicelib.services.push.sessions import BEGINNING_S, ENTRIES_LEFT, STEP_S, TELLING_S
from chalicelib.support.outcomes import Unavailable
from chalicelib.tables.dynamodb import Database
from tests.faults import Died, FaultyClient, raising
from tests.services.push.world import BOOK_A, PUBLIC_EVENT, PushWorld, at, numbered, told, welcome
from tests.world import INSTANCE

TOPIC = "trade@ob_a"
STATE = "state of trade@ob_a at None"


def missing(world: PushWorld, entries: int, *, resumes: bool = True, name: str = TOPIC) -> Callable[..., None]:
    """Connect a client of a book that has a first entry and so many more. Return what subscribes it: behind the first
    one, or from now on with the book's state.
    """
    connection = world.connect("c")
    for _ in range(entries + 1):
        world.happen(BOOK_A, PUBLIC_EVENT)
    cursor = Cursor().moved(INSTANCE, BOOK_A, at(1))
    wanted = Subscription("c", "trade", name, INSTANCE, (), "ob_a", False, Cursor(), 1, connection.expires_s)

    def subscribe(database: Database | None = None) -> None:
        sessions, desk = world.beat(database).sessions, world.trade
        state = None if resumes else lambda one: replace(desk.state(one), place=at(len(world.logs[BOOK_A])))
        sessions.follow(desk, wanted, cursor if resumes else None, welcome, state)

    return subscribe


def check_told_or_ended(world: PushWorld, first: list[str]) -> None:
    """The client was told its first messages and each entry from there on, in order; or it learns that it is not."""
    received = list(dict.fromkeys(told(world, TOPIC)))
    events = [events[0].event_id for events in world.logs[BOOK_A]]
    if "c" in world.clients.gone:
        assert world.rows_of("c") == []
        assert received == [(-1, "welcome"), *numbered(*first)][: len(received)]
    elif received:
        assert received == [(-1, "welcome"), *numbered(*first, events[-1])]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("what", ["store", "message"])
@pytest.mark.parametrize("with_event", [False, True], ids=["nothing happens", "something happens"])
@pytest.mark.parametrize("case", ["missed much", "missed little", "begins with a state"])
def test_who_subscribes_where_a_process_dies_anywhere_is_told_or_ended(
    fresh_world: Callable[[], PushWorld], what: str, after: bool, with_event: bool, case: str
) -> None:
    entries, resumes = 2 * ENTRIES_LEFT if case == "missed much" else 2, case != "begins with a state"
    has_ended = False
    for at_call in count(1):
        world = fresh_world()
        subscribe = missing(world, entries, resumes=resumes)
        first = [events[0].event_id for events in world.logs[BOOK_A][1:]] if resumes else [STATE]
        client = FaultyClient(world.database._client, raising(Died(), after=after))
        faulty = Database(client, world.database.name("").removesuffix("-"), pause=lambda _: None)
        sends, has_died = count(1), False

        def die(sends: count[int] = sends, at_call: int = at_call) -> None:
            if next(sends) == at_call:
                raise Died

        if what == "store":
            client.strike_at(at_call)
        else:
            setattr(world.clients, "after_send" if after else "before_send", die)
        try:
            subscribe(faulty)
        except Died:
            has_died = True
        world.clients.before_send = world.clients.after_send = lambda: None
        if with_event:
            world.broadcaster().receive(INSTANCE, world.happen(BOOK_A, PUBLIC_EVENT))
        world.now_ms += BEGINNING_S * 1000
        world.beat().round()
        if "c" not in world.clients.gone:
            world.broadcaster().receive(INSTANCE, world.happen(BOOK_A, PUBLIC_EVENT))
            first += [events[0].event_id for events in world.logs[BOOK_A][entries + 1 : -1]]
        check_told_or_ended(world, first)
        has_ended |= "c" in world.clients.gone
        if not has_died:
            break
    assert has_ended
    assert "c" not in world.clients.gone
    assert at_call > 2


def test_nobody_waits_while_what_a_client_missed_is_projected(world: PushWorld) -> None:
    """That may take seconds, though it is one entry."""
    subscribe = missing(world, 1, name="balance@ob_a")
    world.connect("d")
    world.follow_book("d", BOOK_A, place=2)
    told_others: list[str] = []

    def tell_others() -> None:
        if len(world.clients.received) == 1:
            world.clients.before_send = lambda: None
            events = world.happen(BOOK_A, PUBLIC_EVENT)
            world.broadcaster().receive(INSTANCE, events)
            told_others.append(events[0].event_id)
            assert (world.paused, world.clients.of("d")) == (0, numbered(*told_others))

    world.clients.before_send = tell_others
    subscribe()
    assert told_others
    assert [body for _, body in told(world, "balance@ob_a")][2:] == told_others


def test_who_leaves_a_topic_while_it_is_sent_what_it_missed_is_sent_no_more(
    world: PushWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "ENTRIES_A_STEP", 2)
    subscribe = missing(world, 2 * ENTRIES_LEFT)

    def leave() -> None:
        world.clients.after_send = lambda: None
        world.connections.unsubscribe("c", TOPIC)

    world.clients.after_send = leave
    subscribe()
    assert len(told(world, TOPIC)) == 3
    assert not [topic for topic in world.rows_of("c") if topic.startswith("follows/")]


def test_t180_what_was_missed_is_sent_in_time_though_its_entries_take_long(
    world: PushWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where a function may take 29 s: each try goes on from the client's last cursor."""
    subscribe, build = missing(world, 2 * ENTRIES_MAX), world.trade.bodies

    def build_slowly(subscription: Subscription, news: News) -> dict[str, list[Body]]:
        world.now_ms += 60 * sum(map(len, news.values()))
        return build(subscription, news)

    monkeypatch.setattr(world.trade, "bodies", build_slowly)
    began_ms = world.now_ms
    with pytest.raises(Unavailable):
        subscribe()
    assert world.now_ms - began_ms < (TELLING_S + 3 * STEP_S) * 1000
    assert len(told(world, TOPIC)) > 100


def test_who_is_passed_over_because_it_takes_long_is_not_subscribed(world: PushWorld) -> None:
    """Otherwise what others passed over would come with the next event of its own."""
    subscribe = missing(world, 1)
    world.clients.after_send = lambda: setattr(world, "now_ms", world.now_ms + INTENT_LIFE_MS)
    with pytest.raises(Unavailable) as raised:
        subscribe()
    assert isinstance(raised.value.__cause__, NotSent)
    assert not [topic for topic in world.rows_of("c") if topic.startswith("follows/")]


def test_a_beginning_that_was_begun_is_looked_after_no_more(world: PushWorld) -> None:
    subscribe = missing(world, 1)
    subscribe()
    assert not world.beat().round(), "nobody is sent beats"


@pytest.mark.parametrize("is_begun", [False, True])
def test_who_has_left_is_removed_with_all_rows_by_the_next_entry(world: PushWorld, is_begun: bool) -> None:
    """The connection names the topic as it was while it began, the broadcaster has seen it as it is."""
    subscribe = missing(world, 1)
    if is_begun:
        subscribe()
    else:
        world.follow_book("c", BOOK_A, place=1)
    world.clients.gone.add("c")
    world.broadcaster().receive(INSTANCE, world.happen(BOOK_A, PUBLIC_EVENT))
    assert world.rows_of("c") == []
