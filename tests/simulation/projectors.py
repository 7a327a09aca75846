"""Simulation of several projectors of one book (docs/decisions/projectors.md).

It commits entries, delivers them to any copies of any projector in runs of any length, and makes calls fail and copies
die, by a seed. ``python -m tests.simulation.projectors 1000`` runs seeds 1 to 1000 for each number of projectors.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from chalicelib.domain.ledger.changes import Change
from chalicelib.support.outcomes import OutcomeUnknown, Unavailable
from chalicelib.tables.dynamodb import Database
from infra.tables import create_tables
from tests.faults import FAULTS
from tests.invariants import check_invariants, check_money_comes_first, check_never_negative
from tests.memory import MemoryDynamoDB
from tests.ordering import in_order
from tests.scenarios import CREDITED, CUSTOMERS, Scenario, random_commands
from tests.simulation.actors import Actor, stepped_database
from tests.simulation.share_projector import SHOWN, Folded, ShareProjector
from tests.world import World

PREFIX, SHARES = "projectors", (1, 2, 3)
RUN_ENTRIES_MAX, STEPS_OF_FAULTS, STEPS_MAX = 20, 3_000, 30_000
TABLES = ("accounts", "fills", "open-orders", "orders", "inbox", "journal")


@dataclass(frozen=True, slots=True)
class Summary:
    """order_rows: written. order_rows_today: that the matcher writes for the same entries."""

    entries: int
    steps: int
    deaths: int
    order_rows: int
    order_rows_today: int


class Simulation:
    """One run from one seed. shares: number of projectors. is_calm: without faults and without second copies."""

    def __init__(self, seed: int, shares: int, without: str = "", *, is_calm: bool = False) -> None:
        self.draw = draw = Random(seed)
        self.fault_rate, self.copies_rate = (0.0, 0.0) if is_calm else (draw.choice([0.0, 0.02, 0.1]), 0.02)
        self.client: Any = MemoryDynamoDB()
        create_tables(self.client, PREFIX)
        self.world = Scenario(self._commands).world(Database(self.client, PREFIX))
        self.before = self.world.database.get("books", {"book": self.world.book, "part": "depth"})["sequence"]
        self.today = self._projected_by_the_matcher()
        self.entries = list(self.today.journal.after(self.world.book, 0))
        folded = Folded(self.world.config)
        folded.take(self.entries)
        for name in (SHOWN, *(f"projected/{share}" for share in range(shares))):
            start = ShareProjector(self.world.database, folded, 0, shares)
            start.reach(name, folded.run(self.before - 1, self.before))
        database = stepped_database(self.client, PREFIX, self._in_any_order)
        self.projectors = [ShareProjector(database, folded, share, shares, without) for share in range(shares)]
        self.funded = {
            (row["owner"], row["entry"].removeprefix("balance/")): Change(row["available"], row["held"])
            for row in check_never_negative(self.world)
        }
        self.acknowledged = [self.before] * shares
        self.committed, self.steps, self.deaths = self.before, 0, 0
        self.copies: list[tuple[int, int, Actor]] = []
        """Share, last entry delivered, and the running copy."""

    def run(self) -> Summary:
        """Run until all entries are acknowledged by all. Raises AssertionError if a guarantee is broken."""
        while self.copies or min(self.acknowledged) < len(self.entries):
            self.steps += 1
            assert self.steps < STEPS_MAX, "the run does not end"
            self.draw.choice([self._commit, self._deliver, self._deliver, *[self._advance] * 3 * len(self.copies)])()
            self._check_accounts()
            if self.steps % 16 == 0:
                check_money_comes_first(self.world)
        check_money_comes_first(self.world)
        for table in TABLES:
            rows, wanted = (in_order(world.database.scan(table)) for world in (self.world, self.today))
            assert rows == wanted, f"6: {table} is not as today's matcher leaves it"
        folded = self.projectors[0].folded
        today = sum(len(each.updates) for each in folded.run(self.before, len(self.entries)))
        return Summary(len(self.entries) - self.before, self.steps, self.deaths, folded.order_rows_written, today)

    def _in_any_order(self, calls: Sequence[Callable[[], None]]) -> None:
        for call in self.draw.sample(calls, len(calls)):
            call()

    def _commands(self, world: World) -> None:
        random_commands(world, 12, self.draw.randrange(10**6))
        world.deliver()
        random_commands(world, 30, self.draw.randrange(10**6))
        world.cancel_all(self.draw.choice(CUSTOMERS))
        random_commands(world, 6, self.draw.randrange(10**6))

    def _projected_by_the_matcher(self) -> World:
        """Return a copy of the world in which today's matcher has decided and projected everything."""
        today = self.world.over(Database(self.client.clone(), PREFIX))
        matcher, records = today.matcher(), today.records[today.acknowledged :]
        while records:
            size = self.draw.randint(1, 4)
            assert today.deliver(matcher, records[:size]) == []
            records, today.now_ms = records[size:], today.now_ms + 1
        check_invariants(today, CREDITED)
        return today

    def _commit(self) -> None:
        if self.committed < len(self.entries):
            self.committed += 1
            key = {"book": self.world.book, "sequence": self.committed}
            self.world.database.put_many("journal", [self.today.database.get("journal", key)])

    def _deliver(self) -> None:
        """Start a copy of a projector with a run that it has not acknowledged; seldom beside a running one."""
        share = self.draw.randrange(len(self.projectors))
        first, end = self.acknowledged[share], self.committed
        is_running = any(share == of for of, _, _ in self.copies)
        if first < end and (not is_running or self.draw.random() < self.copies_rate):
            end = self.draw.randint(first + 1, min(end, first + RUN_ENTRIES_MAX))
            entries, projector = self.entries[first:end], self.projectors[share]
            self.copies.append((share, end, Actor(f"projector {share}", lambda: projector.deliver(entries))))

    def _advance(self) -> None:
        copy = self.draw.choice(self.copies)
        share, end, actor = copy
        is_faulty = self.steps < STEPS_OF_FAULTS and self.draw.random() < self.fault_rate
        actor.resume(FAULTS[self.draw.choice(list(FAULTS))] if is_faulty else None)
        if not actor.is_done:
            return
        self.copies.remove(copy)
        self.deaths += actor.died
        if actor.error is not None and not isinstance(actor.error, Unavailable | OutcomeUnknown):
            raise actor.error
        if not actor.died and actor.error is None:
            self.acknowledged[share] = max(self.acknowledged[share], end)

    def _check_accounts(self) -> None:
        """Assert that each account is the fold of the journal up to its mark, and none is negative: guarantees 1, 2."""
        effects, start = self.projectors[0].folded.effects, self.funded
        for row in check_never_negative(self.world):
            account = row["owner"], row["entry"].removeprefix("balance/")
            mark = row.get(f"mark/{self.world.book}", 0)
            moved = [effects[n].changes.get(account, Change()) for n in range(self.before + 1, mark + 1)]
            expected = sum(moved, start.get(account, Change()))
            assert Change(row["available"], row["held"]) == expected, f"1: {account} is not the fold up to {mark}"


def main() -> None:
    logging.disable(logging.CRITICAL)
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    seeds = range(1, int(sys.argv[1]) + 1)
    for shares in SHARES:
        found = [Simulation(seed, shares).run() for seed in seeds]
        calm = [Simulation(seed, shares, is_calm=True).run() for seed in seeds[:100]]
        totals = ", ".join(f"{sum(getattr(one, of) for one in found):,} {of}" for of in ("entries", "steps", "deaths"))
        rows = sum(one.order_rows for one in calm) / sum(one.order_rows_today for one in calm)
        print(f"{shares} projectors: {len(found)} seeds sound, {totals}; order rows, calm: {rows:.2f} of today's")


if __name__ == "__main__":
    main()
