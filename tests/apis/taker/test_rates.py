"""How often keys, wallets and addresses may come in: over several copies of the desk, and without the counter."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from chalicelib.domain.tenancy.credentials import digest_of
from chalicelib.domain.tenancy.rate_limit import RateLimit
from chalicelib.support.telemetry import Metric
from chalicelib.tables.dynamodb import Database
from chalicelib.wiring.taker import new_taker_desk
from tests.apis.taker.desk import INSTANCE, MASTER_KEY, OTHER_MAKER_KEY, TAKER, Desk, fault_of, make_key
from tests.faults import ENDPOINT, FaultyClient, raising, refusal
from tests.watched import watched

THREE_AT_ONCE = RateLimit(bucket=3, refill_per_1000_s=1000, per_day=0)


@pytest.fixture
def limited(desk: Desk) -> Desk:
    """The desk with a key that may come three times at once, and once a second."""
    make_key(desk.database, "limited-key", TAKER, rate_limit=THREE_AT_ONCE)
    return replace(desk, api_key="limited-key")


def statuses(desk: Desk, times: int) -> list[int]:
    return [desk.get("/takers/orders").status for _ in range(times)]


def copy_of(desk: Desk, client: Any = None) -> Desk:
    """Return another copy of the desk, which counts through this client."""
    counters = client and Database(client, desk.database._prefix)
    return replace(desk, desk=new_taker_desk(desk.database, counters, master_key=lambda: MASTER_KEY, clock=desk.clock))


def test_faulty_requests_count_and_what_is_refused_at_the_gate_does_not(limited: Desk) -> None:
    for headers in ({"x-api-timestamp": "1"}, {"x-api-timestamp": "1", "x-api-signature": "x"}):
        assert limited.post("/orders/lock", {}, headers=headers).status == 401
    assert limited.get("/takers/nowhere").status == 404
    assert [limited.post("/orders/lock", b"no json").status for _ in range(3)] == [400] * 3
    assert statuses(limited, 1) == [429]


def test_each_key_of_a_taker_has_a_rate_limit_of_its_own_for_all_copies_of_the_desk(limited: Desk) -> None:
    copies = [limited, copy_of(limited), copy_of(limited)]
    assert sorted(status for copy in copies for status in statuses(copy, 2)) == [200] * 3 + [429] * 3
    make_key(limited.database, "second-key", TAKER, rate_limit=THREE_AT_ONCE)
    assert statuses(replace(limited, api_key="second-key"), 1) == [200]


def test_a_wallet_has_one_rate_limit_whatever_its_jwt(desk: Desk) -> None:
    desk.change_settings(rate_limit=THREE_AT_ONCE)
    answers = []
    for _ in range(4):
        answers.append(desk.maker_get("/orders/maker/next-nonce").status)
        desk.clock.now_ms += 1
    assert answers == [200, 200, 200, 429]
    assert desk.as_maker(OTHER_MAKER_KEY).maker_get("/orders").status == 200


WEATHER = {
    "throttled": refusal("ThrottlingException", "UpdateItem"),
    "no connection": EndpointConnectionError(endpoint_url=ENDPOINT),
}


@pytest.mark.parametrize("error", WEATHER.values(), ids=WEATHER)
def test_a_counter_that_is_out_of_reach_lets_everyone_in_and_tells_the_metrics(limited: Desk, error: Exception) -> None:
    down = FaultyClient(limited.database._client, raising(error, after=False))
    copy = copy_of(limited, down)
    with watched("api_handler") as seen:
        for _ in range(4):
            down.strike_at(1)
            assert statuses(copy, 1) == [200]
            assert down.has_struck
    assert seen.values(Metric.RATE_LIMIT_UNAVAILABLE) == [4]
    assert {(line["instance"], line["key_id"]) for line in seen.log} == {(INSTANCE, digest_of("limited-key")[:12])}
    down.strike_at(0)
    assert statuses(copy, 4) == [200, 200, 200, 429], "it counts again as soon as it can"


@pytest.mark.parametrize("code", ["AccessDeniedException", "ResourceNotFoundException"])
def test_a_counter_that_the_desk_may_not_write_is_a_fault(limited: Desk, code: str) -> None:
    denied = FaultyClient(limited.database._client, raising(refusal(code, "UpdateItem"), after=False), at=1)
    assert fault_of(copy_of(limited, denied).get("/takers/orders")) == (500, 500)
