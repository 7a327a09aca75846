"""Callers without credentials are counted by their address, by one policy."""

from __future__ import annotations

import pytest

from chalicelib import wiring
from chalicelib.domain.tenancy.rate_limit import Allowance
from chalicelib.services.tenancy.strangers import ALLOWANCES, UNKNOWN, Door, Strangers, network_of
from chalicelib.support.outcomes import OutcomeUnknown, Unavailable
from chalicelib.tables.allowances import Allowances
from chalicelib.tables.dynamodb import Database

NOW_MS = 1_736_937_000_000


def come(strangers: Strangers, door: Door, address: str, times: int, now_ms: int = NOW_MS) -> int:
    """Return how many of these requests may come."""
    return sum(strangers.refusal(door, address, now_ms) is None for _ in range(times))


@pytest.mark.parametrize("door", Door)
def test_an_address_may_come_so_often_and_then_as_often_as_its_bucket_refills(
    memory_database: Database, door: Door
) -> None:
    strangers, bucket = Strangers(Allowances(memory_database)), ALLOWANCES[door].bucket
    assert come(strangers, door, "192.0.2.1", bucket + 5) == bucket
    refusal = strangers.refusal(door, "192.0.2.1", NOW_MS)
    assert refusal is not None
    assert come(strangers, door, "192.0.2.1", 1, NOW_MS + refusal.retry_after_s * 1000) == 1
    assert come(strangers, door, "192.0.2.2", 1) == 1


def test_copies_count_together_and_doors_apart(memory_database: Database) -> None:
    one, other = (Strangers(Allowances(memory_database)) for _ in range(2))
    assert come(one, Door.CONNECT, "192.0.2.1", 6) + come(other, Door.CONNECT, "192.0.2.1", 6) == 10
    assert come(other, Door.NO_KEY, "192.0.2.1", 1) == 1


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
    strangers = Strangers(Allowances(memory_database))
    came = [come(strangers, Door.CONNECT, f"2001:db8::{number:x}", 1) for number in range(1, 21)]
    assert sum(came) == 10


@pytest.mark.parametrize("fault", [Unavailable("throttled"), OutcomeUnknown("timed out")])
def test_a_request_is_served_where_it_cannot_be_counted(
    memory_database: Database, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    def fail(*_: object) -> None:
        raise fault

    allowances = Allowances(memory_database)
    monkeypatch.setattr(allowances, "use", fail)
    assert come(Strangers(allowances), Door.MARKET_DATA, "192.0.2.1", 200) == 200


@pytest.mark.parametrize(
    ("text", "allowance"),
    [
        ("", ALLOWANCES[Door.MARKET_DATA]),
        ("600", Allowance(bucket=100, refill_per_1000_s=10_000, per_day=0)),
        ("1", Allowance(bucket=1, refill_per_1000_s=16, per_day=0)),
        ("0", Allowance(bucket=0, per_day=0)),
    ],
)
def test_the_rate_of_public_routes_is_set_by_a_variable(
    monkeypatch: pytest.MonkeyPatch, text: str, allowance: Allowance
) -> None:
    monkeypatch.setenv("TALLYBOOK_PUBLIC_REQUESTS_PER_MINUTE", text)
    assert wiring.public_allowance() == allowance
    assert wiring.public_allowance().is_off == (text == "0")


@pytest.mark.parametrize("text", ["-1", "1.5", "ten", "\u0661", "1" * 10])
def test_a_rate_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("TALLYBOOK_PUBLIC_REQUESTS_PER_MINUTE", text)
    with pytest.raises(ValueError, match="TALLYBOOK_PUBLIC_REQUESTS_PER_MINUTE"):
        wiring.public_allowance()
