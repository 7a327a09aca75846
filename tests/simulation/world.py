"""One simulated run from one seed: requests, deliveries, matchers and faults in any order, then draining, then checks.

The seed decides the book's rules, one or two shards, two or three matchers, and the rate of faults. At each step it
decides which actor makes its next call, the order of parallel writes, whether a request arrives, a batch is delivered
(also again while its first delivery is running), a matcher dies, an expiry check or a redrive starts, or the stream
loses records. After each such phase everything is drained (delivered and expired without faults), and days may pass so
that rows reach their time to live. All the while an auditor reads the feed (``auditor``).
"""

from __future__ import annotations

import hashlib
import logging
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from random import Random
from typing import Any
from unittest.mock import patch

from ulid import ULID

from chalicelib.domain.books.admission import OrderRequest, Refusal
from chalicelib.domain.books.vocabulary import (
    NO_PROTECTION,
    BookStatus,
    CloseReason,
    OrderType,
    Protection,
    SelfTradePrevention,
    TimeInForce,
)
from chalicelib.domain.ledger.amounts import Side
from chalicelib.domain.ledger.owners import customer_key
from chalicelib.ops.verify.verifier import Verifier, unwatched
from chalicelib.services.books.admission import Admission, Admitted
from chalicelib.services.books.amending import Amending, NewTerms, NotOpen
from chalicelib.services.books.configuring import Configuring
from chalicelib.services.books.expiry import Expiring
from chalicelib.services.books.matcher import Matcher
from chalicelib.services.books.redrive import redrive
from chalicelib.services.books.stream import match_records
from chalicelib.services.books.switches import DeadManSwitches
from chalicelib.support.outcomes import OutcomeUnknown, Unavailable
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.expiries import SWITCH, Expiries, minute_of
from chalicelib.tables.inbox import commands_of
from chalicelib.tables.journal import EntryExists
from chalicelib.tables.rows import Row, decode
from chalicelib.tables.switches import Switches
from infra.tables import create_tables
from tests.faults import FAULTS, Fault
from tests.invariants import check_invariants, check_never_negative
from tests.memory import MemoryDynamoDB
from tests.simulation.actors import Actor, stepped_database
from tests.simulation.auditor import Auditor
from tests.simulation.determinism import check_determinism
from tests.world import BASE, BOOK_ID, INSTANCE, NOW_MS, QUOTE, World

PREFIX = "sim"
FUNDS = 2_000
CUSTOMERS = ("ann", "ben", "cat")
CREDITED = {BASE: FUNDS * len(CUSTOMERS), QUOTE: FUNDS * len(CUSTOMERS)}
STRETCHES = 3
REQUESTS_A_PHASE_MAX = 16
REQUESTS_AT_ONCE_MAX = 3
BATCH_ORDERS_DRAWN = 5
STEPS_MAX = 20_000
DELIVERIES_MAX = 400
DAY_MS, MS_MAX = 86_400_000, 10**15
LIVES_MS = (1, 100, 1_000, 8_000)
"""Lifetimes of orders that expire."""
PROTECTED_SHARE, RESUMES_SHARE, AMENDMENTS_SHARE, SWITCHES_SHARE = 0.5, 0.04, 0.15, 0.05
TIMEOUTS_S = (0, 1, 1, 2, 8)
LOT_SIZES, MIN_ORDER_VALUES = (1, 1, 1, 2), (0, 5)
"""Minimum amounts; most books have none, so that dust occurs (T45, T46)."""
PROTECTIONS = (
    NO_PROTECTION, Protection(price_band_bps=2_000), Protection(0, 1_000, 3_600, 1), Protection(2_000, 1_200, 600, 2),
    Protection(0, 1_500, 3_600, 8),
)  # fmt: skip
"""Of protected books. A tick may be too far, for prices are few ticks apart; halts are short against a run (O12)."""
_template = MemoryDynamoDB()
create_tables(_template, PREFIX)  # type: ignore[arg-type]


@dataclass(slots=True)
class Shard:
    """Records in order, and the number acknowledged. delivery: the current one that counts, if any."""

    records: list[Any] = field(default_factory=list)
    acknowledged: int = 0
    delivery: Actor | None = None


