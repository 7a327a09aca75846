"""Where webhooks may go: URLs of endpoints, and the IP addresses that may be connected to.

An address is checked when it is connected to, not when a name is given: what a name stands for can change. The networks
are those of IANA's registries of special-purpose addresses that are not globally reachable, with those that carry an
IPv4 address inside (NAT64, 6to4, Teredo), listed here because Python's own list differs by version.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address

URL_CHARACTERS_MAX = 1000
URL_RULE = f"an https URL of at most {URL_CHARACTERS_MAX} characters, without user and fragment, to a public address"
PORTS = {"https": 443, "http": 80}
_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>[A-Za-z0-9][A-Za-z0-9.-]{0,252}|\[[0-9A-Fa-f:.]{2,45}\])(:(?P<port>[0-9]{1,5}))?"
    r"(?P<target>[/?][!\"\x24-~]*)?"
)
_REFUSED_V4 = [
    IPv4Network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24",
        "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
    )
]  # fmt: skip
_GLOBAL_V6 = IPv6Network("2000::/3")
_REFUSED_V6 = [
    IPv6Network(text) for text in ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")
]


class AddressRefused(Exception):
    """The URL or address may not be called."""


@dataclass(frozen=True, slots=True)
class Target:
    """A URL in parts. host: a name or an address, without brackets. path: with its query."""

    is_secure: bool
    host: str
    port: int
    path: str

    @property
    def host_header(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS["https" if self.is_secure else "http"] else f"{host}:{self.port}"


def target_of(url: str, *, allows_local: bool = False) -> Target:
    """Return a URL's parts. allows_local: http and loopback addresses are allowed too. Raises AddressRefused."""
    found = _URL.fullmatch(url) if len(url) <= URL_CHARACTERS_MAX else None
    if not found or (found["scheme"] != "https" and not allows_local):
        raise AddressRefused("not an https URL")
    port = int(found["port"] or PORTS[found["scheme"]])
    if not 0 < port < 65_536:
        raise AddressRefused("no such port")
    target, host = found["target"] or "/", found["host"].strip("[]")
    try:
        is_refused = not may_connect(host, allows_local=allows_local)
    except ValueError:  # a name
        is_refused = ":" in host
    if is_refused:
        raise AddressRefused("not a public address")
    return Target(found["scheme"] == "https", host, port, target if target.startswith("/") else f"/{target}")


def may_connect(address: str, *, allows_local: bool = False) -> bool:
    """Return whether a connection to this IP address is allowed: a public one. Raises ValueError if it is none.

    allows_local: loopback addresses are allowed too.
    """
    parsed = ip_address(address.partition("%")[0])
    if allows_local and parsed.is_loopback:
        return True
    if isinstance(parsed, IPv6Address):
        return parsed in _GLOBAL_V6 and not any(parsed in network for network in _REFUSED_V6)
    return not any(parsed in network for network in _REFUSED_V4)
