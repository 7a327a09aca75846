"""An endpoint that hangs delays no other: each has a deliverer of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial

from chalicelib.services.webhooks.delivering import AT_ONCE
from chalicelib.services.webhooks.sending import Answer
from chalicelib.services.webhooks.starting import InThreads
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.parallel import ThreadPool
from tests.services.webhooks.world import Hooks, Receiver, event

HANGING, QUICK = "https://hanging.example.com/", "https://quick.example.com/"
BOUND_S = 30
EVENTS = 20
AS_WIRED = partial(ThreadPool, AT_ONCE)
NAMED = "side-by-side"


class Hanging(Receiver):
    """The hanging endpoint does not answer until the test ends."""

    def __init__(self) -> None:
        super().__init__()
        self.end, self.hanging = threading.Event(), threading.Semaphore(0)

    def __call__(self, url: str, headers: object, body: bytes) -> Answer:
        if url == HANGING:
            self.hanging.release()
            self.end.wait(BOUND_S)
        return super().__call__(url, headers, body)  # type: ignore[arg-type]


def test_a_hanging_endpoint_delays_no_other(embedded_database: Database) -> None:
    receiver = Hanging()
    embedded_database.pause = lambda _seconds: None
    hooks = Hooks(embedded_database, receiver, side_by_side=AS_WIRED)
    hooks.endpoint(HANGING)
    hooks.dispatcher._start = InThreads(hooks.deliverer.run)
    hooks.receive(*map(event, range(1, AT_ONCE + 1)))
    try:
        assert all(receiver.hanging.acquire(timeout=BOUND_S) for _ in range(AT_ONCE))
        hooks.endpoint(QUICK)
        later = [event(AT_ONCE + number) for number in range(1, EVENTS + 1)]
        hooks.receive(*later)
        _wait_until(lambda: len(receiver.requests) >= EVENTS)
        assert sorted(receiver.ids) == sorted(one.event_id for one in later)
        assert {request.url for request in receiver.requests} == {QUICK}
    finally:
        receiver.end.set()


def test_the_threads_of_a_run_end_with_it(embedded_database: Database) -> None:
    hooks = Hooks(embedded_database, side_by_side=AS_WIRED)
    hooks.endpoint()
    before = _side_by_side()
    hooks.receive(*map(event, range(1, EVENTS + 1)))
    hooks.work()
    assert len(hooks.receiver.requests) == EVENTS
    _wait_until(lambda: _side_by_side() <= before)
    assert _side_by_side() <= before


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
        _wait_until(lambda: len(begun) >= 64)
        assert sorted(begun) == sorted(f"we_{number}" for number in range(64))
    finally:
        end.set()


def _side_by_side() -> set[int | None]:
    return {thread.ident for thread in threading.enumerate() if thread.name.startswith(NAMED)}


def _wait_until(is_so: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + BOUND_S
    while not is_so() and time.monotonic() < deadline_s:
        time.sleep(0.02)
