"""Exhaustive exploration of interleavings: all orders of the store calls of a few matchers, with at most one death.

The tree of interleavings is walked from its root; each node is replayed from the start. Two nodes are equal if their
tables are equal and every matcher has received the same answers; then their futures are equal too, and only one is
explored. This reduces millions of interleavings to some hundreds of states without omitting any.

A batch of statements is one call here: its statements change different rows, each by itself, and which of two matchers
was first at each of k rows would give 2**k states that differ in nothing that decides anything. The random schedules
(``world``) part batches, and the sweep of faults loses any part of one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from chalicelib.services.books.matcher import Matcher
from chalicelib.services.books.stream import match_records
from chalicelib.tables.dynamodb import Database
from infra.tables import create_tables
from tests.faults import FAULTS
from tests.invariants import check_invariants, check_never_negative
from tests.memory import MemoryDynamoDB
from tests.scenarios import CREDITED, SCENARIOS
from tests.simulation.actors import Actor, stepped_database
from tests.world import World

Choice = tuple[int, str]
"""The matcher that makes its next call, and the call's fault: "" (none), "death before" or "death after"."""
DEATHS = ("death before", "death after")
STATES_MAX = 20_000
PREFIX = "orders"


@dataclass(frozen=True, slots=True)
class Explored:
    """A short scenario, in which two matchers receive the whole batch. The members are those of ``explore``."""

    scenario: str
    warm: bool = True
    with_death: bool = False


INTERLEAVED = {
    "an order rests, two matchers that start cold": Explored("rest", warm=False),
    "an order rests, one of two matchers dies": Explored("rest", with_death=True),
    "an order is killed, two matchers": Explored("FOK kill"),
    "a cancel overtakes its order, one of two matchers dies": Explored("cancel overtakes its order", with_death=True),
    "two orders cross, two matchers": Explored("cross"),
    "the orders of a batch rest, two matchers that start cold": Explored("batch rests", warm=False),
    "an order expires before its taker comes, two matchers": Explored("expire before the taker"),
}


@dataclass(frozen=True, slots=True)
class StateCount:
    """states: distinct states reached. ends: those in which every matcher is done or dead."""

    states: int
    ends: int


def explore_scenario(name: str) -> StateCount:
    """Explore one scenario of INTERLEAVED."""
    short = INTERLEAVED[name]
    scenario = SCENARIOS[short.scenario]
    client = MemoryDynamoDB()
    create_tables(client, PREFIX)  # type: ignore[arg-type]
    world = scenario.world(Database(client, PREFIX))  # type: ignore[arg-type]
    batch = world.records[world.acknowledged :]
    assert not scenario.limits, "limits are for the sweep"
    return explore(client, PREFIX, world, [batch, batch], warm=short.warm, with_death=short.with_death)


def explore(
    client: MemoryDynamoDB,
    prefix: str,
    world: World,
    batches: Sequence[Sequence[Any]],
    *,
    warm: bool = False,
    with_death: bool = False,
) -> StateCount:
    """Give each batch to its own matcher, explore all interleavings, and check each end. Return the counts.

    warm: the matchers have the book in memory. with_death: one of them may die at any of its calls. An end is checked
    after all batches are delivered once more. Raises AssertionError with the choices that led there.
    """
    walked: set[bytes] = set()
    ends = 0
    waiting: list[tuple[Choice, ...]] = [()]
    while waiting:
        choices = waiting.pop()
        tables = client.clone()
        known = world.records[: world.acknowledged] if warm else []
        actors = _played(tables, prefix, world, known, batches, choices)
        there = world.over(Database(tables, prefix))  # type: ignore[arg-type]
        state = _digest(there, actors, choices)
        try:
            if state in walked:
                continue
            walked.add(state)
            assert len(walked) < STATES_MAX, "there is no end to it"
            check_never_negative(there)
            following = list(_following(actors, choices, with_death=with_death))
            if not following:
                ends += 1
                assert there.deliver() == []
                check_invariants(there, CREDITED)
        except AssertionError as error:
            raise AssertionError(f"{error}; reached by {choices}") from error
        finally:
            for actor in actors:
                actor.end()
        waiting += [(*choices, choice) for choice in following]
    return StateCount(len(walked), ends)


def _played(
    tables: MemoryDynamoDB,
    prefix: str,
    world: World,
    known: Sequence[Any],
    batches: Sequence[Sequence[Any]],
    choices: Sequence[Choice],
) -> list[Actor]:
    database = stepped_database(tables, prefix, parts_batches=False)
    actors = [_matching(database, world, known, batch) for batch in batches]
    for at, fate in choices:
        actors[at].resume(FAULTS[fate] if fate else None)
    return actors


def _matching(database: Database, world: World, known: Sequence[Any], batch: Sequence[Any]) -> Actor:
    """Return a matcher that processes the batch, given the book as it knew it before."""
    clock = [world.acknowledged_at_ms]
    matcher = Matcher(database, lambda: clock[0])
    match_records(matcher, known)
    clock[0] = world.now_ms
    return Actor("delivery", lambda: match_records(matcher, batch))


def _following(actors: list[Actor], choices: Sequence[Choice], *, with_death: bool) -> Iterator[Choice]:
    fates = ("", *DEATHS) if with_death and not any(fate for _, fate in choices) else ("",)
    for at, actor in enumerate(actors):
        if not actor.is_done:
            yield from ((at, fate) for fate in fates)


def _digest(world: World, actors: list[Actor], choices: Sequence[Choice]) -> bytes:
    digest = hashlib.sha256(repr(world.tables()).encode())
    digest.update(repr(any(fate for _, fate in choices)).encode())
    for actor in actors:
        digest.update(actor.seen + repr((actor.is_done, actor.died)).encode())
    return digest.digest()
