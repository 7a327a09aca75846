"""Requests are counted against rate limits: of a key, or of an anonymous caller's address."""

from __future__ import annotations

import pytest

from chalicelib import wiring
from chalicelib.domain.tenancy.rate_limit import RateLimit
from chalicelib.services.tenancy.rate_limiter import (
    ANONYMOUS_LIMITS,
    UNKNOWN,
    AnonymousUse,
    RateLimiter,
    network_of,
)
from chalicelib.support.outcomes import OutcomeUnknown, Unavailable
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.rate_limits import RateLimits

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


@pytest.mark.parametrize("fault", [Unavailable("throttled"), OutcomeUnknown("timed out")])
def test_a_request_is_served_where_it_cannot_be_counted(
    memory_database: Database, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    def fail(*_: object) -> None:
        raise fault

    monkeypatch.setattr(RateLimits, "use", fail)
    assert come(RateLimiter(memory_database), AnonymousUse.MARKET_DATA, "192.0.2.1", 200) == 200


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
