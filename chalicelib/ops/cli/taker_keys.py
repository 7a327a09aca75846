"""The operator's commands for API keys of the taker desk (K4).

A key and its secret are printed by the command that makes them and nowhere else; what is stored is the key's digest, by
which the other commands name it.
"""

from __future__ import annotations

import argparse
import secrets
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from chalicelib import wiring
from chalicelib.domain.signed.settings import KEY_ALLOWANCE, TakerKey, key_id_of, secret_of
from chalicelib.domain.tenancy.rate_limit import RateLimit
from chalicelib.ops.cli.arguments import Command, Printed, add_command, add_group, allowance, count, pattern, per_1000_s
from chalicelib.ops.cli.tenants import tenants
from chalicelib.support.clock import iso, now_s
from chalicelib.tables.taker_keys import TakerKeys

_ADDRESS = pattern(r"0x[0-9a-fA-F]{40}", "must be 0x and 40 hexadecimal digits")
_KEY_ID = pattern(r"[0-9a-f]{64}", "must be 64 hexadecimal digits, as taker-key list shows them")
_NAMES = {True: "required", False: "optional"}


def add_commands(groups: Any) -> None:
    """Add the group ``taker-key`` to the command line."""
    group = add_group(groups, "taker-key", "API keys of the taker desk")
    command = add_command(group, "create", _create, "make a taker's API key and its secret; both are printed this once")
    command.add_argument("--instance", required=True)
    command.add_argument("--taker", type=_ADDRESS, required=True, help="the taker's address; its keys share it")
    command.add_argument(
        "--expires-at", type=_time, metavar="TIME", help="when it ends, as 2027-01-31T00:00:00Z (never)"
    )
    command.add_argument("--require-signature", action="store_true", help="let it in with signed requests only")
    _add_rate(command)
    command = add_command(group, "list", _list, "list an instance's taker keys; no keys, no secrets")
    command.add_argument("instance", metavar="INSTANCE", help="as in inst_demo0001")
    command.set_defaults(lines=_key_lines)
    _add_change(group, "enable", lambda keys, one: keys.switch(one.key_id, is_enabled=True), "let a key in again")
    _add_change(
        group, "disable", lambda keys, one: keys.switch(one.key_id, is_enabled=False), "let a key in no more (403)"
    )
    command = _add_change(group, "limit", _limit, "set how often a key may come, from the next request on")
    _add_rate(command)
    command = _add_change(group, "end", lambda keys, one: keys.end(one.key_id, one.at), "set when a key ends")
    when = command.add_mutually_exclusive_group(required=True)
    when.add_argument("--at", type=_time, metavar="TIME", help="as 2027-01-31T00:00:00Z")
    when.add_argument("--never", action="store_true")
    command = _add_change(group, "signature", _require_signature, "say whether a key's requests must be signed")
    command.add_argument("rule", choices=_NAMES.values())


def _add_rate(command: argparse.ArgumentParser) -> None:
    usual = KEY_ALLOWANCE
    text = f"requests that may come at once, 0 for no limit ({usual.bucket})"
    command.add_argument("--burst", type=count, default=usual.bucket, help=text)
    text = f"how fast they come back, 0 for no limit ({usual.refill_per_1000_s // 1000})"
    command.add_argument("--per-second", type=per_1000_s, default=usual.refill_per_1000_s, help=text)


def _add_change(
    group: Any, word: str, change: Callable[[TakerKeys, argparse.Namespace], TakerKey], text: str
) -> argparse.ArgumentParser:
    command = add_command(group, word, _changing(change), text)
    command.add_argument("key_id", metavar="KEY_ID", type=_KEY_ID, help="as taker-key list shows it")
    return command


def _changing(change: Callable[[TakerKeys, argparse.Namespace], TakerKey]) -> Command:
    def run(options: argparse.Namespace) -> Printed:
        changed = change(TakerKeys(wiring.database()), options)
        return {"instance": changed.instance} | _shown(changed)

    return run


def _create(options: argparse.Namespace) -> Printed:
    instance = tenants().get(options.instance).instance
    api_key = secrets.token_hex(32)
    secret = secret_of(wiring.master_key(), api_key)
    made = TakerKey(
        key_id=key_id_of(api_key),
        instance=instance,
        taker=options.taker,
        made_s=now_s(),
        allowance=_allowance(options),
        expires_s=options.expires_at,
        requires_signature=options.require_signature,
    )
    TakerKeys(wiring.database()).create(made)
    return {"instance": instance} | _shown(made) | {"api_key": api_key, "secret": secret}


def _list(options: argparse.Namespace) -> Printed:
    instance = tenants().get(options.instance).instance
    keys = TakerKeys(wiring.database()).of_instance(instance)
    return {"instance": instance, "keys": [_shown(key) for key in keys]}


def _limit(keys: TakerKeys, options: argparse.Namespace) -> TakerKey:
    return keys.limit(options.key_id, _allowance(options))


def _require_signature(keys: TakerKeys, options: argparse.Namespace) -> TakerKey:
    return keys.require_signature(options.key_id, is_required=options.rule == _NAMES[True])


def _allowance(options: argparse.Namespace) -> RateLimit:
    return allowance(KEY_ALLOWANCE, options.burst, options.per_second)


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
        "burst": key.allowance.bucket,
        "per_second": str(Decimal(key.allowance.refill_per_1000_s) / 1000),
        "made_at": iso(key.made_s * 1000),
        "expires_at": None if key.expires_s is None else iso(key.expires_s * 1000),
    }


def _key_lines(printed: Printed) -> Iterator[str]:
    """Yield a line a key, for people."""
    for key in printed["keys"]:
        state = "enabled" if key["enabled"] else "disabled"
        rate = f"{key['burst']} at once, {key['per_second']} a second" if key["burst"] else "no rate limit"
        end = f", until {key['expires_at']}" if key["expires_at"] else ""
        whose = f"{key['taker']} {state}, signature {key['signature']}"
        yield f"{key['key_id']}: {whose}, {rate}, since {key['made_at']}{end}"
