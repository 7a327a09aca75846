"""What several projectors of one book would bring (docs/decisions/projectors.md): python benchmarks/projectors.py

A matcher that only decides and commits is measured over the embedded engine, and the prototype of
``tests/simulation/share_projector.py``, which projects its entries. Orders a second follow as in ``costs``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import product
from pathlib import Path
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.book_paths import BOOK, INSTANCE, one_to_one, takers_against_one_maker
from benchmarks.costs import MATCH_MB, run_ms
from benchmarks.counting import Counting, Step
from benchmarks.counting import Path as OrderPath
from benchmarks.engine import databases, engine_database, machine
from benchmarks.figures import rounded
from chalicelib.domain.ledger.owners import book_key
from chalicelib.services.books.loading import Loading
from chalicelib.services.books.projection import Projector
from chalicelib.tables.dynamodb import Database, batched
from chalicelib.tables.journal import Journal
from tests.simulation.share_projector import Folded, ShareProjector

ORDERS, ENTRY_ORDERS = 500, 25
"""Orders of an entry: a matcher that only decides commits each 10 to 15 ms, in which about that many arrive."""
SHARES, RUNS, ROUNDS = (1, 2, 4), (1, 5, 20), 3
Flow = Callable[[Database, str, int, int], OrderPath]
FLOWS: tuple[Flow, ...] = (one_to_one, takers_against_one_maker)


def deciding(database: Database, flow: Flow) -> Step:
    """Return what an order costs a matcher that projects nothing."""
    with patch.object(Projector, "project", lambda *_: None), patch.object(Loading, "publish", lambda *_: None):
        return flow(database, "", ORDERS, ENTRY_ORDERS).steps[1]


def projecting(database: Database, shares: int, run: int) -> list[Step]:
    """Return what an order costs each projector of what was decided, then the fold alone. run: entries merged."""
    counting, entries = Counting(database), list(Journal(database).after(book_key(INSTANCE, BOOK.book_id), 0))
    before, measured = entries[: -ORDERS // ENTRY_ORDERS], entries[-ORDERS // ENTRY_ORDERS :]

    def step_of(projector: ShareProjector) -> Step:
        projector.project_own(before)

        def project() -> None:
            for some in batched(measured, run):
                projector.project_own(some)

        return counting.step("", ORDERS, project)

    folded = Folded(BOOK)
    folded.take(before)
    fold = counting.step("", ORDERS, lambda: folded.take(measured))
    steps = [step_of(ShareProjector(counting.database, Folded(BOOK), share, shares)) for share in range(shares)]
    assert sum(row["status"] == "FILLED" for row in database.scan("orders")) >= ORDERS
    return [*steps, fold]


def lines(empty: Iterator[Database]) -> Iterator[str]:
    yield "| flow | who | orders a run | an order's calls, ms of CPU | orders a second |"
    yield "| --- | --- | --- | --- | --- |"
    for flow in FLOWS:
        for run in RUNS:
            orders = run * ENTRY_ORDERS
            as_it_is = [flow(next(empty), "", ORDERS, orders).steps[1] for _ in range(ROUNDS)]
            yield line(flow, "the matcher, as it is", orders, least(as_it_is))
        decided, folds = list[Step](), list[Step]()
        for shares, run in product(SHARES, RUNS):
            rounds = []
            for database in (next(empty) for _ in range(ROUNDS)):
                decided.append(deciding(database, flow))
                rounds.append(projecting(database, shares, run))
                folds.append(rounds[-1].pop())
            slowest = max((least(steps) for steps in zip(*rounds, strict=True)), key=order_ms)
            yield line(flow, f"the slowest of {shares} projectors", run * ENTRY_ORDERS, slowest)
        yield line(flow, "each projector's fold alone", ENTRY_ORDERS, least(folds))
        yield line(flow, "a matcher that only decides", ENTRY_ORDERS, least(decided))


def line(flow: Flow, who: str, orders: int, step: Step) -> str:
    rate = rounded(1000 / order_ms(step))
    return f"| {flow.__name__} | {who} | {orders} | {step.calls:.2f}, {step.cpu_ms:.3f} | {rate:,.0f} |"


def order_ms(step: Step) -> float:
    return run_ms(step, MATCH_MB)


def least(steps: Iterable[Step]) -> Step:
    return min(steps, key=order_ms)


def main() -> None:
    os.environ["POWERTOOLS_LOG_LEVEL"] = "ERROR"
    with engine_database() as engine:
        print(f"{machine()}; {ORDERS} orders, {ENTRY_ORDERS} an entry\n")
        for text in lines(databases(engine)):
            print(text, flush=True)


if __name__ == "__main__":
    main()
