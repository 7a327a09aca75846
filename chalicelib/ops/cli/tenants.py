"""Commands for instances and API keys (T1 to T6).

A key's secret is printed only by the command that creates it. Its digest is stored, and no command prints that.
"""

from __future__ import annotations

import argparse
import secrets
from collections.abc import Callable, Iterator
from typing import Any

from chalicelib import wiring
from chalicelib.domain.signed.settings import Domain
from chalicelib.domain.tenancy.instances import SERVICES, Instance, InstanceStatus, Key
from chalicelib.ops.cli.arguments import Command, Printed, add_command, add_group, add_instance, count, pattern
from chalicelib.ops.cli.origins import add_origins_command
from chalicelib.support.clock import iso, new_id, now_s
from chalicelib.tables.desk_settings import TakerDesks
from chalicelib.tables.tenants import Tenants, instance_id

RATE_LIMIT_DEFAULT = 200
GRACE_DAYS_DEFAULT = GRACE_DAYS_MAX = 7
_DAY_S = 86_400
_REF = pattern(r"[A-Za-z0-9]{8}", "must be 8 letters or digits")


def tenants() -> Tenants:
    return Tenants(wiring.database(), now_s)


def add_commands(groups: Any) -> None:
    """Add the groups ``instance`` and ``key``."""
    _add_instance_commands(add_group(groups, "instance", "tenants"))
    _add_key_commands(add_group(groups, "key", "API keys"))


def _add_instance_commands(group: Any) -> None:
    command = add_command(group, "create", _create_instance, "make an instance")
    command.add_argument("--ref", type=_REF, required=True, help="8 letters or digits; becomes inst_REF")
    command.add_argument(
        "--service",
        action="append",
        choices=[*SERVICES, "none"],
        help="service to enable (default: trading; none for none)",
    )
    text = (
        "the one that is, or will be, TALLYBOOK_PUBLIC_INSTANCE: its signed orders are in the vendor's EIP-712 domain, "
        "those of any other instance in a domain of its own"
    )
    command.add_argument("--public", action="store_true", help=text)
    add_instance(add_command(group, "show", _show_instance, "show an instance's status, services and number of keys"))
    command = add_command(group, "list", _list_instances, "list all instances, as show does each")
    command.set_defaults(lines=_instance_lines)
    for word, change, text in (
        ("enable", Instance.with_service, "switch a service on"),
        ("disable", Instance.without_service, "switch a service off: its routes answer SERVICE_NOT_ENABLED"),
    ):
        command = add_command(group, word, _change_service(change), text)
        add_instance(command)
        command.add_argument("service", metavar="SERVICE", choices=SERVICES, help=", ".join(SERVICES))
    for word, status, text in (
        ("archive", InstanceStatus.ARCHIVED, "accept none of its keys any more, until it is restored"),
        ("restore", InstanceStatus.ACTIVE, "accept its valid keys again"),
    ):
        add_instance(add_command(group, word, _change_status(status), text))
    add_origins_command(group)


def _add_key_commands(group: Any) -> None:
    command = add_command(group, "create", _create_key, "make an API key; its secret is printed this once")
    command.add_argument("--instance", required=True)
    command.add_argument(
        "--rate-limit", type=count, default=RATE_LIMIT_DEFAULT, help="requests a minute, 0 for no limit (200)"
    )
    command = add_command(group, "list", _list_keys, "list the valid keys and those that ended last; no secrets")
    add_instance(command)
    command.set_defaults(lines=_key_lines)
    text = "make a new key with the same rate limit; the old one stays valid for a while"
    command = add_command(group, "rotate", _rotate_key, text)
    _add_key(command)
    command.add_argument(
        "--grace-days",
        type=int,
        choices=range(GRACE_DAYS_MAX + 1),
        default=GRACE_DAYS_DEFAULT,
        help="how long the old key stays valid (7 days; 0: it ends now)",
    )
    _add_key(add_command(group, "revoke", _revoke_key, "end a key now"))
    command = add_command(group, "limit", _limit_key, "change a key's rate limit")
    _add_key(command)
    command.add_argument("rate_limit", metavar="RATE_LIMIT", type=count, help="requests a minute, 0 for no limit")


def _add_key(command: argparse.ArgumentParser) -> None:
    add_instance(command)
    command.add_argument("key_id", metavar="KEY_ID", help="as key list shows it")


