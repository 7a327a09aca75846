"""Subscribers of the feed benchmark by long poll: each is cut off at random, and resumes from its last cursor.

A process runs some of them, a thread each, beside some by WebSocket (``feed_socket``). A cut happens while an answer is
waited for, in the middle of one, or after an answer whose cursor the subscriber then forgets: its events come again,
under the same ids. That is no fault of the feed, so such events are counted apart (``again``) from those that come
again behind a cursor (``doubles``).
"""

from __future__ import annotations

import http.client
import json
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier, Event
from typing import Any

from benchmarks.feed_depth import depth_digest, due_between
from benchmarks.feed_phases import Phases
from benchmarks.feed_socket import Socket, SocketPlace
from benchmarks.soak_client import DESK, START_S_MAX
from benchmarks.subscriber import Subscriber

WAIT_S, ANSWER_S_MAX = 10, 30
PAUSE_S = 0.05
LIMIT = 500
CUT_KINDS = ("waiting", "midway", "forgotten")
FAILURES_MAX = 20


class CutOff(Exception):
    """The connection is dropped by the subscriber itself."""


@dataclass(frozen=True, slots=True)
class Place:
    """Whom a process of subscribers asks, and for what. customers: one for each subscriber by long poll; None: the
    operator. sockets: those by WebSocket.

    seconds: duration of the load, of which the first undisturbed_s are without cuts, and the first timed_after_s not
    timed. cuts: of each subscriber. every: the subscribers note a book's depth at each sequence that this divides.
    """

    address: str
    api_key: str
    customers: list[str | None]
    sockets: list[SocketPlace]
    seconds: float
    timed_after_s: float
    undisturbed_s: float
    cuts: int
    every: int
    seed: str


@dataclass(slots=True)
class Told:
    """What one subscriber received. ids: of all events. depths: digest of the depth by (log, sequence).

    delays: number of events by phase and ms from decided to received, of events decided during the load.
    """

    customer: str | None
    ids: set[str] = field(default_factory=set)
    depths: dict[tuple[str, int], str] = field(default_factory=dict)
    balances: dict[tuple[str | None, str], tuple[int, int]] = field(default_factory=dict)
    delays: dict[str, Counter[int]] = field(default_factory=dict)
    cuts: Counter[str] = field(default_factory=Counter)
    doubles: int = 0
    disorders: int = 0
    again: int = 0
    answers: int = 0
    fault: str = ""


class Reader:
    """Takes answers in."""

    def __init__(self, customer: str | None, every: int, phases: Phases) -> None:
        self.told = Told(customer)
        self.kept = "start"
        self._subscriber = Subscriber()
        self._unkept: set[str] = set()
        self._every = every
        self._phases = phases

    def take(self, events: list[dict[str, Any]], cursor: str, *, forgets: bool) -> None:
        """Take an answer's events. forgets: the cursor is lost."""
        self.told.answers += 1
        for event in events:
            if event["id"] in self._unkept:
                self._unkept.discard(event["id"])
                self.told.again += 1
            else:
                self._take_new(event)
        if forgets:
            self._unkept |= {event["id"] for event in events}
        else:
            self.kept = cursor

    def result(self) -> Told:
        subscriber, told = self._subscriber, self.told
        told.ids = subscriber.seen
        told.doubles, told.disorders = subscriber.doubles, subscriber.disorders
        told.balances = {
            account: (subscriber.available[account], subscriber.held[account]) for account in subscriber.available
        }
        return told

    def _take_new(self, event: Mapping[str, Any]) -> None:
        log, sequence = event["log"], event["sequence"]
        if log.startswith("book/") and self.told.customer is None:
            self._note_depths(log, self._subscriber.places.get(log, (0, 0))[0], sequence)
        if self._subscriber.take(event):
            self._phases.note(self.told.delays, datetime.fromisoformat(event["time"]).timestamp() * 1000)

    def _note_depths(self, log: str, passed: int, sequence: int) -> None:
        """Note the depth at each due sequence from the one passed on, before an event of this sequence is taken."""
        for due in due_between(passed, sequence, self._every):
            digest = depth_digest(self._subscriber.depth(log.removeprefix("book/")))
            self.told.depths[log, due] = digest


