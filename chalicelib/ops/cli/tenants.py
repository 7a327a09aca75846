"""Commands for instances, the origins that they list (K52) and API keys (T1 to T6).

A key's secret is printed only by the command that creates it. Its digest is stored, and no command prints that.
"""

from __future__ import annotations

import secrets
from typing import Annotated

from cyclopts import App, Parameter

from chalicelib import wiring
from chalicelib.domain.signed.settings import Domain
from chalicelib.domain.tenancy.instances import SERVICES, Instance, InstanceStatus, Key
from chalicelib.domain.tenancy.origins import is_origin
from chalicelib.ops.cli import arguments
from chalicelib.ops.cli.arguments import Count, Printed, exclusive, pattern, read_by, whole
from chalicelib.ops.cli.failures import Code, CommandFailed
from chalicelib.support.clock import iso, new_id, now_s
from chalicelib.tables.desk_settings import TakerDesks
from chalicelib.tables.origins import Origins
from chalicelib.tables.tenants import Tenants, instance_id

RATE_LIMIT_DEFAULT = 200
GRACE_DAYS_DEFAULT = GRACE_DAYS_MAX = 7
_DAY_S = 86_400
_REF = pattern(r"[A-Za-z0-9]{8}", "must be 8 letters or digits")
_PUBLIC = (
    "the one that is, or will be, TALLYBOOK_PUBLIC_INSTANCE: its signed orders are in the vendor's EIP-712 domain, "
    "those of any other instance in a domain of its own"
)
_CHANGE = exclusive(0)
Service = Annotated[str, Parameter(choices=SERVICES)]
KeyId = Annotated[str, Parameter(help="as key list shows it")]
RateLimit = Annotated[Count, Parameter(help="requests a minute, 0 for no limit")]

instance = App(name="instance", help="Tenants.")
key = App(name="key", help="API keys of the book desk.")


def tenants() -> Tenants:
    return Tenants(wiring.database(), now_s)


@instance.command(name="create")
def create_instance(
    *,
    ref: Annotated[str, read_by(_REF, "8 letters or digits; becomes inst_REF")],
    service: Annotated[
        list[str] | None,
        Parameter(choices=[*SERVICES, "none"], help="service to enable; repeatable (trading; none for none)"),
    ] = None,
    public: Annotated[bool, Parameter(help=_PUBLIC)] = False,
) -> Printed:
    """Make an instance.

    $ tallybook instance create --ref acme0001
    """
    services = set(service or SERVICES) - {"none"}
    if services and "none" in (service or ()):
        raise CommandFailed("--service none enables no service: leave it out, or the others", Code.USAGE)
    made = instance_id(ref)
    is_public = public or made == wiring.public_instance()
    domain = Domain() if is_public else Domain.of_its_own(made)
    beside = [] if is_public else [TakerDesks(wiring.database()).creation(made, domain)]
    tenants().create_instance(ref, services, beside)
    return {"instance": made, "services": sorted(services), "verifying_contract": domain.verifying_contract}


@instance.command(name="show")
def show_instance(instance: arguments.Instance, /) -> Printed:
    """Show an instance's status, services and number of keys.

    $ tallybook instance show inst_demo0001
    """
    return _shown(tenants().get(instance))


@instance.command(name="list")
def list_instances() -> Printed:
    """List all instances, as show does each.

    $ tallybook instance list
    """
    return {"instances": [_shown(one) for one in tenants().all()]}


@instance.command
def enable(instance: arguments.Instance, service: Service, /) -> Printed:
    """Switch a service on.

    $ tallybook instance enable inst_acme0001 trading
    """
    return _shown(tenants().change(instance, lambda found: found.with_service(service)))


@instance.command
def disable(instance: arguments.Instance, service: Service, /) -> Printed:
    """Switch a service off: its routes answer SERVICE_NOT_ENABLED.

    $ tallybook instance disable inst_acme0001 trading
    """
    return _shown(tenants().change(instance, lambda found: found.without_service(service)))


@instance.command
def archive(instance: arguments.Instance, /) -> Printed:
    """Accept none of an instance's keys any more, until it is restored.

    $ tallybook instance archive inst_acme0001
    """
    return _shown(tenants().change(instance, lambda found: found.with_status(InstanceStatus.ARCHIVED)))


@instance.command
def restore(instance: arguments.Instance, /) -> Printed:
    """Accept an archived instance's valid keys again.

    $ tallybook instance restore inst_acme0001
    """
    return _shown(tenants().change(instance, lambda found: found.with_status(InstanceStatus.ACTIVE)))


