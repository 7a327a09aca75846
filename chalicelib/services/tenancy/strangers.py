"""Rate limit of callers without credentials, by client address: one policy at all desks.

Each kind of request has a token bucket for each address, counted like those of tokens and keys
(``tables.allowances``): a row that all copies of the function share, dropped after two days, and a bounded memory of
those seen last. An IPv6 address counts with its network of 64 bits, which is what a subscriber gets.
"""

from __future__ import annotations

from enum import Enum

from chalicelib.domain.tenancy.rate_limit import Allowance, Refused
from chalicelib.support.outcomes import OutcomeUnknown, Unavailable
from chalicelib.support.telemetry import request_uncounted
from chalicelib.tables.allowances import Allowances

UNKNOWN = "unknown"
"""In place of an address that the gateway does not tell: such callers are counted together."""
ADDRESS_CHARACTERS_MAX = 128
"""Of what is no IP address; no gateway is known to tell such a one."""
NETWORK_BITS_V6 = 64
STRANGERS = "strangers"


class Door(Enum):
    """What a caller without credentials may ask for, each with a name of its own in the counter's rows."""

    MARKET_DATA = "market-data"
    """The public routes of the trade desk."""
    CONNECT = "connect"
    """Wallets that ask for a JWT at the taker desk."""
    NO_KEY = "no-key"
    """Requests to the escrow desk without a valid key."""


ALLOWANCES = {
    Door.MARKET_DATA: Allowance(bucket=100, refill_per_1000_s=10_000, per_day=0),
    Door.CONNECT: Allowance(bucket=10, refill_per_1000_s=167, per_day=0),
    Door.NO_KEY: Allowance(bucket=60, refill_per_1000_s=1000, per_day=0),
}
"""Of each address: 10 requests a second for market data, 100 at once; ten JWTs a minute; 60 a minute without a key."""


class Strangers:
    """counters: the tables, for counting requests, which nobody waits for. allowances: other ones, for some doors."""

    def __init__(self, counters: Allowances, allowances: dict[Door, Allowance] | None = None) -> None:
        self._counters = counters
        self._allowances = ALLOWANCES | (allowances or {})

    def refusal(self, door: Door, address: str, now_ms: int) -> Refused | None:
        """Count a request of this address and return None; or count nothing and return why it may not come.

        Fails open: when the counter's table is throttled or out of reach, the request may come, uncounted. What is
        wrong with the deployment, such as a missing permission, is a fault like any other.
        """
        network = network_of(address)
        try:
            return self._counters.use(f"{STRANGERS}/{door.value}/{network}", self._allowances[door], now_ms * 1000)
        except (Unavailable, OutcomeUnknown) as error:
            request_uncounted(STRANGERS, network, error)
            return None


def network_of(address: str) -> str:
    """Return what a client address is counted as.

    >>> network_of("192.0.2.7"), network_of("2001:db8:1:2:3:4:5:6"), network_of("::ffff:192.0.2.7"), network_of("")
    ('192.0.2.7', '2001:db8:1:2::/64', '192.0.2.7', 'unknown')
    """
    import ipaddress  # here, for most requests have credentials

    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address[:ADDRESS_CHARACTERS_MAX] or UNKNOWN
    if isinstance(known, ipaddress.IPv4Address):
        return str(known)
    if known.ipv4_mapped is not None:
        return str(known.ipv4_mapped)
    return str(ipaddress.ip_network((int(known), NETWORK_BITS_V6), strict=False))
