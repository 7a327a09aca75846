"""Crash points, swept: in every scenario, every DynamoDB call of a batch in turn goes wrong, in every way.

Goal: guarantees 1 to 7 hold after the batch is delivered again, whatever happened at whichever call. Method: the
scenario is built once in the exact in-memory store; for each call and fault its tables are copied, the batch is
delivered to a matcher whose n-th call meets the fault, then again from the last acknowledged record until it is
through, and the invariants are checked. A competing matcher that decides all or half of the batch right before the
call is one of the faults.

The same runs over the embedded engine, with real expressions: by default every third call meets one of the faults in
turn; ``make sweep`` has every call meet every fault, there and for the long scenario too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from random import Random
from typing import Any

import boto3
import pytest

from chalicelib.services.books.matcher import Matcher
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.parallel import Runner, sequentially
from infra.tables import create_tables
from tests.endpoint import create_own_tables
from tests.faults import BATCH, FAULTS, FULL_SWEEP, RESTS, WRITES, CutShort, Died, Fault, FaultyClient, after_another
from tests.invariants import check_invariants, check_money_comes_first, check_never_negative
from tests.memory import MemoryDynamoDB
from tests.scenarios import CREDITED, SCENARIOS, Scenario
from tests.world import World

PREFIX = "sweep"
LONG = "batch of 100 mixed commands"
WITHOUT_CALLS_OF_STATEMENTS = ("cancel overtakes its order",)
"""Scenarios that write one row at a time: a write alone is a call of its own."""
CALLS_MAX = 3000
DELIVERIES_MAX = 3
PARTS = 5
"""How many parts of each set of writes are tried."""
ALL_FAULTS = [
    *(name for name in FAULTS if name != "death before"),
    "all decided by another",
    "half decided by another",
]
"""But for the death before a call: it leaves what death after the call before it has left."""
AT_WRITES_ALONE = ("death after", "in conflict")
"""Faults that leave at a read what they left at the write before it, or nothing at all."""
_prefixes = count(1)


pytestmark = pytest.mark.usefixtures("no_logs")


@dataclass(frozen=True, slots=True)
class Stage:
    """A scenario as built, ready to be copied: its tables in memory, and the world that reads them."""

    client: MemoryDynamoDB
    world: World


@pytest.fixture(params=SCENARIOS)
def stage(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Stage:
    scenario: Scenario = SCENARIOS[request.param]
    for limit, value in scenario.limits.items():
        monkeypatch.setattr(limit, value)
    client = MemoryDynamoDB()
    create_tables(client, PREFIX)  # type: ignore[arg-type]
    return Stage(client, scenario.world(_database(client)))


def _database(client: Any, prefix: str = PREFIX, together: Runner = sequentially) -> Database:
    return Database(client, prefix, pause=lambda _seconds: None, together=together)


def in_memory(stage: Stage) -> Callable[[], tuple[Any, str]]:
    """Return what makes a copy of the stage's tables: a client and their prefix."""
    return lambda: (stage.client.clone(), PREFIX)


def on_engine(stage: Stage, engine_url: str) -> Callable[[], tuple[Any, str]]:
    """Return what makes a copy of the stage's tables on the embedded engine, under a prefix of its own."""
    client = boto3.client("dynamodb", endpoint_url=engine_url)

    def copy() -> tuple[Any, str]:
        prefix = f"{PREFIX}{next(_prefixes)}"
        create_own_tables(client, prefix)
        there = _database(client, prefix)
        for table, rows in stage.world.tables().items():
            there.put_many(table, rows)
        return client, prefix

    return copy


def strike(
    stage: Stage,
    copy: Callable[[], tuple[Any, str]],
    name: str,
    at: int,
    *,
    warm: bool,
    operations: frozenset[str] | None = None,
) -> bool:
    """Deliver the batch with the named fault at this one of the calls of these operations; None: of all.

    warm: to a matcher that knew the book from before.
    """
    client, prefix = copy()
    world = stage.world.over(_database(client, prefix))
    faulty = FaultyClient(client, _fault(name, world), at=at, operation=operations)
    return strike_with(faulty, prefix, world, at, warm=warm)


def strike_with(faulty: FaultyClient, prefix: str, world: World, at: int, *, warm: bool = False) -> bool:
    """Deliver the batch over a client with a fault, mend it by delivering again, and check; tell whether it struck."""
    matcher = Matcher(_database(faulty, prefix), lambda: world.now_ms)
    if warm:
        faulty.strike_at(0)
        now_ms, world.now_ms = world.now_ms, world.acknowledged_at_ms
        world.deliver(matcher, world.records[: world.acknowledged])
        world.now_ms = now_ms
        faulty.strike_at(at)
    deliver_until_through(world, matcher)
    return faulty.has_struck


