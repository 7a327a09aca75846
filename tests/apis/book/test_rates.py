"""How often a key may come in (T6): over several copies of the desk, and when the counter cannot be reached."""

from __future__ import annotations

import json
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError

from chalicelib import wiring
from chalicelib.apis.book.routes import LIST
from chalicelib.apis.kit.http import HttpResponse
from chalicelib.support.outcomes import OutcomeUnknown, Unavailable
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.rate_limits import MinuteCounts
from chalicelib.wiring.book import new_book_desk
from tests.apis.book.desk import API_KEY, Desk, open_desk, outcome_of
from tests.faults import FaultyClient, WatchedClient, raising, refusal
from tests.services.books.test_races import at_once
from tests.watched import watched
from tests.world import INSTANCE, World

WINDOW_START_S = 1_736_937_000
LIMIT = 3
COPIES, REQUESTS_EACH = 4, 8
ENDPOINT = "http://dynamodb.test"


class Clock:
    """The desk's clock; ``ticks``: how far it goes on with each look at it."""

    def __init__(self) -> None:
        self.now_s = WINDOW_START_S + 15
        self.ticks_s = 0

    def __call__(self) -> int:
        self.now_s += self.ticks_s
        return self.now_s - self.ticks_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("chalicelib.apis.book.gate.now_s", clock)
    return clock


@pytest.fixture
def desk(memory_database: Database) -> Desk:
    return open_desk(World(memory_database), rate_limit=LIMIT)


def copy_of(desk: Desk, counters: Any = None) -> Desk:
    """Return another copy of the desk, which counts through this client."""
    database = desk.world.database
    return Desk(desk.world, new_book_desk(database, counters and Database(counters, database._prefix)))


def shown(response: HttpResponse) -> tuple[int, str, str, str]:
    """Return the status and the three headers: limit, remaining, reset."""
    names = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
    limit, remaining, reset = (response.headers[name] for name in names)
    return response.status, limit, remaining, reset


def test_a_request_is_counted_in_the_window_that_its_headers_name(desk: Desk, clock: Clock) -> None:
    """The clock is looked at once: here it would be the next minute at the second look."""
    clock.now_s, clock.ticks_s = WINDOW_START_S + 59, 1
    assert shown(desk.list())[2:] == ("2", str(WINDOW_START_S + 60))
    (row,) = desk.world.database.scan("requests")
    assert row["request"] == str(WINDOW_START_S)


@pytest.mark.usefixtures("clock")
def test_each_key_has_a_count_of_its_own_and_keeps_it_when_its_limit_changes(desk: Desk) -> None:
    tenants = desk.world.tenants()
    other = API_KEY[:-1] + "0"
    tenants.add_key(INSTANCE, "key_2", other, 1)
    assert [desk.list().status for _ in range(4)] == [200, 200, 200, 429]
    assert [desk.send("GET", LIST, key=other, customerRef="ann").status for _ in range(2)] == [200, 429]
    tenants.change(INSTANCE, lambda found: found.limited("key_1", 5, WINDOW_START_S))
    assert shown(desk.list())[:3] == (200, "5", "1")
    tenants.change(INSTANCE, lambda found: found.limited("key_1", 2, WINDOW_START_S))
    assert shown(desk.list())[:3] == (429, "2", "0")


def test_without_a_limit_nothing_is_counted(memory_database: Database) -> None:
    desk = open_desk(World(memory_database))
    before = desk.world.tables()
    assert "X-RateLimit-Limit" not in desk.list().headers
    assert desk.world.tables() == before


@pytest.mark.usefixtures("clock")
def test_copies_that_count_at_once_let_through_exactly_the_limit(embedded_database: Database) -> None:
    limit = COPIES * REQUESTS_EACH // 2
    desk = open_desk(World(embedded_database), rate_limit=limit)
    copies = [copy_of(desk) for _ in range(COPIES)]

    def requests(copy: Desk) -> list[tuple[int, str, str, str]]:
        return [shown(copy.list()) for _ in range(REQUESTS_EACH)]

    answers = [one for each in at_once([lambda copy=copy: requests(copy) for copy in copies]) for one in each]  # type: ignore[misc, attr-defined]
    assert Counter(status for status, *_ in answers) == {200: limit, 429: COPIES * REQUESTS_EACH - limit}
    remaining = sorted(int(left) for status, _, left, _ in answers if status == 200)
    assert remaining == list(range(limit)), "each of those let through was told another number"


