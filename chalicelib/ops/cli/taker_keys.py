"""Commands for the taker desk's API keys (K4)."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Literal

from cyclopts import App, Parameter

from chalicelib import wiring
from chalicelib.domain.tenancy.keys import TAKER_KEYS, TAKER_RATE_LIMIT, TakerKey, taker_secret_of
from chalicelib.domain.tenancy.rate_limit import RateLimit
from chalicelib.ops.cli.arguments import (
    Count,
    Instance,
    PerSecond,
    Printed,
    exclusive,
    pattern,
    per_second,
    rate_limit,
    read_by,
)
from chalicelib.ops.cli.credentials import Credentialing, Digest
from chalicelib.ops.cli.tenants import tenants
from chalicelib.support.clock import iso

_ADDRESS = pattern(r"0x[0-9a-fA-F]{40}", "must be 0x and 40 hexadecimal digits")
_NAMES = {True: "required", False: "optional"}
_USUAL = TAKER_RATE_LIMIT
_WHEN = exclusive(1)


def _seconds(text: str) -> int:
    """Return a UTC time as Unix seconds."""
    form = pattern(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", "must be as 2027-01-31T00:00:00Z")
    try:
        return int(datetime.strptime(form(text), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp())
    except ValueError as error:
        raise ValueError(f"must be a time that there is, as 2027-01-31T00:00:00Z: {text}") from error


Time = Annotated[int | None, read_by(_seconds, "when it ends, as 2027-01-31T00:00:00Z", metavar="TIME")]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Rate:
    """How often a key may come."""

    burst: Annotated[Count, Parameter(help="requests that may come at once, 0 for no limit")] = _USUAL.bucket
    per_second: Annotated[
        PerSecond, Parameter(help=f"how fast they come back, 0 for no limit ({_USUAL.refill_per_1000_s // 1000})")
    ] = _USUAL.refill_per_1000_s

    def limit(self) -> RateLimit:
        return rate_limit(_USUAL, self.burst, self.per_second)


app = App(name="taker-key", help="API keys of the taker desk.")


@app.command
def create(
    *,
    instance: Instance,
    taker: Annotated[str, read_by(_ADDRESS, "the taker's address; its keys share it")],
    expires_at: Time = None,
    require_signature: Annotated[bool, Parameter(help="let it in with signed requests only")] = False,
    rate: Rate = Rate(),
) -> Printed:
    """Make a taker's API key and its secret; both are printed this once.

    $ tallybook taker-key create --instance inst_demo0001 \\
        --taker 0x00000000000000000000000000000000000000a1
    """
    found = tenants().get(instance).instance
    api_key = secrets.token_hex(32)
    secret = taker_secret_of(wiring.master_key(), api_key)
    own = {"taker": taker, "expires_s": expires_at, "requires_signature": require_signature}
    return KEYS.create(found, api_key, rate.limit(), **own) | {"api_key": api_key, "secret": secret}


@app.command(name="list")
def list_keys(instance: Instance, /) -> Printed:
    """List an instance's taker keys; no keys, no secrets.

    $ tallybook taker-key list inst_demo0001
    """
    return {"instance": instance, "keys": list(map(_shown, KEYS.of_instance(instance)))}


@app.command
def enable(key_id: Digest, /) -> Printed:
    """Let a key in again.

    $ tallybook taker-key enable KEY_ID
    """
    return KEYS.change(key_id, is_enabled=True)


@app.command
def disable(key_id: Digest, /) -> Printed:
    """Let a key in no more (403).

    $ tallybook taker-key disable KEY_ID
    """
    return KEYS.change(key_id, is_enabled=False)


@app.command
def limit(key_id: Digest, /, *, rate: Rate = Rate()) -> Printed:
    """Set how often a key may come, from the next request on.

    $ tallybook taker-key limit KEY_ID --burst 50 --per-second 10
    """
    return KEYS.change(key_id, rate_limit=rate.limit())


@app.command
def end(
    key_id: Digest,
    /,
    *,
    at: Annotated[Time, Parameter(group=_WHEN)] = None,
    never: Annotated[bool, Parameter(group=_WHEN)] = False,
) -> Printed:
    """Set when a key ends.

    $ tallybook taker-key end KEY_ID --at 2027-01-31T00:00:00Z
    """
    return KEYS.change(key_id, expires_s=None if never else at)


@app.command
def signature(key_id: Digest, rule: Literal["required", "optional"], /) -> Printed:
    """Say whether a key's requests must be signed.

    $ tallybook taker-key signature KEY_ID required
    """
    return KEYS.change(key_id, requires_signature=rule == _NAMES[True])


def _shown(key: TakerKey) -> Printed:
    return {
        "key_id": key.key_id,
        "taker": key.taker,
        "enabled": key.is_enabled,
        "signature": _NAMES[key.requires_signature],
        "burst": key.rate_limit.bucket,
        "per_second": per_second(key.rate_limit),
        "made_at": iso(key.made_s * 1000),
        "expires_at": None if key.expires_s is None else iso(key.expires_s * 1000),
    }


KEYS = Credentialing(TAKER_KEYS, _shown)