def deliver_until_through(world: World, matcher: Matcher | None) -> None:
    """Deliver the batch to a matcher that something happens to, then again to it, or to another if it died; check."""
    batch = world.records[world.acknowledged :]
    admitted = {row["order_id"] for row in world.order_rows()}
    try:
        failed = world.deliver(matcher, batch)
    except Died:
        failed, matcher = ["everything"], None
    check_never_negative(world)
    check_money_comes_first(world)
    assert admitted == {row["order_id"] for row in world.order_rows()}, "7: an admitted order has no row"
    for _ in range(DELIVERIES_MAX):
        if failed:
            failed = world.deliver(matcher, batch)
    assert failed == [], "the batch does not get through"
    check_invariants(world, CREDITED)


def _fault(name: str, world: World) -> Fault:
    batch = world.records[world.acknowledged :]
    if name == "all decided by another":
        return after_another(lambda: _competitor(world, batch))
    if name == "half decided by another":
        return after_another(lambda: _competitor(world, batch[: len(batch) // 2 + 1]))
    return FAULTS[name]


def _competitor(world: World, records: list[Any]) -> None:
    assert world.deliver(world.matcher(), records) == []


def sweep(strikes: Callable[[int], bool], step: int = 1, first: int = 1) -> int:
    """Strike at every call (or every so many) until there is none; return how many were struck."""
    for at in range(first, CALLS_MAX, step):
        if not strikes(at):
            return at - first
    raise AssertionError(f"the scenario takes more than {CALLS_MAX} calls")


@pytest.mark.parametrize("warm", [False, True], ids=["new", "warm"])
@pytest.mark.parametrize("fault", ALL_FAULTS)
def test_no_fault_at_any_call_does_what_a_redelivery_does_not_mend(
    stage: Stage, fault: str, warm: bool, request: pytest.FixtureRequest
) -> None:
    """Guarantees 1 to 7, in memory: every call, every fault; in the long scenario every fault at some calls only."""
    is_long = LONG in request.node.callspec.id
    step = 1 if FULL_SWEEP or not is_long else 23
    first = 1 if step == 1 else 1 + ALL_FAULTS.index(fault)
    copy = in_memory(stage)
    operations, least = (WRITES, 0) if fault in AT_WRITES_ALONE else (None, 3)

    def strikes(at: int) -> bool:
        return strike(stage, copy, fault, at, warm=warm, operations=operations)

    assert sweep(strikes, step, first) > least, "hardly any call was reached"


def test_any_part_of_what_is_written_at_once_may_be_missing(stage: Stage) -> None:
    """Guarantees 1 to 7, in memory: accounts, and order rows, are written side by side; of each such set in turn a part
    is written when the matcher dies."""
    draw = Random(7)

    def strikes(at: int) -> bool:
        has_struck = []
        for _ in range(PARTS):
            client = stage.client.clone()
            world, cut = stage.world.over(_database(client)), CutShort(draw, at)
            deliver_until_through(world, Matcher(_database(client, together=cut), lambda world=world: world.now_ms))
            has_struck.append(cut.has_struck)
        return all(has_struck)

    assert sweep(strikes) > 0, "nothing is written"


@pytest.mark.parametrize("rest", RESTS if FULL_SWEEP else ["all in turn"])
def test_any_part_of_a_call_of_statements_may_be_done(stage: Stage, rest: str, request: pytest.FixtureRequest) -> None:
    """Guarantees 1 to 7, in memory: of each call of several statements in turn each part is done, and the others meet
    what can go wrong with them; in the long scenario at some calls only."""
    name = request.node.callspec.params["stage"]
    names = list(RESTS) if rest == "all in turn" else [rest]

    def strikes(at: int) -> bool:
        part, parts = 0, 1
        while part < parts:
            client = stage.client.clone()
            fault = RESTS[names[(at + part) % len(names)]](part)
            faulty = FaultyClient(client, fault, at=at, operation=BATCH)
            if not strike_with(faulty, PREFIX, stage.world.over(_database(client)), at):
                return False
            part, parts = part + 1, fault.parts
        return True

    struck = sweep(strikes, 1 if FULL_SWEEP or name != LONG else 4)
    assert (struck > 0) == (name not in WITHOUT_CALLS_OF_STATEMENTS)


@pytest.mark.parametrize("shift", range(len(ALL_FAULTS)) if FULL_SWEEP else [0])
def test_the_same_holds_over_the_real_expressions(stage: Stage, shift: int, embedded_engine_url: str) -> None:
    """Calls of a batch meet the faults in turn, on the embedded engine."""
    copy = on_engine(stage, embedded_engine_url)

    def strikes(at: int) -> bool:
        return strike(stage, copy, ALL_FAULTS[(at + shift) % len(ALL_FAULTS)], at, warm=at % 2 == 0)

    step = 1 if FULL_SWEEP else 3 if len(stage.world.records) < 50 else 29
    assert sweep(strikes, step) > 3, "hardly any call was reached"