def _create_instance(options: argparse.Namespace) -> Printed:
    services = set(options.service or SERVICES) - {"none"}
    instance = instance_id(options.ref)
    is_public = options.public or instance == wiring.public_instance()
    domain = Domain() if is_public else Domain.of_its_own(instance)
    beside = [] if is_public else [TakerDesks(wiring.database()).creation(instance, domain)]
    tenants().create_instance(options.ref, services, beside)
    return {"instance": instance, "services": sorted(services), "verifying_contract": domain.verifying_contract}


def _show_instance(options: argparse.Namespace) -> Printed:
    return _shown(tenants().get(options.instance))


def _list_instances(_options: argparse.Namespace) -> Printed:
    return {"instances": [_shown(instance) for instance in tenants().all()]}


def _instance_lines(printed: Printed) -> Iterator[str]:
    """Yield one line of text for each instance."""
    for one in printed["instances"]:
        services = ", ".join(one["services"]) or "no services"
        frozen = f", {one['frozen_customers']} frozen customers" if one["frozen_customers"] else ""
        yield f"{one['instance']}: {one['status']}, {services}, {one['valid_keys']} valid keys{frozen}"


def _change_service(change: Callable[[Instance, str], Instance]) -> Command:
    return lambda options: _shown(tenants().change(options.instance, lambda found: change(found, options.service)))


def _change_status(status: InstanceStatus) -> Command:
    return lambda options: _shown(tenants().change(options.instance, lambda found: found.with_status(status)))


def _create_key(options: argparse.Namespace) -> Printed:
    key_id, api_key = new_id("key"), _new_api_key(options.instance)
    tenants().add_key(options.instance, key_id, api_key, options.rate_limit)
    return {"instance": options.instance, "key_id": key_id, "rate_limit": options.rate_limit, "api_key": api_key}


def _list_keys(options: argparse.Namespace) -> Printed:
    keys = tenants().get(options.instance).keys
    return {"instance": options.instance, "keys": [_shown_key(key, now_s()) for key in keys]}


def _rotate_key(options: argparse.Namespace) -> Printed:
    key_id, api_key = new_id("key"), _new_api_key(options.instance)
    grace_s = options.grace_days * _DAY_S
    instance = tenants().rotate_key(options.instance, options.key_id, key_id, api_key, grace_s)
    old = _shown_key(instance.key(options.key_id), now_s())
    new = {"key_id": key_id, "rate_limit": instance.key(key_id).rate_limit, "api_key": api_key}
    return {"instance": options.instance} | new | {"old_key_id": options.key_id, "old_key_ends_at": old["ends_at"]}


def _revoke_key(options: argparse.Namespace) -> Printed:
    now = now_s()
    instance = tenants().change(options.instance, lambda found: found.revoked(options.key_id, now))
    return {"instance": options.instance} | _shown_key(instance.key(options.key_id), now)


def _limit_key(options: argparse.Namespace) -> Printed:
    now = now_s()
    instance = tenants().change(options.instance, lambda found: found.limited(options.key_id, options.rate_limit, now))
    return {"instance": options.instance} | _shown_key(instance.key(options.key_id), now)


def _new_api_key(instance: str) -> str:
    return f"trusset_{instance.removeprefix('inst_')}_{secrets.token_hex(32)}"


def _shown(instance: Instance) -> Printed:
    return {
        "instance": instance.instance,
        "status": instance.status.value,
        "services": sorted(instance.services),
        "valid_keys": len(instance.valid_keys(now_s())),
        "frozen_customers": instance.frozen,
    }


def _shown_key(key: Key, at_s: int) -> Printed:
    return {
        "key_id": key.key_id,
        "status": key.status_at(at_s).value,
        "rate_limit": key.rate_limit,
        "made_at": iso(key.made_s * 1000),
        "ends_at": None if key.ends_s is None else iso(key.ends_s * 1000),
    }


def _key_lines(printed: Printed) -> Iterator[str]:
    """Yield one line of text for each key."""
    for key in printed["keys"]:
        limit = f"{key['rate_limit']} a minute" if key["rate_limit"] else "no limit"
        end = f", until {key['ends_at']}" if key["ends_at"] else ""
        yield f"{key['key_id']}: {key['status']}, {limit}, since {key['made_at']}{end}"
