"""Connections: what is left where subscriptions are stored and removed at the same time (T175)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.feed.cursor import Cursor
from chalicelib.domain.feed.subscription import (
    BEATS,
    SUBSCRIPTIONS_MAX,
    Connection,
    Intent,
    Subscription,
    TooManySubscriptions,
    UnknownConnection,
)
from chalicelib.support.outcomes import Unavailable
from chalicelib.tables.connections import CHANGES_MAX, TABLE, Connections
from chalicelib.tables.dynamodb import Database
from tests.world import INSTANCE

NOW_S, LATER_S = 100, 10_000
CALLS = ("get", "put_many", "delete_many", "write")
Step = Callable[[Connections], object]


def of_book(name: str) -> Subscription:
    return Subscription(
        "c1", "trade", name, INSTANCE, (), "ob_1", beats=False, cursor=Cursor(), next_id=1, expires_s=LATER_S
    )


ONE = of_book("trade@B_Q")


def store(connections: Connections) -> None:
    connections.subscribe(ONE)


def remove(connections: Connections) -> None:
    connections.unsubscribe("c1", ONE.name)


def leave(connections: Connections) -> None:
    connections.close("c1")


class Interrupted:
    """A database: ``before`` is called before each call, with the call's name and its number."""

    def __init__(self, database: Database, before: Callable[[str, int], object]) -> None:
        self._database = database
        self._before = before
        self.calls = 0

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._database, name)
        if name not in CALLS:
            return found

        def call(*arguments: Any, **options: Any) -> Any:
            self.calls += 1
            self._before(name, self.calls)
            return found(*arguments, **options)

        return call


@pytest.fixture
def connections(memory_database: Database) -> Connections:
    """A client is connected."""
    connections = Connections(memory_database, lambda: NOW_S)
    connections.open(Connection("c1", "trade", INSTANCE, None, "address/1", LATER_S))
    return connections


def interrupted(connections: Connections, before: Callable[[str, int], object]) -> Connections:
    database: Any = Interrupted(connections._database, before)
    return Connections(database, lambda: NOW_S)


def told(connections: Connections) -> list[str]:
    return [one.name for one in connections.following([ONE.topic.keys[0]])]


@pytest.mark.parametrize("at", range(1, 8))
@pytest.mark.parametrize("is_there", [True, False])
@pytest.mark.parametrize(("first", "other"), [(remove, store), (store, remove), (store, store), (remove, remove)])
def test_a_subscription_is_told_if_and_only_if_the_connection_names_it(
    connections: Connections, first: Step, other: Step, is_there: bool, at: int
) -> None:
    """Else it could not be ended: who unsubscribes finds it by the connection."""
    if is_there:
        store(connections)
    first(interrupted(connections, lambda _, number: other(connections) if number == at else None))
    assert told(connections) == [topic.name for topic in connections.get("c1").topics]
    remove(connections)
    assert told(connections) == []


@pytest.mark.parametrize("at", range(1, 5))
def test_nothing_is_left_of_a_client_that_leaves_while_it_subscribes(connections: Connections, at: int) -> None:
    leaving = interrupted(connections, lambda _, number: leave(connections) if number == at else None)
    with pytest.raises(UnknownConnection):
        store(leaving)
    assert told(connections) == []
    assert connections.of_owner("address/1") == {}


def test_a_subscription_that_was_seen_is_removed_with_a_connection_that_does_not_name_it(
    connections: Connections, memory_database: Database
) -> None:
    store(connections)
    (row,) = [row for row in memory_database.scan(TABLE) if "next_id" in row]
    remove(connections)
    memory_database.put_many(TABLE, [row])
    connections.close("c1", ONE)
    assert told(connections) == []


def test_a_subscription_that_was_seen_as_it_was_after_its_beginning_is_removed_with_its_connection(
    connections: Connections,
) -> None:
    """The connection names it with the beat's key, which it has lost since."""
    connections.subscribe(replace(ONE, intent=Intent((), 0, "somebody")))
    connections.close("c1", ONE)
    assert told(connections) == []
    assert connections.following([BEATS]) == []


def test_each_of_the_topics_that_a_client_asks_for_at_once_is_subscribed(connections: Connections) -> None:
    others = iter(range(SUBSCRIPTIONS_MAX - 1))

    def be_faster(name: str, _: int) -> None:
        if name == "write" and (number := next(others, None)) is not None:
            connections.subscribe(of_book(f"trade@{number}"))

    store(interrupted(connections, be_faster))
    assert len(told(connections)) == SUBSCRIPTIONS_MAX
    with pytest.raises(TooManySubscriptions):
        connections.subscribe(of_book("trade@21"))


def test_a_connection_that_others_always_change_is_not_taken_for_gone(connections: Connections) -> None:
    tried: list[str] = []

    def be_faster(name: str, _: int) -> None:
        if name == "write":
            tried.append(name)
            connections.subscribe(of_book("ticker@B_Q"))

    with pytest.raises(Unavailable):
        store(interrupted(connections, be_faster))
    assert len(tried) == CHANGES_MAX
    assert told(connections) == ["ticker@B_Q"]
