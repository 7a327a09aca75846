"""Every order in which the store calls of a few matchers can come, with a death at any of them, or none.

The tree of orders is walked from its root, each node played anew from the start. Two nodes are one when the tables are
the same and every matcher has been answered the same so far: what follows is then the same too, so only one of them is
followed. That keeps what would be millions of orders to some hundreds of states, none left out.
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
"""Which matcher makes its next call, and what becomes of the call: "" (done), "death before" or "death after"."""
DEATHS = ("death before", "death after")
STATES_MAX = 200_000
PREFIX = "orders"


@dataclass(frozen=True, slots=True)
class Short:
    """A scenario that is short enough: two matchers get its whole batch each. See ``walk`` for the rest."""

    scenario: str
    warm: bool = True
    with_death: bool = False


SHORT = {
    "an order rests, two matchers that start cold": Short("rest", warm=False),
    "an order rests, one of two matchers dies": Short("rest", with_death=True),
    "an order is killed, two matchers": Short("FOK kill"),
    "a cancel overtakes its order, one of two matchers dies": Short("cancel overtakes its order", with_death=True),
    "two orders cross, two matchers": Short("cross"),
    "an order expires before its taker comes, two matchers": Short("expire before the taker"),
}


@dataclass(frozen=True, slots=True)
class Count:
    """states: different ones that were reached. ends: those in which every matcher was through or dead."""

    states: int
    ends: int


def walk_scenario(name: str) -> Count:
    """Walk through one of SHORT."""
    short = SHORT[name]
    scenario = SCENARIOS[short.scenario]
    client = MemoryDynamoDB()
    create_tables(client, PREFIX)  # type: ignore[arg-type]
    world = scenario.world(Database(client, PREFIX))  # type: ignore[arg-type]
    batch = world.records[world.acknowledged :]
    assert not scenario.limits, "limits are for the sweep"
    return walk(client, PREFIX, world, [batch, batch], warm=short.warm, with_death=short.with_death)


def walk(
    client: MemoryDynamoDB,
    prefix: str,
    world: World,
    batches: Sequence[Sequence[Any]],
    *,
    warm: bool = False,
    with_death: bool = False,
) -> Count:
    """Give each batch to a matcher of its own, walk through every order, and check each end; count what was seen.

    warm: the matchers know the book from before. with_death: one of them may die, at any of its calls.
    An end is checked after the whole of the batches is delivered once more. Raises AssertionError with the choices
    that led there.
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
        if state in walked:
            continue
        walked.add(state)
        assert len(walked) < STATES_MAX, "there is no end to it"
        try:
            check_never_negative(there)
            following = list(_following(actors, choices, with_death=with_death))
            if not following:
                ends += 1
                assert there.deliver() == []
                check_invariants(there, CREDITED)
        except AssertionError as error:
            raise AssertionError(f"{error}; reached by {choices}") from error
        waiting += [(*choices, choice) for choice in following]
    return Count(len(walked), ends)


def _played(
    tables: MemoryDynamoDB,
    prefix: str,
    world: World,
    known: Sequence[Any],
    batches: Sequence[Sequence[Any]],
    choices: Sequence[Choice],
) -> list[Actor]:
    database = stepped_database(tables, prefix)
    actors = [_matching(database, world, known, batch) for batch in batches]
    for at, fate in choices:
        actors[at].go_on(FAULTS[fate] if fate else None)
    return actors


def _matching(database: Database, world: World, known: Sequence[Any], batch: Sequence[Any]) -> Actor:
    """Return a matcher that gets the batch; what it knew before it was told in time."""
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
