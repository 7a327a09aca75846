"""How often a token may come in (R13): over several copies of the desk, and when the counter cannot be reached."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError

from chalicelib.domain.tenancy.credentials import digest_of
from chalicelib.domain.tenancy.rate_limit import RateLimit
from chalicelib.support.telemetry import Metric
from chalicelib.tables.dynamodb import Database
from chalicelib.wiring.trade import new_trade_desk
from tests.apis.trade.desk import MASTER_KEY, SignedDesk, fault_of, open_trade_desk
from tests.faults import ENDPOINT, FaultyClient, raising, refusal
from tests.watched import watched
from tests.world import INSTANCE, World

NOW_MS = 1_736_937_000_000
THREE_AT_ONCE = RateLimit(bucket=3, refill_per_1000_s=1000, per_day=5)
PASSED = 400, 40000, "Invalid parameters: body."
"""The endpoint finds no body, so the gate has let the request in."""
TOO_MANY = 429, 42900, "Too many requests"


@pytest.fixture
def now() -> list[int]:
    """The desk's clock: its one member is the time in ms."""
    return [NOW_MS]


@pytest.fixture
def desk(memory_database: Database, now: list[int]) -> SignedDesk:
    return open_trade_desk(World(memory_database), rate_limit=THREE_AT_ONCE, clock=lambda: now[0])


def copy_of(desk: SignedDesk, client: Any = None) -> SignedDesk:
    """Return another copy of the desk, which counts through this client."""
    database = desk.world.database
    counters = client and Database(client, database._prefix)
    return replace(desk, desk=new_trade_desk(database, counters, master_key=lambda: MASTER_KEY, clock=desk.clock))


def probe(desk: SignedDesk, **headers: str) -> tuple[int, int, str]:
    return fault_of(desk.send("PUT", "/trade/orders", headers=headers))


def test_only_what_is_signed_counts_and_faulty_requests_do(desk: SignedDesk) -> None:
    for header in ("authorization", "timestamp", "signature"):
        assert probe(desk, **{header: "x"})[0] == 401
    assert desk.send("POST", "/trade/nowhere").status == 404
    assert list(desk.world.database.scan("requests")) == []
    assert desk.get("/trade/orders", "page_size=x").status == 400
    assert desk.get("/trade/orders/123").status == 400
    assert [probe(desk), probe(desk)] == [PASSED, TOO_MANY]


WEATHER = {
    "throttled": refusal("ThrottlingException", "UpdateItem"),
    "no connection": EndpointConnectionError(endpoint_url=ENDPOINT),
    "read timeout": ReadTimeoutError(endpoint_url=ENDPOINT),
}


@pytest.mark.parametrize("error", WEATHER.values(), ids=WEATHER)
def test_a_counter_that_is_throttled_or_out_of_reach_lets_everyone_in_and_tells_the_metrics(
    desk: SignedDesk, error: Exception
) -> None:
    down = FaultyClient(desk.world.database._client, raising(error, after=False))
    copy = copy_of(desk, down)
    with watched("api_handler") as seen:
        for _ in range(4):
            down.strike_at(1)
            assert probe(copy) == PASSED
            assert down.has_struck
    assert seen.values(Metric.RATE_LIMIT_UNAVAILABLE) == [4]
    told = {(line["instance"], line["key_id"], line["reason"]) for line in seen.log}
    assert told == {(INSTANCE, digest_of(desk.token)[:12], str(error))}
    down.strike_at(0)
    assert [probe(copy) for _ in range(4)][-1] == TOO_MANY, "it counts again as soon as it can"


@pytest.mark.parametrize("code", ["AccessDeniedException", "ResourceNotFoundException"])
def test_a_counter_that_the_desk_may_not_write_is_a_fault(desk: SignedDesk, code: str) -> None:
    """A mistake of the deployment does not pass by itself: it must not leave every limit off unnoticed."""
    denied = FaultyClient(desk.world.database._client, raising(refusal(code, "UpdateItem"), after=False), at=1)
    assert probe(copy_of(desk, denied)) == (500, 50000, "Internal server error.")
