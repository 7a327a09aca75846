"""A dispatcher, a deliverer and receivers over tables in memory, with a clock that tests move."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chalicelib.domain.feed.event import FeedEvent, customer_subject
from chalicelib.domain.webhooks.endpoint import Endpoint, Owner
from chalicelib.services.webhooks.delivering import Deliverer
from chalicelib.services.webhooks.dispatching import Dispatcher
from chalicelib.services.webhooks.endpoints import EndpointDesk
from chalicelib.services.webhooks.sending import Answer
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.parallel import Runner, sequentially
from chalicelib.tables.webhook_deliveries import WebhookDeliveries
from chalicelib.tables.webhooks import WebhookEndpoints

INSTANCE, BOOK = "inst_hooks001", "book/ob_1"
OPERATOR = Owner(INSTANCE)
MASTER_KEY = b"k" * 32
NOW_MS = 1_736_937_000_000
URL = "https://hooks.example.com/in"
OK = Answer(200, "200")


def event(sequence: int = 1, event_type: str = "order.filled", *receivers: str, **members: Any) -> FeedEvent:
    values: dict[str, Any] = {
        "instance": INSTANCE,
        "log": BOOK,
        "stamp": "5a5a5a5a",
        "part": 0,
        "name": "depth",
        "at_ms": NOW_MS,
    }
    values["body"] = {"orderId": f"ord_{sequence}"}
    return FeedEvent(
        sequence=sequence,
        type=event_type,
        receivers=frozenset(receivers or (customer_subject("ann"),)),
        **values | members,
    )


@dataclass(frozen=True)
class Request:
    url: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def event_id(self) -> str:
        return self.headers["webhook-id"]


@dataclass
class Receiver:
    """What is posted, in order. answers: by URL, what the next requests get; the last one stays."""

    answers: dict[str, list[Answer]] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)

    def __call__(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        self.requests.append(Request(url, headers, body))
        answers = self.answers.get(url, [OK])
        return answers.pop(0) if len(answers) > 1 else answers[0]

    @property
    def ids(self) -> list[str]:
        return [request.event_id for request in self.requests]


class Hooks:
    """The parts over one database. starts: what the dispatcher and others have started, not carried out by itself."""

    def __init__(
        self,
        database: Database,
        receiver: Receiver | None = None,
        now_ms: int = NOW_MS,
        side_by_side: Callable[[], Runner] = lambda: sequentially,
    ) -> None:
        self.now_ms = now_ms
        self.receiver = receiver or Receiver()
        self.side_by_side = side_by_side
        self.starts: list[tuple[Owner, str, list[str]]] = []
        self.cursor: str | None = "place"
        self.pauses: list[float] = []
        self.over(database)

    def over(self, database: Database) -> None:
        """Build all parts anew, as new processes."""
        self.database = database
        self.endpoints, self.deliveries = WebhookEndpoints(database), WebhookDeliveries(database)
        self.dispatcher = Dispatcher(database, self.start, self.clock, lambda: self.now_ms / 1000)
        self.deliverer = Deliverer(
            database,
            self.receiver,
            self.start,
            master_keys=lambda: [MASTER_KEY],
            clock_ms=self.clock,
            draw=lambda: 0.5,
            pause=self.pauses.append,
            side_by_side=self.side_by_side,
            cursor_of=lambda _owner: self.cursor,
        )
        self.desk = EndpointDesk(
            database,
            self.start,
            master_key=lambda: MASTER_KEY,
            clock_ms=self.clock,
            cursor_of=lambda _owner: self.cursor,
        )

    def clock(self) -> int:
        return self.now_ms

    def start(self, owner: Owner, endpoint_id: str, delivery_ids: Sequence[str]) -> None:
        self.starts.append((owner, endpoint_id, list(delivery_ids)))

    def endpoint(
        self, url: str = URL, types: tuple[str, ...] = ("*",), owner: Owner = OPERATOR, **more: Any
    ) -> Endpoint:
        endpoint = self.desk.create(owner, url, types, **more).endpoint
        self.now_ms += 1_500
        return endpoint

    def receive(self, *events: FeedEvent) -> None:
        self.dispatcher.receive(INSTANCE, list(events))

    def work(self) -> None:
        """Carry out what was started, and what that starts."""
        while self.starts:
            self.deliverer.run(*self.starts.pop(0))

    def sweep(self, after_s: float = 0) -> None:
        """Let time pass, then sweep and do the work that is due."""
        self.now_ms += int(after_s * 1000)
        self.deliverer.sweep()
        self.work()
