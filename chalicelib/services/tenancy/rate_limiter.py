"""Counting requests against rate limits: of tokens and keys, and of anonymous callers by client address.

Every count fails open: while the counter's table is throttled or out of reach, requests are served uncounted, with a
warning and a metric. A fault of the deployment, such as a missing permission, is raised like any other: it does not
pass by itself, and would switch every limit off unnoticed.

Anonymous callers, who have no valid credential, have a token bucket for each address and use; all desks share this
policy. An IPv6 address counts as its network of 64 bits, which is what a subscriber gets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from typing import TypeVar

from chalicelib.domain.tenancy.instances import AcceptedKey
from chalicelib.domain.tenancy.rate_limit import RateLimit, Refusal
from chalicelib.support.outcomes import OutcomeUnknown, Unavailable
from chalicelib.support.telemetry import request_uncounted
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.rate_limits import MinuteCounts, RateLimits

T = TypeVar("T")
UNKNOWN = "unknown"
"""Stands for a missing client address: such callers are counted together."""
ADDRESS_CHARACTERS_MAX = 128
"""Bound of a client address that is no IP address; no gateway is known to send one."""
NETWORK_BITS_V6 = 64
ANONYMOUS = "strangers"
"""Stands for the instance, in the counter's rows and in the log."""


class AnonymousUse(Enum):
    """What an anonymous caller asks for. The value is part of the counter's row key."""

    MARKET_DATA = "market-data"
    """The public routes of the trade desk."""
    CONNECT = "connect"
    """Wallets that ask for a JWT at the taker desk."""
    NO_KEY = "no-key"
    """Requests to the escrow desk without a valid key."""
    MESSAGE = "message"
    """Messages of a WebSocket connection of the trade desk, by its id in an address's place."""


ANONYMOUS_LIMITS: Mapping[AnonymousUse, RateLimit] = {
    AnonymousUse.MARKET_DATA: RateLimit(bucket=100, refill_per_1000_s=10_000, per_day=0),
    AnonymousUse.CONNECT: RateLimit(bucket=10, refill_per_1000_s=167, per_day=0),
    AnonymousUse.NO_KEY: RateLimit(bucket=60, refill_per_1000_s=1000, per_day=0),
    AnonymousUse.MESSAGE: RateLimit(bucket=100, refill_per_1000_s=10_000, per_day=0),
}
"""Of each address: 10 requests a second for market data, 100 at once; ten JWTs a minute; 60 a minute without a key.
Of each connection: 10 messages a second, 100 at once.
"""


class RateLimiter:
    """Counts requests. counters: a client with a short timeout and one attempt. anonymous: other ANONYMOUS_LIMITS."""

    def __init__(self, counters: Database, anonymous: Mapping[AnonymousUse, RateLimit] | None = None) -> None:
        self._buckets = RateLimits(counters)
        self._minutes = MinuteCounts(counters)
        self._anonymous = {**ANONYMOUS_LIMITS, **(anonymous or {})}

    def refusal(self, limit: RateLimit, now_ms: int, *, instance: str, key_id: str, scope: str = "") -> Refusal | None:
        """Count a request and return None; over the limit, count nothing and return the refusal.

        scope: the key's name among its instance's counters, if not key_id.
        """
        counted = f"{instance}/allowance/{scope or key_id}"
        return _failing_open(instance, key_id, lambda: self._buckets.use(counted, limit, now_ms * 1000), None)

    def anonymous_refusal(self, use: AnonymousUse, address: str, now_ms: int) -> Refusal | None:
        """Count a request of a client address and return None; over the limit, count nothing and return the refusal."""
        network = network_of(address)
        counted, limit = f"{ANONYMOUS}/{use.value}/{network}", self._anonymous[use]
        return _failing_open(ANONYMOUS, network, lambda: self._buckets.use(counted, limit, now_ms * 1000), None)

    def requests_in_minute(self, key: AcceptedKey, at_s: int, requests: int = 1) -> int:
        """Count requests in their UTC minute, all or none; return the minute's count with them (T6).

        Above the limit, none is counted. 0 where they cannot be counted.
        """
        scope, limit = f"{key.instance}/rate/{key.key_id}", key.rate_limit
        return _failing_open(key.instance, key.key_id, lambda: self._minutes.count(scope, limit, at_s, requests), 0)


def _failing_open(instance: str, key_id: str, count: Callable[[], T], uncounted: T) -> T:
    try:
        return count()
    except (Unavailable, OutcomeUnknown) as error:
        request_uncounted(instance, key_id, error)
        return uncounted


def network_of(address: str) -> str:
    """Return what a client address is counted as.

    >>> network_of("192.0.2.7"), network_of("2001:db8:1:2:3:4:5:6"), network_of("::ffff:192.0.2.7"), network_of("")
    ('192.0.2.7', '2001:db8:1:2::/64', '192.0.2.7', 'unknown')
    """
    import ipaddress  # not at module level: most requests have credentials

    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address[:ADDRESS_CHARACTERS_MAX] or UNKNOWN
    if isinstance(known, ipaddress.IPv4Address):
        return str(known)
    if known.ipv4_mapped is not None:
        return str(known.ipv4_mapped)
    return str(ipaddress.ip_network((int(known), NETWORK_BITS_V6), strict=False))
