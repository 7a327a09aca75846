"""Commands for webhook endpoints: of an instance's operator or, with --merchant, of a merchant's world."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from chalicelib import wiring
from chalicelib.apis.kit.webhook_views import delivery_view, endpoint_view
from chalicelib.domain.tenancy.instances import World
from chalicelib.domain.webhooks.endpoint import (
    TYPE_PATTERN,
    TYPE_RULE,
    DeliveryStatus,
    Owner,
    merchant_owner,
)
from chalicelib.ops.cli.arguments import Printed, add_command, add_group, add_instance, pattern, whole
from chalicelib.ops.cli.tenants import tenants
from chalicelib.tables.escrow_settings import EscrowDesks

if TYPE_CHECKING:
    from chalicelib.services.webhooks.endpoints import EndpointDesk

LISTED_MAX = 100
_MERCHANT = pattern(r"[A-Za-z0-9_-]{1,40}", "must be 1 to 40 letters, digits, _ or -")
_TYPE = pattern(TYPE_PATTERN, f"must be {TYPE_RULE}")


def add_commands(groups: Any) -> None:
    """Add the group ``webhook``."""
    group = add_group(groups, "webhook", "endpoints that events are posted to")
    command = _add(group, "create", _create, "make an endpoint; its secret is printed this once")
    command.add_argument("url", metavar="URL", help="an https URL")
    command.add_argument("--type", action="append", type=_TYPE, dest="types", help="* (the default), order.*, ...")
    command.add_argument("--customer", action="append", default=[], help="only what this customer receives")
    command.add_argument("--description", default="")
    command = _add(group, "list", _list, "list the endpoints; no secrets")
    command.set_defaults(lines=_endpoint_lines)
    _add_of_one(group, "pause", lambda desk, owner, name, _: endpoint_view(desk.pause(owner, name)), "send no more")
    _add_of_one(group, "resume", lambda desk, owner, name, _: endpoint_view(desk.resume(owner, name)), "send again")
    _add_of_one(group, "test", lambda desk, owner, name, _: {"deliveryId": desk.test(owner, name)}, "send a test event")
    command = _add_of_one(group, "rotate", _rotate, "give an endpoint a new secret, which is printed this once")
    command.add_argument("--hours", type=whole(0, 168), default=24, help="how long the old one signs too (24)")
    _add_of_one(group, "remove", _remove, "remove an endpoint for good, with its dead letters")
    command = _add_of_one(group, "dead", _dead, "list an endpoint's dead letters, oldest first")
    command.add_argument("--limit", type=whole(1, LISTED_MAX), default=LISTED_MAX)
    command.set_defaults(lines=_delivery_lines)
    command = _add_of_one(group, "redeliver", _redeliver, "send a dead letter again, under its id")
    command.add_argument("delivery", metavar="DELIVERY", help="as webhook dead shows it")


def _add(group: Any, name: str, act: Any, text: str) -> argparse.ArgumentParser:
    command = add_command(group, name, lambda options: act(_desk(), _owner(options), options), text)
    add_instance(command)
    command.add_argument("--merchant", type=_MERCHANT, help="whose endpoints: a merchant of the escrow desk")
    command.add_argument("--world", choices=[world.value for world in World], default=World.PRODUCTION.value)
    return command


def _add_of_one(group: Any, name: str, act: Any, text: str) -> argparse.ArgumentParser:
    command = _add(group, name, lambda desk, owner, options: act(desk, owner, options.endpoint, options), text)
    command.add_argument("endpoint", metavar="ENDPOINT", help="as webhook list shows it")
    return command


def _desk() -> EndpointDesk:
    from chalicelib.wiring.webhooks import new_endpoint_desk

    return new_endpoint_desk(wiring.database())


def _owner(options: argparse.Namespace) -> Owner:
    instance = tenants().get(options.instance).instance
    if options.merchant is None:
        return Owner(instance)
    merchant = EscrowDesks(wiring.database()).merchant(instance, options.merchant)
    return merchant_owner(instance, World(options.world), merchant.merchant)


def _create(desk: EndpointDesk, owner: Owner, options: argparse.Namespace) -> Printed:
    types = tuple(options.types or ("*",))
    made = desk.create(owner, options.url, types, tuple(options.customer), options.description)
    return endpoint_view(made.endpoint) | {"secret": made.secret}


def _list(desk: EndpointDesk, owner: Owner, _options: argparse.Namespace) -> Printed:
    return {"webhooks": list(map(endpoint_view, desk.all(owner)))}


def _rotate(desk: EndpointDesk, owner: Owner, endpoint_id: str, options: argparse.Namespace) -> Printed:
    rotated = desk.rotate(owner, endpoint_id, options.hours)
    return endpoint_view(rotated.endpoint) | {"secret": rotated.secret}


def _remove(desk: EndpointDesk, owner: Owner, endpoint_id: str, _options: argparse.Namespace) -> Printed:
    desk.remove(owner, endpoint_id)
    return {"id": endpoint_id, "removed": True}


def _dead(desk: EndpointDesk, owner: Owner, endpoint_id: str, options: argparse.Namespace) -> Printed:
    dead = desk.deliveries(owner, endpoint_id, DeliveryStatus.DEAD, options.limit)
    return {"deliveries": list(map(delivery_view, dead))}


def _redeliver(desk: EndpointDesk, owner: Owner, endpoint_id: str, options: argparse.Namespace) -> Printed:
    return delivery_view(desk.redeliver(owner, endpoint_id, options.delivery))


def _endpoint_lines(printed: Printed) -> Iterator[str]:
    for one in printed["webhooks"]:
        reason = "" if one["reason"] is None else f" ({one['reason']})"
        yield f"{one['id']} {one['status']}{reason} {','.join(one['types'])} {one['url']}"


def _delivery_lines(printed: Printed) -> Iterator[str]:
    for one in printed["deliveries"]:
        yield f"{one['id']} {one['type']} {one['decidedAt']} after {one['attempts']} attempts: {one['lastAnswer']}"
