"""Requests are counted against rate limits: of a key, or of an anonymous caller's address."""

from __future__ import annotations

import pytest

from chalicelib import wiring
from chalicelib.domain.tenancy.instances import AcceptedKey
from chalicelib.domain.tenancy.rate_limit import RateLimit, Refusal
from chalicelib.services.tenancy.rate_limiter import ANONYMOUS_LIMITS, UNKNOWN, AnonymousUse, RateLimiter, network_of
from chalicelib.support.outcomes import OutcomeUnknown, Unavailable
from chalicelib.tables.dynamodb import Database

NOW_MS = 1_736_937_000_000


def come(limiter: RateLimiter, use: AnonymousUse, address: str, times: int, now_ms: int = NOW_MS) -> int:
    """Return how many of these requests may come."""
    return sum(limiter.anonymous_refusal(use, address, now_ms) is None for _ in range(times))


@pytest.mark.parametrize("use", AnonymousUse)
def test_an_address_may_come_so_often_and_then_as_often_as_its_bucket_refills(
    memory_database: Database, use: AnonymousUse
) -> None:
    limiter, bucket = RateLimiter(memory_database), ANONYMOUS_LIMITS[use].bucket
    assert come(limiter, use, "192.0.2.1", bucket + 5) == bucket
    refusal = limiter.anonymous_refusal(use, "192.0.2.1", NOW_MS)
    assert refusal is not None
    assert come(limiter, use, "192.0.2.1", 1, NOW_MS + refusal.retry_after_s * 1000) == 1
    assert come(limiter, use, "192.0.2.2", 1) == 1


def test_copies_count_together_and_uses_apart(memory_database: Database) -> None:
    one, other = (RateLimiter(memory_database) for _ in range(2))
    assert come(one, AnonymousUse.CONNECT, "192.0.2.1", 6) + come(other, AnonymousUse.CONNECT, "192.0.2.1", 6) == 10
    assert come(other, AnonymousUse.NO_KEY, "192.0.2.1", 1) == 1


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2::", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("", UNKNOWN),
        ("192.0.2", "192.0.2"),
        ("x" * 10_000, "x" * 128),
        ("\u0661.2.3.4", "\u0661.2.3.4"),
    ],
)
def test_an_address_is_counted_as_its_network(address: str, network: str) -> None:
    assert network_of(address) == network


def test_addresses_of_one_network_share_a_bucket(memory_database: Database) -> None:
    limiter = RateLimiter(memory_database)
    came = [come(limiter, AnonymousUse.CONNECT, f"2001:db8::{number:x}", 1) for number in range(1, 21)]
    assert sum(came) == 10


KEY = AcceptedKey("inst_test0001", "key-1", frozenset(), 2)
ONE = RateLimit(bucket=1, refill_per_1000_s=1000, per_day=0)


def test_each_use_of_a_counter_has_a_row_of_its_own(memory_database: Database) -> None:
    limiter = RateLimiter(memory_database)
    for scope in ("", "escrow/key-1"):
        limiter.refusal(ONE, NOW_MS, instance="inst_test0001", key_id="key-1", scope=scope)
    limiter.anonymous_refusal(AnonymousUse.CONNECT, "192.0.2.1", NOW_MS)
    limiter.requests_in_minute(KEY, NOW_MS // 1000)
    assert sorted((row["scope"], row["request"]) for row in memory_database.scan("requests")) == [
        ("inst_test0001/allowance/escrow/key-1", "allowance"),
        ("inst_test0001/allowance/key-1", "allowance"),
        ("inst_test0001/rate/key-1", str(NOW_MS // 60_000 * 60)),
        ("strangers/connect/192.0.2.1", "allowance"),
    ]


def test_a_key_over_its_limit_is_told_when_to_come_again(memory_database: Database) -> None:
    limiter, key = RateLimiter(memory_database), {"instance": "inst_test0001", "key_id": "key-1"}
    assert [limiter.refusal(ONE, NOW_MS, **key) for _ in range(2)] == [None, Refusal(False, 1)]
    assert limiter.refusal(ONE, NOW_MS + 1000, **key) is None


@pytest.mark.parametrize("fault", [Unavailable("throttled"), OutcomeUnknown("timed out")])
def test_a_request_is_served_where_it_cannot_be_counted(
    memory_database: Database, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    fail_to_write(monkeypatch, fault)
    limiter = RateLimiter(memory_database)
    assert come(limiter, AnonymousUse.MARKET_DATA, "192.0.2.1", 200) == 200
    assert [limiter.refusal(ONE, NOW_MS, instance="inst_test0001", key_id="key-1") for _ in range(3)] == [None] * 3
    assert [limiter.requests_in_minute(KEY, NOW_MS // 1000) for _ in range(3)] == [0] * 3


def test_a_fault_of_the_deployment_does_not_switch_limits_off(
    memory_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_to_write(monkeypatch, PermissionError("no permission"))
    limiter = RateLimiter(memory_database)
    for count in (
        lambda: limiter.anonymous_refusal(AnonymousUse.NO_KEY, "192.0.2.1", NOW_MS),
        lambda: limiter.refusal(ONE, NOW_MS, instance="inst_test0001", key_id="key-1"),
        lambda: limiter.requests_in_minute(KEY, NOW_MS // 1000),
    ):
        with pytest.raises(PermissionError):
            count()


def fail_to_write(monkeypatch: pytest.MonkeyPatch, fault: Exception) -> None:
    def fail(*_: object) -> None:
        raise fault

    monkeypatch.setattr(Database, "write", fail)


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("", ANONYMOUS_LIMITS[AnonymousUse.MARKET_DATA]),
        ("600", RateLimit(bucket=100, refill_per_1000_s=10_000, per_day=0)),
        ("1", RateLimit(bucket=1, refill_per_1000_s=16, per_day=0)),
        ("0", RateLimit(bucket=0, per_day=0)),
    ],
)
def test_the_rate_of_public_routes_is_set_by_a_variable(
    monkeypatch: pytest.MonkeyPatch, text: str, limit: RateLimit
) -> None:
    monkeypatch.setenv("TALLYBOOK_PUBLIC_REQUESTS_PER_MINUTE", text)
    assert wiring.public_limit() == limit
    assert wiring.public_limit().is_off == (text == "0")


@pytest.mark.parametrize("text", ["-1", "1.5", "ten", "\u0661", "1" * 10])
def test_a_rate_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("TALLYBOOK_PUBLIC_REQUESTS_PER_MINUTE", text)
    with pytest.raises(ValueError, match="TALLYBOOK_PUBLIC_REQUESTS_PER_MINUTE"):
        wiring.public_limit()
