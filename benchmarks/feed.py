"""Feed benchmark: subscribers that are cut off again and again rebuild every book: ``make feed``.

Clients place and cancel orders over HTTP. Most subscribers follow by long poll, as the instance's operator or as a
customer, the others by the trade desk's WebSocket. The first third of the load is undisturbed and paced, so that what
is timed is not the queue before a machine that has no time left. Then orders come as fast as they are answered, the
matcher is killed repeatedly, as in the soak test, and subscribers are cut off. At the end, what each received is
compared with the logs: no gap, no disorder, no double, and the same depth of each book at each hundredth sequence.
Prints how long events took from decided to received. The exit code is 0 only if all checks pass.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))


from benchmarks import feed_client
from benchmarks.feed_checks import kept_of, kinds_of, percentile, problems_of
from benchmarks.feed_depth import Market
from benchmarks.feed_phases import DISTURBED, UNDISTURBED
from benchmarks.feed_socket import TOPICS, SocketPlace
from benchmarks.feed_socket_checks import Asset, repeats, socket_problems_of
from benchmarks.soak import (
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
from benchmarks.soak_stack import (
    CUSTOMERS,
    INSTANCE,
    QUOTE,
    QUOTE_DECIMALS,
    QUOTE_SYMBOL,
    Stack,
    StackBroken,
    base_address,
    base_symbol,
)
from chalicelib import wiring

LONG_POLLS, SOCKETS, PROCESSES = 14, 6, 2
"""Subscribers of each kind, and the processes that they share."""
OF_CUSTOMERS = 4
"""Every so many-th subscriber by long poll follows a customer; the others the whole instance."""
WARM_UP, CALM = 1 / 10, 1 / 4
"""Shares of the load: what is decided first is not timed; then come no kills and cuts."""
CUTS_A_SECOND = 50 / 600
CUTS_MIN = 5


def feed(folder: Path, options: argparse.Namespace, seed: int) -> Report:
    """Run the benchmark. Return its report. Raises Failed or StackBroken."""
    calm_s = options.seconds * (WARM_UP + CALM)
    with Stack(folder, options.books) as stack:
        try:
            url = stack.start_pushes()
            with (
                clients_of(stack, options.clients, seed, options.rate, calm_s) as clients,
                Workers(feed_client.run, _places(stack, url, options, seed)) as subscribers,
            ):
                subscribers.start()
                clients.start()
                say(f"{options.clients} clients, {LONG_POLLS + SOCKETS} subscribers, {options.seconds:g} s ...")
                started_s = time.monotonic()
                time.sleep(calm_s)
                kills = kill_repeatedly(stack, started_s + options.seconds, random.Random(seed))
                tallies = clients.end()
                load_s = time.monotonic() - started_s
                wait_for_the_matcher(stack)
                stack.stop_matcher()
                ended = subscribers.end()
            say("Checking ...")
            kept = kept_of(wiring.database(), INSTANCE, CUSTOMERS, options.every)
        except (Failed, StackBroken):
            print(stack.log_ends(), file=sys.stderr)
            raise
    if not kept.depths:
        raise Failed(f"no book has {options.every} entries, so no depth was compared: --every must be less")
    told, by_socket = ([one for some in ended for one in some[kind]] for kind in (0, 1))
    problems = [f"unexpected answer: {answer}" for tally in tallies for answer in tally.unexpected]
    problems += [problem for one in told for problem in problems_of(kept, one)]
    markets, assets = _markets(stack), _assets(stack)
    problems += [problem for one in by_socket for problem in socket_problems_of(kept, one, markets, assets)]
    problems += repeats(by_socket)
    found = kinds_of(problems)
    if problems:
        raise Failed("\n".join([*problems[:PROBLEMS_SHOWN], f"... {len(problems)} problems in all: {found}"]))
    return {
        "load seconds": round(load_s, 1),
        "orders a second": round(sum(len(tally.placed) for tally in tallies) / load_s, 1),
        "found": found,
        "matcher killed": kills,
        "events of the logs": len(kept.events),
        "by long poll": {
            "subscribers": len(told),
            "events": sum(len(one.ids) for one in told),
            "received again after a cut": sum(one.again for one in told),
            "answers": sum(one.answers for one in told),
            "cuts": dict(sum((one.cuts for one in told), Counter[str]())),
            "depths compared": sum(len(one.depths) for one in told),
        },
        "by WebSocket": {
            "subscribers": len(by_socket),
            "messages": sum(one.messages for one in by_socket),
            "received again after a cut": sum(one.again for one in by_socket),
            "received again under their ids": sum(one.repeated for one in by_socket),
            "cuts": dict(sum((one.cuts for one in by_socket), Counter[str]())),
            "depths compared": sum(len(one.depths) for one in by_socket),
            "hashes compared": sum(one.hashes for one in by_socket),
            "ended by the server": sum(one.ended_by_server for one in by_socket),
        },
        "fewest cuts of a subscriber": min(sum(one.cuts.values()) for one in [*told, *by_socket]),
        "decided to received, ms": {
            f"{way}, {phase}": _percentiles(delays)
            for phase in (UNDISTURBED, DISTURBED)
            for way, counted in (
                ("long poll", [one.delays for one in told]),
                ("WebSocket", [one.delays for one in by_socket]),
                *((topic, [one.delays_of[topic] for one in by_socket if topic in one.delays_of]) for topic in TOPICS),
            )
            if (delays := sum((one.get(phase, Counter()) for one in counted), Counter[int]()))
        },
    }


def _percentiles(delays: Counter[int]) -> dict[str, int]:
    return {"p50": percentile(delays, 50), "p99": percentile(delays, 99), "of": delays.total()}


def _places(stack: Stack, url: str, options: argparse.Namespace, seed: int) -> list[feed_client.Place]:
    draw = random.Random(seed)
    whose = [draw.choice(CUSTOMERS) if number % OF_CUSTOMERS == 0 else None for number in range(LONG_POLLS)]
    sockets = [
        SocketPlace(
            url=url,
            address=stack.address,
            customer=customer,
            markets=_markets(stack),
            every=options.every,
            **stack.make_token(customer),
        )
        for customer in draw.sample(CUSTOMERS, SOCKETS)
    ]
    cuts = max(CUTS_MIN, round(options.seconds * CUTS_A_SECOND))
    return [
        feed_client.Place(
            address=stack.address,
            api_key=stack.api_key,
            customers=whose[number::PROCESSES],
            sockets=sockets[number::PROCESSES],
            seconds=options.seconds,
            timed_after_s=options.seconds * WARM_UP,
            undisturbed_s=options.seconds * (WARM_UP + CALM),
            cuts=cuts,
            every=options.every,
            seed=f"{seed}/{number}",
        )
        for number in range(PROCESSES)
    ]


def _markets(stack: Stack) -> list[Market]:
    return [
        Market(f"{base_symbol(number)}_{QUOTE_SYMBOL}", facts.book_id, facts.base_decimals, QUOTE_DECIMALS)
        for number, facts in enumerate(stack.books)
    ]


def _assets(stack: Stack) -> dict[str, Asset]:
    """Return the assets by currency code."""
    bases = {
        base_symbol(number): Asset(base_address(number), facts.base_decimals)
        for number, facts in enumerate(stack.books)
    }
    return {**bases, QUOTE_SYMBOL: Asset(QUOTE, QUOTE_DECIMALS)}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Cut off subscribers of the feed, and compare what they rebuild.")
    parser.add_argument("--seconds", type=float, default=120, help="of load (120)")
    parser.add_argument("--clients", type=int, default=4, help="processes that place orders (4)")
    parser.add_argument("--books", type=int, default=3, help="order books (3)")
    parser.add_argument("--every", type=int, default=100, help="compare books at each such sequence (100)")
    parser.add_argument("--rate", type=float, default=35, help="orders a second at most until the first kill (35)")
    parser.add_argument("--seed", type=int, help="default: a new one")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser.parse_args()


def main() -> int:
    options = _arguments()
    return carried_out("feed", lambda folder, seed: feed(folder, options, seed), options)


if __name__ == "__main__":
    sys.exit(main())
