"""Placement and listing over HTTP: a client on one connection, the local run's server, an embedded engine."""

from __future__ import annotations

import http.client
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from time import monotonic, perf_counter, sleep

from benchmarks.book_paths import API_KEY, customers_of, open_venue, order_body
from benchmarks.histories import write_history
from benchmarks.listing import PAGE_ROWS
from benchmarks.timed_server import HEADER
from chalicelib.apis.book.routes import LIST, PLACE
from chalicelib.apis.kit.routing import filled
from chalicelib.support.clock import now_ms
from chalicelib.tables.dynamodb import Database
from infra.processes import Child
from infra.settings import HOST, free_port

START_S_MAX, STOP_S_MAX, ANSWER_S_MAX = 20, 10, 30


@dataclass(frozen=True, slots=True)
class Latency:
    """Of one kind of request, as its client sees it. outside_share: the part of the time outside DynamoDB's client."""

    p50_ms: float
    p99_ms: float
    outside_share: float


@contextmanager
def served(database: Database) -> Iterator[http.client.HTTPConnection]:
    """Serve these tables on a free port inside this context."""
    port, client = free_port(0), database._client
    environment = os.environ | {
        "AWS_ENDPOINT_URL_DYNAMODB": client.meta.endpoint_url,
        "POWERTOOLS_LOG_LEVEL": "ERROR",
        "POWERTOOLS_METRICS_DISABLED": "true",
        "TALLYBOOK_TABLE_PREFIX": database._prefix,
    }
    command = [sys.executable, str(Path(__file__).with_name("timed_server.py")), "--host", HOST, "--port", str(port)]
    server = Child("the HTTP server", command, environment, signal.SIGTERM)
    connection = http.client.HTTPConnection(HOST, port, timeout=ANSWER_S_MAX)
    try:
        deadline_s = monotonic() + START_S_MAX
        while not _accepts(connection):
            assert server.exit_code() is None, "the HTTP server ended by itself"
            assert monotonic() < deadline_s, "the HTTP server did not start"
            sleep(0.05)
        yield connection
    finally:
        connection.close()
        server.stop(STOP_S_MAX)


def _accepts(connection: http.client.HTTPConnection) -> bool:
    try:
        connection.connect()
    except OSError:
        return False
    return True


def placement_and_listing(database: Database, requests: int) -> tuple[Latency, Latency]:
    """Measure requests that place an order, then as many that list a page of another customer's open orders."""
    customer, listed = customers_of(2)
    open_venue(database, [customer])
    write_history(database, listed, 2 * PAGE_ROWS, 2 * PAGE_ROWS, now_ms())
    headers = {"x-api-key": API_KEY, "content-type": "application/json"}
    page = f"{filled(LIST, {'customerRef': listed})}?status=OPEN&limit={PAGE_ROWS}"
    with served(database) as connection:

        def place() -> http.client.HTTPResponse:
            connection.request("POST", PLACE, json.dumps(order_body(customer, "SELL")), headers)
            return connection.getresponse()

        def list_page() -> http.client.HTTPResponse:
            connection.request("GET", page, headers=headers)
            return connection.getresponse()

        return _latency(place, http.client.CREATED, requests), _latency(list_page, http.client.OK, requests)


def _latency(request: Callable[[], http.client.HTTPResponse], expected: int, requests: int) -> Latency:
    """Measure a request. The first tenth is not counted: it builds the desk and fills caches."""
    taken_ms: list[float] = []
    waited_ms: list[float] = []
    for _ in range(requests + requests // 10 + 1):
        started = perf_counter()
        response = request()
        body = response.read()
        taken_ms.append((perf_counter() - started) * 1000)
        waited_ms.append(float(response.headers[HEADER]))
        assert response.status == expected, body
    taken_ms, waited_ms = taken_ms[-requests:], waited_ms[-requests:]
    hundredths = quantiles(taken_ms, n=100, method="inclusive")
    return Latency(hundredths[49], hundredths[98], 1 - sum(waited_ms) / sum(taken_ms))
