"""Soak test: the whole service under load, while its matcher is killed repeatedly: ``python benchmarks/soak.py``.

Client processes place and cancel orders over HTTP on many books; the matcher is a separate process that gets SIGKILL
every few seconds. Then the load ends, the matcher finishes its inbox, and everything is checked: no record may be lost
or counted twice. The exit code is 0 only if all checks pass. The printed seed reproduces requests and pauses, but not
the timing.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import soak_client
from benchmarks.soak_checks import problems_of, read_journals
from benchmarks.soak_stack import CUSTOMERS, Stack, StackBroken
from chalicelib import wiring
from chalicelib.ops import cli
from infra.settings import ROOT

SECONDS_MAX = 180
BOUND_S = 290
"""Time limit of the whole run."""
PAUSE_BEFORE_KILL_S = (1.5, 5.0)
END_S_MAX = 40
MATCHED_S_MAX = 100
PROBLEMS_SHOWN = 20
Report = dict[str, Any]


class Failed(Exception):
    """A check failed, or the run is not trustworthy. The message says why."""


class Overdue(Exception):
    """The run exceeded its time limit."""


class Workers:
    """Processes that all do the same, each with a load of its own. Leaving the ``with`` block ends them.

    run: called in each process with its load, a barrier to start at, an event to stop at, and where to send its result.
    """

    def __init__(self, run: Callable[..., None], loads: Sequence[object]) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._stop, self._ready = spawn.Event(), spawn.Barrier(len(loads) + 1)
        self._ends = ExitStack()
        self._workers = []
        for load in loads:
            told, telling = spawn.Pipe(duplex=False)
            process = spawn.Process(target=run, args=(load, self._ready, self._stop, telling), daemon=True)
            self._workers.append((process, told, telling))

    def __enter__(self) -> Workers:
        for process, _, telling in self._workers:
            process.start()
            self._ends.callback(process.kill)
            telling.close()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.close()

    def start(self) -> None:
        """Start all at the same time."""
        self._ready.wait(soak_client.START_S_MAX)

    def end(self) -> list[Any]:
        """Stop them after their last answers. Return their results. Raises Failed."""
        self._stop.set()
        results = []
        for process, told, _ in self._workers:
            if not told.poll(END_S_MAX):
                raise Failed("a process does not end")
            try:
                results.append(told.recv())
            except EOFError as error:
                raise Failed("a process died") from error
            process.join(END_S_MAX)
        return results


def clients_of(stack: Stack, count: int, seed: int, orders_per_second: float = 0, paced_s: float = 0) -> Workers:
    """Return client processes that place and cancel orders. orders_per_second: of all together, at most, in their
    first paced_s seconds.
    """
    facts = stack.address, stack.api_key, stack.books, CUSTOMERS
    each = orders_per_second / count
    loads = [soak_client.Load(*facts, f"{seed}/{number}", each, paced_s) for number in range(count)]
    return Workers(soak_client.run, loads)


def soak(folder: Path, seconds: float, clients: int, books: int, seed: int) -> Report:
    """Run the whole test. Return its report. Raises Failed, StackBroken or Overdue."""
    with Stack(folder, books) as stack:
        try:
            with clients_of(stack, clients, seed) as running:
                running.start()
                say(f"{clients} clients, {books} books, {seconds:g} s ...")
                started_s = time.monotonic()
                kills = kill_repeatedly(stack, started_s + seconds, random.Random(seed))
                tallies = running.end()
                load_s = time.monotonic() - started_s
            say("The load has ended; the matcher comes to the end of its inbox ...")
            caught_up_s = wait_for_the_matcher(stack)
            stack.stop_matcher()
            return _report(stack, tallies, load_s) | {
                "matcher killed": kills,
                "seconds to the end of the inbox": round(caught_up_s, 1),
            }
        except (Failed, StackBroken):
            print(stack.log_ends(), file=sys.stderr)
            raise


def kill_repeatedly(stack: Stack, until_s: float, draw: random.Random) -> int:
    """Kill and restart the matcher until the deadline. Return the number of kills."""
    kills = 0
    while (left_s := until_s - time.monotonic()) > 0:
        time.sleep(min(left_s, draw.uniform(*PAUSE_BEFORE_KILL_S)))
        if time.monotonic() < until_s:
            stack.kill_matcher()
            kills += 1
            stack.start_matcher()
    return kills


def wait_for_the_matcher(stack: Stack) -> float:
    """Wait until every command of the inbox is processed. Return the time taken, in seconds."""
    started_s = time.monotonic()
    commands = sum(1 for _ in wiring.database().scan("inbox"))
    while (through := len(stack.deliveries().through)) < commands:
        stack.watch()
        if time.monotonic() - started_s > MATCHED_S_MAX:
            raise Failed(f"{commands - through} of {commands} commands are not through after {MATCHED_S_MAX} s")
        time.sleep(0.25)
    return time.monotonic() - started_s


def _report(stack: Stack, tallies: list[soak_client.Tally], load_s: float) -> Report:
    """Check the final state. Raises Failed."""
    database, deliveries = wiring.database(), stack.deliveries()
    answers = sum((tally.answers for tally in tallies), Counter())
    placed = [order for tally in tallies for order in tally.placed]
    cancelled = [order for tally in tallies for order in tally.cancelled]

    say("Checking ...")
    redriven = cli.run(["redrive", "--all"])["commands"]
    journaled = read_journals(database)
    problems = [f"unexpected answer: {answer}" for tally in tallies for answer in tally.unexpected]
    problems += [f"{redriven} commands had been lost: a redrive decided them"] if redriven else []
    problems += problems_of(database, journaled, stack.credited, placed, cancelled)
    problems += _verify()
    if problems:
        shown = [*problems[:PROBLEMS_SHOWN], f"... {len(problems)} problems in all"]
        raise Failed("\n".join(shown))
    return {
        "load seconds": round(load_s, 1),
        "orders placed": len(placed),
        "orders a second": round(len(placed) / load_s, 1),
        "orders cancelled": len(cancelled),
        "cancels a second": round(len(cancelled) / load_s, 1),
        "answers": dict(sorted(answers.items())),
        "records delivered": len(deliveries.delivered),
        "records redelivered": deliveries.redelivered,
        "batches cut off by a kill": deliveries.cut_off,
        "batches handed back": deliveries.handed_back,
        "journal entries": journaled.entries,
        "trades": journaled.trades,
        "books with a snapshot": _snapshots(),
    }


def _verify() -> list[str]:
    """Run ``tallybook verify`` on everything."""
    command = [sys.executable, "-m", "chalicelib.ops.cli", "verify", "--all"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return [] if done.returncode == 0 else [f"tallybook verify --all: {done.stdout}{done.stderr}"]


def _snapshots() -> int:
    return sum("snapshot_sequence" in row for row in wiring.database().scan("journal"))


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def machine() -> str:
    return f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"


def _overdue(_number: int, _frame: object) -> None:
    raise Overdue(f"not through after {BOUND_S} s")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Load the whole service while its matcher is killed again and again.")
    parser.add_argument("--seconds", type=float, default=120, help=f"of load, {SECONDS_MAX} at most (120)")
    parser.add_argument("--clients", type=int, default=8, help="processes (8)")
    parser.add_argument("--books", type=int, default=20, help="order books (20)")
    parser.add_argument("--seed", type=int, help="default: a new one")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    if not 0 < options.seconds <= SECONDS_MAX:
        parser.error(f"--seconds must be above 0 and at most {SECONDS_MAX}")
    return options


def carried_out(name: str, run: Callable[[Path, int], Report], options: argparse.Namespace) -> int:
    """Run a benchmark in a folder of its own, print its report, and return the exit code. options: seed, json.

    run: receives the folder and the seed. Raises Failed, StackBroken, Overdue or CommandFailed.
    """
    seed = random.randrange(10**6) if options.seed is None else options.seed
    say(f"seed {seed}")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with tempfile.TemporaryDirectory(prefix=f"tallybook-{name}-") as folder:
            report = run(Path(folder), seed)
    except (Failed, StackBroken, Overdue, cli.CommandFailed) as failure:
        print(f"FAILED with seed {seed}: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    report = {"seed": seed, "machine": machine()} | report
    if options.json:
        print(json.dumps(report))
    else:
        print("\n".join(_lines(report)))
    return 0


def _lines(report: Report, indent: str = "") -> Iterator[str]:
    for what, value in report.items():
        if not isinstance(value, dict):
            yield f"{indent}{what}: {value}"
        elif any(isinstance(one, dict) for one in value.values()):
            yield f"{indent}{what}:"
            yield from _lines(value, f"{indent}  ")
        else:
            yield f"{indent}{what}: {', '.join(f'{name} {one}' for name, one in value.items())}"


def main() -> int:
    options = _arguments()
    signal.signal(signal.SIGALRM, _overdue)
    signal.alarm(BOUND_S)
    return carried_out(
        "soak", lambda folder, seed: soak(folder, options.seconds, options.clients, options.books, seed), options
    )


if __name__ == "__main__":
    sys.exit(main())