@dataclass(slots=True)
class Worker:
    """A function instance: a matcher with its cache, and its current work."""

    matcher: Matcher
    actor: Actor | None = None
    shard: Shard | None = None
    batch: list[Any] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Summary:
    """Result of a run.

    digest: SHA-256 over the last journal hash and all steps: the same seed gives the same digest.
    """

    seed: int
    commands: int
    entries: int
    steps: int
    faults: int
    deaths: int
    expired: int
    halts: int
    amended: int
    fired: int
    digest: str


Outcome = Summary | tuple[int, str]
"""The result of a seed, or the seed with its traceback."""


def outcome_of(seed: int) -> Outcome:
    """Run one seed. Errors are returned, so that the other seeds still run."""
    logging.disable(logging.CRITICAL)
    try:
        return Simulation(seed).run()
    except Exception:
        return seed, traceback.format_exc()


@contextmanager
def limits(draw: Random) -> Iterator[None]:
    """Make the program's limits small enough to be reached in a short run."""
    with (
        patch("chalicelib.domain.books.snapshot.SNAPSHOT_AFTER_BYTES_MIN", draw.choice([300, 1000, 5000])),
        patch("chalicelib.tables.snapshots.PIECE_BYTES_MAX", draw.choice([150, 1000])),
        patch("chalicelib.domain.books.journal.ENTRY_EVENT_BYTES_MAX", draw.choice([700, 300_000])),
        patch("chalicelib.services.books.matcher.EVENTS_PER_ENTRY_GROUP", draw.choice([3, 1000])),
        patch("chalicelib.tables.accounts.MARKS_IN_ROW_MAX", draw.choice([0, 16])),
    ):
        yield


