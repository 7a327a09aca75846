"""Commands for the escrow desk's keys."""

from __future__ import annotations

import secrets
from typing import Annotated

from cyclopts import App, Parameter

from chalicelib import wiring
from chalicelib.domain.tenancy.instances import World
from chalicelib.domain.tenancy.keys import ESCROW_KEYS, ESCROW_RATE_LIMIT, EscrowKey, escrow_prefix_of
from chalicelib.ops.cli.arguments import Count, Instance, Merchant, Printed, exclusive, rate_limit, read_by, whole
from chalicelib.ops.cli.credentials import Credentialing, Digest
from chalicelib.ops.cli.tenants import tenants
from chalicelib.support.clock import iso
from chalicelib.tables.escrow_settings import EscrowDesks

KEY_BYTES = 20
_WHOSE = exclusive(1)

app = App(name="escrow-key", help="Keys of the escrow desk.")


@app.command
def create(
    *,
    instance: Instance,
    merchant: Annotated[
        Merchant | None, Parameter(group=_WHOSE, help="whose orders, customers and wallets it is for")
    ] = None,
    operator: Annotated[
        bool, Parameter(group=_WHOSE, help="for the operator's routes, on all merchants' things")
    ] = False,
    world: World,
    read_only: Annotated[bool, Parameter(help="for GET alone")] = False,
    bare: Annotated[bool, Parameter(help="for generated clients: answers as the vendor publishes them")] = False,
    burst: Annotated[
        Count, Parameter(help="requests that may come at once, 0 for no limit")
    ] = ESCROW_RATE_LIMIT.bucket,
    per_minute: Annotated[int, read_by(whole(0, 999_999), "how fast they are granted again, 0 for no limit")] = 300,
) -> Printed:
    """Make a key; it is printed this once.

    $ tallybook escrow-key create --instance inst_demo0001 --merchant demo-shop \\
        --world sandbox
    """
    found = tenants().get(instance).instance
    if merchant is not None:
        EscrowDesks(wiring.database()).merchant(found, merchant)
    made = escrow_prefix_of(world, is_operators=operator) + secrets.token_hex(KEY_BYTES)
    limit = rate_limit(ESCROW_RATE_LIMIT, burst, per_minute * 1000 // 60)
    own = {"world": world, "merchant": merchant, "is_read_only": read_only, "is_bare": bare}
    return KEYS.create(found, made, limit, **own) | {"key": made}


@app.command(name="list")
def list_keys(instance: Instance, /) -> Printed:
    """List an instance's keys by their digests.

    $ tallybook escrow-key list inst_demo0001
    """
    return {"keys": list(map(KEYS.printed, KEYS.of_instance(instance)))}


@app.command
def enable(key_id: Digest, /) -> Printed:
    """Let a key in again.

    $ tallybook escrow-key enable KEY_ID
    """
    return KEYS.change(key_id, is_enabled=True)


@app.command
def disable(key_id: Digest, /) -> Printed:
    """Let a key in no more, until it is enabled.

    $ tallybook escrow-key disable KEY_ID
    """
    return KEYS.change(key_id, is_enabled=False)


@app.command
def delete(key_id: Digest, /) -> Printed:
    """Forget a key for good.

    $ tallybook escrow-key delete KEY_ID
    """
    return KEYS.delete(key_id)


def _shown_key(key: EscrowKey) -> Printed:
    return {
        "key_id": key.key_id,
        "merchant": key.merchant,
        "world": key.world.value,
        "is_operators": key.is_operators,
        "is_enabled": key.is_enabled,
        "is_read_only": key.is_read_only,
        "is_bare": key.is_bare,
        "burst": key.rate_limit.bucket,
        "per_minute": key.rate_limit.refill_per_1000_s * 60 // 1000,
        "made_at": iso(key.made_s * 1000),
    }


KEYS = Credentialing(ESCROW_KEYS, _shown_key)
