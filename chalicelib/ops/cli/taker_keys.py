"""Commands for the taker desk's API keys (K4)."""

from __future__ import annotations

import argparse
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from chalicelib import wiring
from chalicelib.domain.tenancy.keys import TAKER_KEYS, TAKER_RATE_LIMIT, TakerKey, taker_secret_of
from chalicelib.domain.tenancy.rate_limit import RateLimit
from chalicelib.ops.cli.arguments import (
    Printed,
    add_command,
    add_group,
    count,
    pattern,
    per_1000_s,
    per_second,
    rate_limit,
)
from chalicelib.ops.cli.credentials import Commands
from chalicelib.ops.cli.tenants import tenants
from chalicelib.support.clock import iso

_ADDRESS = pattern(r"0x[0-9a-fA-F]{40}", "must be 0x and 40 hexadecimal digits")
_NAMES = {True: "required", False: "optional"}


def add_commands(groups: Any) -> None:
    """Add the group ``taker-key``."""
    group = add_group(groups, "taker-key", "API keys of the taker desk")
    command = add_command(group, "create", _create, "make a taker's API key and its secret; both are printed this once")
    command.add_argument("--instance", required=True)
    command.add_argument("--taker", type=_ADDRESS, required=True, help="the taker's address; its keys share it")
    command.add_argument(
        "--expires-at", type=_time, metavar="TIME", help="when it ends, as 2027-01-31T00:00:00Z (never)"
    )
    command.add_argument("--require-signature", action="store_true", help="let it in with signed requests only")
    _add_rate(command)
    KEYS.add_list(group, _listed, "list an instance's taker keys; no keys, no secrets")
    KEYS.add_change(group, "enable", lambda _options: {"is_enabled": True}, "let a key in again")
    KEYS.add_change(group, "disable", lambda _options: {"is_enabled": False}, "let a key in no more (403)")
    text = "set how often a key may come, from the next request on"
    _add_rate(KEYS.add_change(group, "limit", lambda options: {"rate_limit": _rate_limit(options)}, text))
    command = KEYS.add_change(group, "end", lambda options: {"expires_s": options.at}, "set when a key ends")
    when = command.add_mutually_exclusive_group(required=True)
    when.add_argument("--at", type=_time, metavar="TIME", help="as 2027-01-31T00:00:00Z")
    when.add_argument("--never", action="store_true")
    text = "say whether a key's requests must be signed"
    command = KEYS.add_change(
        group, "signature", lambda options: {"requires_signature": options.rule == _NAMES[True]}, text
    )
    command.add_argument("rule", choices=_NAMES.values())


def _add_rate(command: argparse.ArgumentParser) -> None:
    usual = TAKER_RATE_LIMIT
    text = f"requests that may come at once, 0 for no limit ({usual.bucket})"
    command.add_argument("--burst", type=count, default=usual.bucket, help=text)
    text = f"how fast they come back, 0 for no limit ({usual.refill_per_1000_s // 1000})"
    command.add_argument("--per-second", type=per_1000_s, default=usual.refill_per_1000_s, help=text)


def _create(options: argparse.Namespace) -> Printed:
    instance = tenants().get(options.instance).instance
    api_key = secrets.token_hex(32)
    secret = taker_secret_of(wiring.master_key(), api_key)
    made = KEYS.create(
        instance,
        api_key,
        _rate_limit(options),
        taker=options.taker,
        expires_s=options.expires_at,
        requires_signature=options.require_signature,
    )
    return made | {"api_key": api_key, "secret": secret}


def _listed(instance: str, keys: list[TakerKey]) -> Printed:
    return {"instance": instance, "keys": list(map(_shown, keys))}


def _rate_limit(options: argparse.Namespace) -> RateLimit:
    return rate_limit(TAKER_RATE_LIMIT, options.burst, options.per_second)


def _time(text: str) -> int:
    """Return a UTC time as Unix seconds."""
    form = pattern(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", "must be as 2027-01-31T00:00:00Z")
    try:
        return int(datetime.strptime(form(text), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp())
    except ValueError as error:
        raise argparse.ArgumentTypeError("must be a time that there is") from error


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


def _key_lines(printed: Printed) -> Iterator[str]:
    """Yield one line of text for each key."""
    for key in printed["keys"]:
        state = "enabled" if key["enabled"] else "disabled"
        rate = f"{key['burst']} at once, {key['per_second']} a second" if key["burst"] else "no rate limit"
        end = f", until {key['expires_at']}" if key["expires_at"] else ""
        whose = f"{key['taker']} {state}, signature {key['signature']}"
        yield f"{key['key_id']}: {whose}, {rate}, since {key['made_at']}{end}"


KEYS = Commands(TAKER_KEYS, "KEY_ID", _shown, _key_lines)