class LongPoll:
    """One subscriber. draw: decides how it is cut off. cuts_s: when, by the monotonic clock."""

    def __init__(
        self, place: Place, customer: str | None, draw: random.Random, cuts_s: list[float], phases: Phases
    ) -> None:
        self.reader = Reader(customer, place.every, phases)
        self._place = place
        self._draw = draw
        self._cuts_s = cuts_s
        self._connection = http.client.HTTPConnection(place.address, timeout=ANSWER_S_MAX)
        self._whose = "" if customer is None else f"&customerRef={customer}"

    def follow(self, stop: Event) -> None:
        """Follow until ``stop`` is set and nothing more comes at once."""
        failures = 0
        while True:
            is_last = stop.is_set()
            try:
                if not self._poll(0 if is_last else WAIT_S, may_be_cut=not is_last) and is_last:
                    return
            except CutOff:
                self._connection.close()
            except (OSError, http.client.HTTPException, ValueError) as error:
                self._connection.close()
                failures += 1
                if failures > FAILURES_MAX:
                    self.reader.told.fault = f"no answer: {error!r}"
                    return
                time.sleep(PAUSE_S)

    def _poll(self, wait_s: int, *, may_be_cut: bool) -> bool:
        """Ask once. Return whether more may follow at once. Raises CutOff."""
        kind = self._draw.choice(CUT_KINDS)
        path = f"{DESK}/events?after={self.reader.kept}&limit={LIMIT}{self._whose}"
        headers = {"x-api-key": self._place.api_key, "prefer": f"wait={wait_s}"}
        self._connection.request("GET", path, headers=headers)
        response = self._answer(kind, may_be_cut=may_be_cut)
        is_due = may_be_cut and self._is_due()
        if is_due and kind == "midway":
            response.read(int(response.headers["content-length"]) // 2)
            raise self._cut(kind)
        text = response.read()
        if response.status != http.client.OK:
            raise ValueError(f"{response.status} {text[:200]!r}")
        data = json.loads(text)["data"]
        forgets = is_due and kind == "forgotten" and bool(data["events"])
        self.reader.take(data["events"], data["cursor"], forgets=forgets)
        if forgets:
            raise self._cut(kind)
        return bool(data["hasMore"] or data["events"])

    def _answer(self, kind: str, *, may_be_cut: bool) -> http.client.HTTPResponse:
        """Return the answer's beginning. Raises CutOff if a cut of the kind ``waiting`` is due meanwhile."""
        sock = self._connection.sock
        if not (may_be_cut and kind == "waiting" and self._cuts_s):
            sock.settimeout(ANSWER_S_MAX)
            return self._connection.getresponse()
        sock.settimeout(max(0.001, self._cuts_s[0] - time.monotonic()))
        try:
            response = self._connection.getresponse()
        except TimeoutError:
            raise self._cut(kind) from None
        sock.settimeout(ANSWER_S_MAX)
        return response

    def _is_due(self) -> bool:
        return bool(self._cuts_s) and self._cuts_s[0] <= time.monotonic()

    def _cut(self, kind: str) -> CutOff:
        self._cuts_s.pop(0)
        self.reader.told.cuts[kind] += 1
        return CutOff(kind)


def run(place: Place, ready: Barrier, stop: Event, told: Connection) -> None:
    """Follow with every subscriber of the process, then send what each received. The parent handles Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ready.wait(START_S_MAX)
    began_s, began_ms = time.monotonic(), time.time() * 1000
    phases = Phases(began_ms + place.timed_after_s * 1000, began_ms + place.undisturbed_s * 1000)

    def drawn(number: int) -> tuple[random.Random, list[float], Phases]:
        draw = random.Random(f"{place.seed}/{number}")
        return (
            draw,
            sorted(began_s + draw.uniform(place.undisturbed_s, place.seconds) for _ in range(place.cuts)),
            phases,
        )

    polls = [LongPoll(place, customer, *drawn(number)) for number, customer in enumerate(place.customers)]
    sockets = [Socket(one, *drawn(len(polls) + number)) for number, one in enumerate(place.sockets)]
    threads = [threading.Thread(target=one.follow, args=(stop,), daemon=True) for one in (*polls, *sockets)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told.send(([one.reader.result() for one in polls], [one.told for one in sockets]))