@pytest.mark.usefixtures("clock")
def test_a_copy_that_saw_the_limit_reached_refuses_from_memory_until_the_window_ends(desk: Desk, clock: Clock) -> None:
    """So a flood does not throttle its own counter, which would let it in."""
    writes: list[str] = []

    def note(operation: str, call: Any) -> Any:
        writes.append(operation)
        return call()

    copy = copy_of(desk, WatchedClient(desk.world.database._client, note))
    assert Counter(copy.list().status for _ in range(10)) == {200: LIMIT, 429: 7}
    assert writes == ["update_item"] * LIMIT
    clock.now_s += 60
    assert copy.list().status == 200
    assert len(writes) == LIMIT + 1


WEATHER = {
    "throttled": refusal("ThrottlingException", "UpdateItem"),
    "partition throttled": refusal("ProvisionedThroughputExceededException", "UpdateItem"),
    "no connection": EndpointConnectionError(endpoint_url=ENDPOINT),
    "connect timeout": ConnectTimeoutError(endpoint_url=ENDPOINT),
    "read timeout": ReadTimeoutError(endpoint_url=ENDPOINT),
}


@pytest.mark.parametrize("error", WEATHER.values(), ids=WEATHER)
@pytest.mark.usefixtures("clock")
def test_a_counter_that_is_throttled_or_out_of_reach_lets_everyone_in_and_tells_the_metrics(
    desk: Desk, error: Exception
) -> None:
    down = FaultyClient(desk.world.database._client, raising(error, after=False))
    copy = copy_of(desk, down)
    with watched("api_handler") as seen:
        for _ in range(LIMIT + 1):
            down.strike_at(1)
            assert shown(copy.list()) == (200, "3", "3", str(WINDOW_START_S + 60))
            assert down.has_struck
    (metrics,) = seen.emf
    (directive,) = metrics["_aws"]["CloudWatchMetrics"]
    assert directive == {
        "Namespace": "Tallybook",
        "Dimensions": [["stage"]],
        "Metrics": [{"Name": "RateLimitUnavailable", "Unit": "Count"}],
    }
    assert metrics["RateLimitUnavailable"] == [LIMIT + 1]
    told = [(line["instance"], line["key_id"], line["reason"]) for line in seen.log]
    assert told == [(INSTANCE, "key_1", str(error))] * (LIMIT + 1)
    down.strike_at(0)
    assert shown(copy.list())[:3] == (200, "3", "2"), "it counts again as soon as it can"


@pytest.mark.parametrize("code", ["AccessDeniedException", "ResourceNotFoundException"])
def test_a_counter_that_the_desk_may_not_write_is_a_fault(desk: Desk, code: str) -> None:
    """A mistake of the deployment does not pass by itself: it must not leave every limit off unnoticed."""
    denied = FaultyClient(desk.world.database._client, raising(refusal(code, "UpdateItem"), after=False), at=1)
    with watched("api_handler") as seen:
        assert outcome_of(copy_of(desk, denied).list()) == (500, "INTERNAL_ERROR")
    assert set(seen.measured()) == {"ErrorsLogged"}


class Server(ThreadingHTTPServer):
    """A DynamoDB that throttles every call."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Throttling)
        self.calls = 0


class Throttling(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        self.server.calls += 1
        body = json.dumps({"__type": "com.amazonaws.dynamodb.v20120810#ThrottlingException"}).encode()
        self.send_response(400)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def found_at(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], None]]:
    """What has wiring find DynamoDB at this port."""

    def set_port(port: int) -> None:
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", f"http://127.0.0.1:{port}")
        wiring.counters.cache_clear()

    yield set_port
    wiring.counters.cache_clear()


@pytest.fixture
def server(found_at: Callable[[int], None]) -> Iterator[Server]:
    """The DynamoDB that wiring finds."""
    server = Server()
    Thread(target=server.serve_forever, daemon=True).start()
    found_at(server.server_port)
    yield server
    server.shutdown()
    server.server_close()


def connections_of(listening: socket.socket) -> int:
    """Return how many connections wait to be accepted."""
    listening.setblocking(False)
    for count in range(10):
        try:
            listening.accept()[0].close()
        except BlockingIOError:
            return count
    raise AssertionError("more connections than a test makes")


def test_a_throttled_counter_is_tried_once(server: Server) -> None:
    with pytest.raises(Unavailable):
        MinuteCounts(wiring.counters()).count("scope", LIMIT, WINDOW_START_S)
    assert server.calls == 1


def test_a_counter_that_does_not_answer_is_given_up_on_soon(found_at: Callable[[int], None]) -> None:
    """The system takes the connection, and nobody reads from it."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        found_at(silent.getsockname()[1])
        with pytest.raises(OutcomeUnknown):
            MinuteCounts(wiring.counters()).count("scope", LIMIT, WINDOW_START_S)
        assert connections_of(silent) == 1
    config = wiring.counters()._client.meta.config
    assert (config.connect_timeout, config.read_timeout) == (wiring.COUNT_TIMEOUT_S, wiring.COUNT_TIMEOUT_S)