class Simulation:
    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.draw = draw = Random(seed)
        self.now_ms = NOW_MS
        self._ids = 0
        self._protections = Random(f"protection of {seed}")
        self._amendments = Random(f"amendments of {seed}")
        self._is_protected = self._protections.random() < PROTECTED_SHARE
        self._switching = Random(f"switches of {seed}")
        self._sets: Counter[str] = Counter()
        """How often each customer has set its dead man's switch."""
        self.client = _template.clone()
        quiet = Database(self.client, PREFIX)  # type: ignore[arg-type]
        self.world = World(
            quiet,
            base_decimals=draw.choice([0, 1, 1]),
            maker_fee_bps=draw.choice([0, 30]),
            taker_fee_bps=draw.choice([0, 70]),
            self_trade_prevention=draw.choice(list(SelfTradePrevention)),
            lot_size=draw.choice(LOT_SIZES),
            min_order_value=draw.choice(MIN_ORDER_VALUES),
            **self._protection(),
        )
        self.prices = draw.choice([range(8, 13), range(2, 7)])
        self.world.admission = Admission(quiet, self._now_s, self._new_id)
        self.world.configuring = Configuring(quiet, self._now_s, self._new_id)
        for customer in CUSTOMERS:
            for asset in (BASE, QUOTE):
                self.world.credit(customer, asset, FUNDS)
        self.database = stepped_database(self.client, PREFIX, self._in_any_order)
        self.admission = Admission(self.database, self._now_s, self._new_id)
        self.amending = Amending(self.database, self._now_s, self._new_id)
        self.configuring = Configuring(self.database, self._now_s, self._new_id)
        self.switches = DeadManSwitches(self.database, lambda: self.now_ms, self._new_id)
        self.fault_rate = draw.choice([0.0, 0.02, 0.1])
        self.shards = [Shard() for _ in range(draw.choice([1, 1, 2]))]
        self.workers = [Worker(self._matcher(self.database)) for _ in range(draw.choice([2, 3]))]
        self.expiring = [self._expiring(self.database) for _ in range(2)]
        self.expiry_checks: list[Actor | None] = [None, None]
        self.requests: list[Actor] = []
        self.admitted: list[tuple[str, str]] = []
        self.streamed = 0
        self.lost = 0
        self.steps = self.faults = self.deaths = 0
        self._filled: dict[str, int] = {}
        self._auditor = Auditor(self.world, lambda: self.now_ms, Random(-seed))
        self._steps_digest = hashlib.sha256()

    def _protection(self) -> dict[str, int]:
        """Return settings of the band and the breaker; they are drawn beside what is drawn of every book."""
        protection = self._protections.choice(PROTECTIONS) if self._is_protected else NO_PROTECTION
        return protection._asdict()

    def run(self) -> Summary:
        """Run some phases, each followed by draining. Raises AssertionError if a guarantee is broken."""
        with limits(self.draw):
            for _ in range(STRETCHES):
                self._phase(self.draw.randint(3, REQUESTS_A_PHASE_MAX))
                self._drain()
                check_invariants(self.world, CREDITED, self._commands(), self.now_ms)
                self._auditor.check()
                if self.draw.random() < 0.3:
                    self._pass_days()
            check_determinism(self.world, self._commands())
            Verifier(self.world.database, unwatched).verify(self.world.book)
        head = self.world.folded().head
        self._steps_digest.update(head.hash.encode())
        digest = self._steps_digest.hexdigest()
        expired = sum(row.get("status") == "EXPIRED" for row in self.world.database.scan("orders"))
        entries = self.world.journal.after(self.world.book, 0)
        told = Counter(event["type"] for entry in entries for event in entry.events)
        fired = sum(row.get("reason") == CloseReason.DEAD_MAN for row in self._commands())
        return Summary(
            self.seed, self.streamed, head.sequence, self.steps, self.faults, self.deaths, expired, told["halted"],
            told["amended"], fired, digest,
        )  # fmt: skip

    def _in_any_order(self, calls: Sequence[Callable[[], None]]) -> None:
        """Make the program's parallel calls one by one, in a random order; a death may leave some undone."""
        for call in self.draw.sample(calls, len(calls)):
            call()

    # What the world outside does.

    def _now_s(self) -> int:
        return self.now_ms // 1000

    def _new_id(self, prefix: str) -> str:
        self._ids += 1
        return f"{prefix}_{ULID.from_bytes(self.now_ms.to_bytes(6, 'big') + self._ids.to_bytes(10, 'big'))}"

    def _matcher(self, database: Database) -> Matcher:
        """Return a matcher with an empty cache and this run's clock."""
        return Matcher(database, lambda: self.now_ms)

    def _expiring(self, database: Database) -> Expiring:
        return Expiring(database, self._matcher(database), lambda: self.now_ms, self._new_id)

    def _pass_days(self) -> None:
        """Let some days pass: placed orders expire, then rows reach their time to live."""
        self.now_ms += max(LIVES_MS)
        self._expire_all_due()
        check_invariants(self.world, CREDITED, self._commands(), self.now_ms)
        self.now_ms += self.draw.choice([2, 8, 11]) * DAY_MS
        self.client.expire(self._now_s())
        Expiries(self.world.database).note_swept(minute_of(self.now_ms) - 2)

    def _phase(self, requests: int) -> None:
        """Run one phase: requests arrive while batches are delivered. It ends when all are answered and time has
        passed.
        """
        idle_steps = self.draw.randint(0, 40)
        while requests or self.requests or idle_steps > 0:
            self._tick()
            choices: list[Callable[[], None]] = [self._deliver]
            if self.draw.random() < 0.2:
                choices.append(self._begin_expiry_check)
            if requests and len(self.requests) < REQUESTS_AT_ONCE_MAX:
                choices.append(self._send_request)
            running = self._running()
            choices += [self._advance] * len(running)
            chosen = self.draw.choice(choices)
            if chosen == self._send_request:
                requests -= 1
            if not requests and not self.requests:
                idle_steps -= 1
            chosen()

    def _tick(self) -> None:
        self.steps += 1
        self._auditor.may_read()
        assert self.steps < STEPS_MAX, "the run does not end"
        self.now_ms += self.draw.choice([0, 0, 1, 7, 400])

    def _running(self) -> list[Actor]:
        busy = [worker.actor for worker in self.workers if worker.actor is not None]
        return [*self.requests, *busy, *(check for check in self.expiry_checks if check is not None)]

    def _send_request(self) -> None:
        """Send a request: mostly place one order or several, also amend or cancel one, cancel all, rarely pause, resume
        or close.

        In a protected book the operator also ends halts, and sets the band's reference. Some set a dead man's switch.
        """
        dice = self.draw.random()
        work: Callable[[], object]
        if self._is_protected and self._protections.random() < RESUMES_SHARE:
            reference = self._protections.choice([None, *self.prices])
            work = partial(self.configuring.resume, INSTANCE, BOOK_ID, reference)
        elif self.admitted and self._amendments.random() < AMENDMENTS_SHARE:
            work = self._amendment()
        elif self._switching.random() < SWITCHES_SHARE:
            customer, timeout_s = self._switching.choice(CUSTOMERS), self._switching.choice(TIMEOUTS_S)
            self._sets[customer] += timeout_s > 0
            work = partial(self.switches.set, INSTANCE, customer, timeout_s)
        elif dice < 0.03:
            status = self.draw.choice([BookStatus.PAUSED, BookStatus.ACTIVE, BookStatus.ACTIVE, BookStatus.CLOSED])
            settings = {"status": status, "maker_fee_bps": self.draw.choice([0, 30]), "taker_fee_bps": 50}
            settings |= {
                "lot_size": self.draw.choice(LOT_SIZES),
                "min_order_value": self.draw.choice(MIN_ORDER_VALUES),
                **self._protection(),
            }
            work = partial(self.configuring.change, INSTANCE, BOOK_ID, settings)
        elif dice < 0.07:
            work = partial(self.admission.cancel_all, INSTANCE, self.draw.choice(CUSTOMERS), BOOK_ID)
        elif dice < 0.3 and self.admitted:
            customer, order_id = self.draw.choice(self.admitted)
            work = partial(self.admission.cancel, INSTANCE, customer, order_id)
        elif dice < 0.45:
            customer = self.draw.choice(CUSTOMERS)
            batch = [replace(self._order(), customer=customer) for _ in range(self.draw.randint(2, BATCH_ORDERS_DRAWN))]
            work = partial(self._place, batch)
        else:
            work = partial(self._place, [self._order()])
        self._started(self.requests, Actor("request", work))

    def _order(self) -> OrderRequest:
        draw = self.draw
        price = draw.choice([None, *self.prices, *self.prices])
        force = draw.choice([TimeInForce.GTC] * 4 + [TimeInForce.IOC, TimeInForce.FOK])
        post_only = price is not None and force is TimeInForce.GTC and draw.random() < 0.1
        kind = OrderType.MARKET if price is None else OrderType.LIMIT
        may_expire = price is not None and force is TimeInForce.GTC and draw.random() < 0.4
        order = OrderRequest(
            draw.choice(CUSTOMERS), draw.choice(list(Side)), kind, force, price,
            draw.randint(1, draw.choice([9, 60])), post_only,
            expires_at_ms=self.now_ms + draw.choice(LIVES_MS) if may_expire else None,
        )  # fmt: skip
        return self._advanced(order) if draw.random() < 0.3 else order

    def _advanced(self, order: OrderRequest) -> OrderRequest:
        """Return the order as one of another type: with a price stop-limit, trailing or iceberg, without ceiling."""
        draw = self.draw
        if order.price is None:
            if draw.random() < 0.5 and order.time_in_force is TimeInForce.GTC:
                distance = draw.randint(1, 3)
                return replace(order, side=Side.SELL, order_type=OrderType.TRAILING, distance=distance)
            return replace(order, order_type=OrderType.CEILING, quantity=0, value=draw.randint(1, 400))
        order = replace(order, time_in_force=TimeInForce.GTC)
        kind = draw.choice((OrderType.STOP_LIMIT, OrderType.TRAILING, OrderType.ICEBERG))
        if kind is OrderType.ICEBERG:
            return replace(order, order_type=kind, step=draw.choice([1, 2, 5, 10]))
        order = replace(order, order_type=kind, post_only=False)
        if kind is OrderType.TRAILING:
            return replace(order, distance=draw.randint(1, 3))
        return replace(order, stop_price=draw.choice(self.prices))

    def _amendment(self) -> Callable[[], object]:
        """Return the amendment of a recent order, often beside another one of the same order."""
        draw = self._amendments
        customer, order_id = draw.choice(self.admitted[-4:])
        price, quantity = draw.choice([None, *self.prices]), draw.choice([None, draw.randint(1, draw.choice([9, 90]))])
        return partial(self._amend, customer, order_id, NewTerms(price, quantity))

    def _amend(self, customer: str, order_id: str, terms: NewTerms) -> None:
        with suppress(NotOpen):
            self.amending.amend(INSTANCE, customer, order_id, terms)

    def _place(self, orders: Sequence[OrderRequest]) -> None:
        for outcome in self.admission.place_all(INSTANCE, BOOK_ID, orders):
            if isinstance(outcome, Admitted):
                self.admitted.append((outcome.order.customer, outcome.order.order_id))
            else:
                assert isinstance(outcome, Refusal)

    # What the stream does.

    def _collect(self) -> None:
        """Distribute new records of the inbox's stream to the shards, at random."""
        name = self.world.database.name("inbox")
        for record in self.client.stream(name, self.streamed):
            self.streamed += 1
            self.draw.choice(self.shards).records.append(record)

    def _commands(self) -> list[Row]:
        """Return all inbox rows ever written, expired ones included."""
        return [
            decode(record["dynamodb"]["NewImage"]) for record in self.client.stream(self.world.database.name("inbox"))
        ]

    def _deliver(self) -> None:
        """Deliver a batch to a free worker, if there is one; rarely a batch that is being processed already."""
        self._collect()
        if self.draw.random() < 0.02:
            self._drop_records()
        idle = [worker for worker in self.workers if worker.actor is None]
        shard = self.draw.choice(self.shards)
        if not idle:
            return
        if shard.delivery is not None and self.draw.random() > 0.1:
            return
        rest = shard.records[shard.acknowledged :]
        if not rest:
            if self.draw.random() < 0.05:
                self._begin_redrive(self.draw.choice(idle))
            return
        size = self.draw.randint(1, len(rest))
        self._begin(self.draw.choice(idle), shard, rest[:size])

    def _drop_records(self) -> None:
        """Drop records from the front of a shard that no delivery has, as the stream does after a day."""
        shard = self.draw.choice(self.shards)
        if shard.delivery is None and len(shard.records) > shard.acknowledged:
            record = shard.records.pop(shard.acknowledged)
            self.lost += len(commands_of(decode(record["dynamodb"]["NewImage"])))

    def _begin(self, worker: Worker, shard: Shard, batch: list[Any]) -> None:
        """Start a delivery. One still running on the shard becomes a zombie: its answer no longer counts."""
        if shard.delivery is not None:
            for other in self.workers:
                if other.actor is shard.delivery:
                    other.shard = None
        worker.batch, worker.shard = batch, shard
        worker.actor = shard.delivery = Actor("delivery", lambda: match_records(worker.matcher, batch))
        self._finish_work(worker)

    def _begin_redrive(self, worker: Worker) -> None:
        worker.batch, worker.shard = [], None
        worker.actor = Actor("redrive", lambda: redrive(self.database, worker.matcher, self.world.book))
        self._finish_work(worker)

    # What the schedule does.

    def _begin_expiry_check(self) -> None:
        """Start a free expiry checker."""
        at = self.draw.randrange(len(self.expiry_checks))
        if self.expiry_checks[at] is None:
            self.expiry_checks[at] = Actor("expiry check", self.expiring[at].check)
            self._finish_expiry_check(at)

    def _finish_expiry_check(self, at: int) -> None:
        """Handle the end of an expiry check; replace a dead checker."""
        actor = self.expiry_checks[at]
        if actor is None or not actor.is_done:
            return
        self.expiry_checks[at] = None
        if actor.died:
            self.deaths += 1
            self.expiring[at] = self._expiring(self.database)
        elif actor.error is not None and not isinstance(actor.error, Unavailable | OutcomeUnknown):
            raise actor.error

    def _expire_all_due(self) -> None:
        """Check expiries without faults: then no expired order is live, and rows of ended orders are gone."""
        expiring = self._expiring(self.world.database)
        while not expiring.check():
            pass
        late = [
            row["order_id"]
            for row in self.world.orders.open_rows()
            if row.get("expires_at_ms", self.now_ms + 1) <= self.now_ms
        ]
        assert late == [], f"R24: live after their time: {late}"
        self._check_switches()
        self._collect()
        self._deliver_all()

    def _check_switches(self) -> None:
        """Check that no switch is overdue or without a check in time, and that none has fired twice (O10)."""
        checks: dict[str, int] = {}
        for row in self.world.database.scan("expiries"):
            if f"/{SWITCH}" in row["look"]:
                checks[row["owner"]] = min(checks.get(row["owner"], MS_MAX), int(row["look"].partition("/")[0]))
        for customer in CUSTOMERS:
            switch = Switches(self.world.database).get(customer_key(INSTANCE, customer))
            if switch is not None:
                assert switch.cancel_at_ms > self.now_ms, f"O10: {customer}'s switch is overdue"
                assert checks.get(switch.owner, MS_MAX) <= switch.cancel_at_ms, f"O10: {customer}'s would not fire"
        fired = Counter(row["customer"] for row in self._commands() if row.get("reason") == CloseReason.DEAD_MAN)
        assert fired <= self._sets, f"O10: {fired} fired of {self._sets}"

    # What all of them do.

    def _advance(self) -> None:
        """Let one of the running actors make its next call."""
        running = self._running()
        if not running:
            return
        actor = self.draw.choice(running)
        fault = self._fault()
        self._steps_digest.update(f"{actor.name} {actor.waits_for};".encode())
        actor.resume(fault)
        self._after(actor)
        if self.steps % 16 == 0:
            self._check_after_step()

    def _fault(self) -> Fault | None:
        if self.draw.random() >= self.fault_rate:
            return None
        self.faults += 1
        return FAULTS[self.draw.choice(list(FAULTS))]

    def _after(self, actor: Actor) -> None:
        if actor in self.requests:
            self._started(self.requests, actor)
        for worker in self.workers:
            if worker.actor is actor:
                self._finish_work(worker)
        for at in range(len(self.expiry_checks)):
            self._finish_expiry_check(at)

    def _started(self, actors: list[Actor], actor: Actor) -> None:
        """Track a request while it runs. A failed one may have an unknown outcome; a dead one never answers."""
        if actor.error is not None and not isinstance(actor.error, Unavailable | OutcomeUnknown):
            raise actor.error
        if actor.is_done and actor in actors:
            actors.remove(actor)
        elif not actor.is_done and actor not in actors:
            actors.append(actor)

    def _finish_work(self, worker: Worker) -> None:
        """Handle the end of a worker's batch: acknowledge it, or replace a dead worker."""
        actor = worker.actor
        assert actor is not None
        if not actor.is_done:
            return
        shard, batch = worker.shard, worker.batch
        worker.actor = worker.shard = None
        if actor.died:
            self.deaths += 1
            worker.matcher = self._matcher(self.database)
        elif actor.error is not None and not isinstance(actor.error, Unavailable | OutcomeUnknown | EntryExists):
            raise actor.error
        if shard is None:
            return
        shard.delivery = None
        if actor.died or actor.error is not None:
            return
        failed = actor.result
        through = len(batch)
        if failed:
            through = next(at for at, one in enumerate(batch) if one["dynamodb"]["SequenceNumber"] == failed[0])
        shard.acknowledged += through

    def _check_after_step(self) -> None:
        """Assert the invariants that always hold: no account is negative, and no order's fill ever decreases."""
        check_never_negative(self.world)
        for row in self.world.orders_as_read():
            assert row["filled"] >= self._filled.get(row["order_id"], 0), f"3: {row['order_id']} went down"
            self._filled[row["order_id"]] = row["filled"]

    def _drain(self) -> None:
        """Drain: without faults, all work ends, everything is delivered, and lost records are redriven."""
        rate, self.fault_rate = self.fault_rate, 0.0
        while self._running():
            self._tick()
            self._advance()
        self._collect()
        self._deliver_all()
        decided = redrive(self.world.database, self._matcher(self.world.database), self.world.book)
        assert decided <= self.lost, f"{decided} commands were undecided, {self.lost} lost"
        self.lost = 0
        self._expire_all_due()
        self.fault_rate = rate

    def _deliver_all(self) -> None:
        """Deliver everything that was collected, without faults."""
        for _ in range(DELIVERIES_MAX):
            waiting = [shard for shard in self.shards if len(shard.records) > shard.acknowledged]
            if not waiting:
                break
            shard = self.draw.choice(waiting)
            rest = shard.records[shard.acknowledged :]
            failed = match_records(self._matcher(self.world.database), rest)
            assert failed == [], "a batch fails with nothing wrong"
            shard.acknowledged = len(shard.records)
