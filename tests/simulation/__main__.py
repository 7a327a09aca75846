"""``make simulate``: explore the interleavings of short scenarios, then run seeds. Exits with 1 after a failure.

python -m tests.simulation --seeds 10000            seeds 1 to 10000, on all cores
python -m tests.simulation --seeds 1 --first 4711   this seed alone, with its traceback
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import os
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor

from rich.console import Console
from rich.progress import track

from tests.simulation.interleavings import INTERLEAVED, explore_scenario
from tests.simulation.world import Outcome, Summary, outcome_of

SEEDS_DEFAULT = 1000
CHUNK_SEEDS = 25


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS_DEFAULT, help=f"how many runs ({SEEDS_DEFAULT})")
    parser.add_argument("--first", type=int, default=1, help="the first seed (1)")
    options = parser.parse_args()
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    began_s = time.monotonic()
    if options.seeds > 1:
        _explore()
    seeds = range(options.first, options.first + options.seeds)
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(os.cpu_count() or 1, options.seeds), mp_context=spawn) as pool:
        outcomes = pool.map(outcome_of, seeds, chunksize=CHUNK_SEEDS if options.seeds > CHUNK_SEEDS else 1)
        summaries, failures = _sorted(
            track(outcomes, "seeds", total=len(seeds), console=Console(stderr=True), disable=not sys.stderr.isatty())
        )
    for seed, trace in sorted(failures):
        print(f"seed {seed} failed; replay it with: make simulate SEEDS=1 FIRST={seed}\n{trace}", file=sys.stderr)
    print(
        f"{len(summaries)} of {len(seeds)} seeds passed in {time.monotonic() - began_s:.0f} s (with the orders above)"
    )
    for what in ("commands", "entries", "steps", "faults", "deaths", "expired"):
        print(f"  {what}: {sum(getattr(summary, what) for summary in summaries):,}")
    if len(summaries) == 1:
        print(f"  digest: {summaries[0].digest}")
    return 1 if failures else 0


def _explore() -> None:
    logging.disable(logging.CRITICAL)
    for name in INTERLEAVED:
        count = explore_scenario(name)
        print(f"every order of {name!r}: {count.states:,} states, {count.ends:,} ends, all sound", flush=True)


def _sorted(outcomes: Iterable[Outcome]) -> tuple[list[Summary], list[tuple[int, str]]]:
    summaries: list[Summary] = []
    failures: list[tuple[int, str]] = []
    for outcome in outcomes:
        if isinstance(outcome, Summary):
            summaries.append(outcome)
        else:
            failures.append(outcome)
    return summaries, failures


if __name__ == "__main__":
    sys.exit(main())
