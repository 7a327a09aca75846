"""Feed benchmark: subscribers that are cut off again and again rebuild every book: ``make feed``.

Clients place and cancel orders over HTTP, the matcher is killed repeatedly, as in the soak test. Subscribers follow by
long poll, some as the instance's operator, some as a customer. At the end, what each received is compared with the
logs: no gap, no disorder, no double, and the same depth of each book at each hundredth sequence. Prints how long events
took from decided to received. The exit code is 0 only if all checks pass.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))


from soak import (
    PROBLEMS_SHOWN,
    Failed,
    Report,
    Workers,
    carried_out,
    clients_of,
    kill_repeatedly,
    say,
    wait_for_the_matcher,
)
from soak_stack import CUSTOMERS, INSTANCE, Stack, StackBroken

from benchmarks import feed_client
from benchmarks.feed_checks import kept_of, percentile, problems_of
from chalicelib import wiring

SUBSCRIBERS, PROCESSES = 20, 2
OF_CUSTOMERS = 4
"""Every so many-th subscriber follows a customer; the others the whole instance."""
CUTS_A_SECOND = 50 / 600
CUTS_MIN = 5


def feed(folder: Path, options: argparse.Namespace, seed: int) -> Report:
    """Run the benchmark. Return its report. Raises Failed or StackBroken."""
    with Stack(folder, options.books) as stack:
        try:
            with (
                clients_of(stack, options.clients, seed) as clients,
                Workers(feed_client.run, _places(stack, options, seed)) as subscribers,
            ):
                subscribers.start()
                clients.start()
                say(f"{options.clients} clients, {SUBSCRIBERS} subscribers, {options.seconds:g} s ...")
                started_s = time.monotonic()
                kills = kill_repeatedly(stack, started_s + options.seconds, random.Random(seed))
                tallies = clients.end()
                load_s = time.monotonic() - started_s
                wait_for_the_matcher(stack)
                stack.stop_matcher()
                told = [one for some in subscribers.end() for one in some]
            say("Checking ...")
            kept = kept_of(wiring.database(), INSTANCE, CUSTOMERS, options.every)
        except (Failed, StackBroken):
            print(stack.log_ends(), file=sys.stderr)
            raise
    problems = [f"unexpected answer: {answer}" for tally in tallies for answer in tally.unexpected]
    problems += [problem for one in told for problem in problems_of(kept, one)]
    if problems:
        raise Failed("\n".join([*problems[:PROBLEMS_SHOWN], f"... {len(problems)} problems in all"]))
    delays = sum((one.delays for one in told), Counter[int]())
    return {
        "load seconds": round(load_s, 1),
        "orders a second": round(sum(len(tally.placed) for tally in tallies) / load_s, 1),
        "matcher killed": kills,
        "events of the logs": len(kept.events),
        "events received": sum(len(one.ids) for one in told),
        "received again after a cut": sum(one.again for one in told),
        "answers": sum(one.answers for one in told),
        "cuts": dict(sum((one.cuts for one in told), Counter[str]())),
        "fewest cuts of a subscriber": min(sum(one.cuts.values()) for one in told),
        "depths compared": sum(len(one.depths) for one in told),
        "decided to received by long poll, ms": {"p50": percentile(delays, 50), "p99": percentile(delays, 99)},
    }


def _places(stack: Stack, options: argparse.Namespace, seed: int) -> list[feed_client.Place]:
    draw = random.Random(seed)
    whose = [draw.choice(CUSTOMERS) if number % OF_CUSTOMERS == 0 else None for number in range(SUBSCRIBERS)]
    cuts = max(CUTS_MIN, round(options.seconds * CUTS_A_SECOND))
    return [
        feed_client.Place(
            address=stack.address,
            api_key=stack.api_key,
            customers=whose[number::PROCESSES],
            seconds=options.seconds,
            cuts=cuts,
            every=options.every,
            seed=f"{seed}/{number}",
        )
        for number in range(PROCESSES)
    ]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Cut off subscribers of the feed, and compare what they rebuild.")
    parser.add_argument("--seconds", type=float, default=120, help="of load (120)")
    parser.add_argument("--clients", type=int, default=2, help="processes that place orders (2)")
    parser.add_argument("--books", type=int, default=3, help="order books (3)")
    parser.add_argument("--every", type=int, default=100, help="compare books at each such sequence (100)")
    parser.add_argument("--seed", type=int, help="default: a new one")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser.parse_args()


def main() -> int:
    options = _arguments()
    return carried_out("feed", lambda folder, seed: feed(folder, options, seed), options)


if __name__ == "__main__":
    sys.exit(main())
