"""An endpoint that hangs delays no other: each has a deliverer of its own."""

from __future__ import annotations

import threading
import time

from chalicelib.services.webhooks.sending import Answer
from chalicelib.services.webhooks.starting import InThreads
from chalicelib.tables.dynamodb import Database
from tests.services.webhooks.world import Hooks, Receiver, event

HANGING, QUICK = "https://hanging.example.com/", "https://quick.example.com/"
BOUND_S = 30
EVENTS = 20


class Hanging(Receiver):
    """The hanging endpoint does not answer until the test ends."""

    def __init__(self) -> None:
        super().__init__()
        self.end, self.hangs = threading.Event(), threading.Event()

    def __call__(self, url: str, headers: object, body: bytes) -> Answer:
        if url == HANGING:
            self.hangs.set()
            self.end.wait(BOUND_S)
        return super().__call__(url, headers, body)  # type: ignore[arg-type]


def test_a_hanging_endpoint_delays_no_other(embedded_database: Database) -> None:
    receiver = Hanging()
    embedded_database.pause = lambda _seconds: None
    hooks = Hooks(embedded_database, receiver)
    hooks.endpoint(HANGING)
    hooks.endpoint(QUICK)
    hooks.dispatcher._start = InThreads(hooks.deliverer.run)
    try:
        for number in range(1, EVENTS + 1):
            hooks.receive(event(number))
            assert number > 1 or receiver.hangs.wait(BOUND_S)
        deadline_s = time.monotonic() + BOUND_S
        while len(receiver.requests) < EVENTS and time.monotonic() < deadline_s:
            time.sleep(0.02)
        assert sorted(receiver.ids) == sorted(event(number).event_id for number in range(1, EVENTS + 1))
        assert {request.url for request in receiver.requests} == {QUICK}
    finally:
        receiver.end.set()


def test_threads_are_bounded_and_one_endpoint_has_one() -> None:
    begun: list[str] = []
    end = threading.Event()

    def run(_owner: object, endpoint_id: str, _ids: object) -> None:
        begun.append(endpoint_id)
        end.wait(BOUND_S)

    start = InThreads(run)
    try:
        for number in [0, 0, *range(100)]:
            start(None, f"we_{number}", [])  # type: ignore[arg-type]
        deadline_s = time.monotonic() + BOUND_S
        while len(begun) < 64 and time.monotonic() < deadline_s:
            time.sleep(0.02)
        assert sorted(begun) == sorted(f"we_{number}" for number in range(64))
    finally:
        end.set()