def _origin(text: str) -> str:
    if not is_origin(text):
        raise ValueError("must be http:// or https:// and a host in lower case, without path and slash")
    return text


@instance.command(name="origins")
def list_origins(
    instance: arguments.Instance,
    /,
    *,
    add: Annotated[
        str | None, read_by(_origin, "as browsers send it: https://app.example", group=_CHANGE, metavar="ORIGIN")
    ] = None,
    remove: Annotated[str | None, read_by(_origin, group=_CHANGE, metavar="ORIGIN")] = None,
) -> Printed:
    """List the web origins whose pages may call the routes of makers; add one, or remove one.

    $ tallybook instance origins inst_demo0001 --add https://app.example
    """
    found = tenants().get(instance).instance
    origins = Origins(wiring.database())
    if add:
        origins.add(found, add)
    if remove:
        origins.remove(found, remove)
    return {"instance": found, "origins": origins.of_instance(found)}


@key.command(name="create")
def create_key(*, instance: arguments.Instance, rate_limit: RateLimit = RATE_LIMIT_DEFAULT) -> Printed:
    """Make an API key; its secret is printed this once.

    $ tallybook key create --instance inst_demo0001
    """
    key_id, api_key = new_id("key"), _new_api_key(instance)
    tenants().add_key(instance, key_id, api_key, rate_limit)
    return {"instance": instance, "key_id": key_id, "rate_limit": rate_limit, "api_key": api_key}


@key.command(name="list")
def list_keys(instance: arguments.Instance, /) -> Printed:
    """List the valid keys and those that ended last; no secrets.

    $ tallybook key list inst_demo0001
    """
    return {"instance": instance, "keys": [_shown_key(one, now_s()) for one in tenants().get(instance).keys]}


@key.command(name="rotate")
def rotate_key(
    instance: arguments.Instance,
    key_id: KeyId,
    /,
    *,
    grace_days: Annotated[
        int, read_by(whole(0, GRACE_DAYS_MAX), "how long the old key stays valid, 0 to 7 (0: it ends now)")
    ] = GRACE_DAYS_DEFAULT,
) -> Printed:
    """Make a new key with the same rate limit; the old one stays valid for a while.

    $ tallybook key rotate inst_demo0001 KEY_ID
    """
    new_key_id, api_key = new_id("key"), _new_api_key(instance)
    changed = tenants().rotate_key(instance, key_id, new_key_id, api_key, grace_days * _DAY_S)
    old = _shown_key(changed.key(key_id), now_s())
    new = {"key_id": new_key_id, "rate_limit": changed.key(new_key_id).rate_limit, "api_key": api_key}
    return {"instance": instance} | new | {"old_key_id": key_id, "old_key_ends_at": old["ends_at"]}


@key.command(name="limit")
def limit_key(instance: arguments.Instance, key_id: KeyId, rate_limit: RateLimit, /) -> Printed:
    """Change a key's rate limit.

    $ tallybook key limit inst_demo0001 KEY_ID 600
    """
    now = now_s()
    changed = tenants().change(instance, lambda found: found.limited(key_id, rate_limit, now))
    return {"instance": instance} | _shown_key(changed.key(key_id), now)


@key.command(name="revoke")
def revoke_key(instance: arguments.Instance, key_id: KeyId, /) -> Printed:
    """End a key now.

    $ tallybook key revoke inst_demo0001 KEY_ID
    """
    now = now_s()
    changed = tenants().change(instance, lambda found: found.revoked(key_id, now))
    return {"instance": instance} | _shown_key(changed.key(key_id), now)


def _new_api_key(instance: str) -> str:
    return f"trusset_{instance.removeprefix('inst_')}_{secrets.token_hex(32)}"


def _shown(one: Instance) -> Printed:
    return {
        "instance": one.instance,
        "status": one.status.value,
        "services": sorted(one.services),
        "valid_keys": len(one.valid_keys(now_s())),
        "frozen_customers": one.frozen,
    }


def _shown_key(key: Key, at_s: int) -> Printed:
    return {
        "key_id": key.key_id,
        "status": key.status_at(at_s).value,
        "rate_limit": key.rate_limit,
        "made_at": iso(key.made_s * 1000),
        "ends_at": None if key.ends_s is None else iso(key.ends_s * 1000),
    }
