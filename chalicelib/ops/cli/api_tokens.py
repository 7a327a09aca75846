"""Commands for the trade desk's API tokens (R9, R13)."""

from __future__ import annotations

import secrets
from typing import Annotated, Literal

from cyclopts import App, Parameter

from chalicelib import wiring
from chalicelib.domain.tenancy.keys import (
    API_TOKENS,
    WAIT_DEFAULT_MS_MAX,
    ApiToken,
    Permission,
    TokenStatus,
    token_secret_of,
)
from chalicelib.domain.tenancy.rate_limit import RateLimit
from chalicelib.ops.cli.arguments import (
    Count,
    Instance,
    PerSecond,
    Printed,
    name,
    per_second,
    rate_limit,
    read_by,
    whole,
)
from chalicelib.ops.cli.credentials import Credentialing, Digest
from chalicelib.ops.cli.tenants import tenants
from chalicelib.support.clock import iso

PERMISSIONS = {"read": Permission.READ, "buy-sell": Permission.BUY_SELL}
_USUAL = RateLimit()
WaitDefault = Annotated[
    int,
    read_by(
        whole(0, WAIT_DEFAULT_MS_MAX),
        "ms that market, IOC, FOK and post-only orders wait for their outcome unless a request says, 0 for none",
        metavar="MS",
    ),
]

app = App(name="api-token", help="API tokens of the trade desk.")


@app.command
def create(
    *,
    instance: Instance,
    customer: Annotated[str, read_by(name, "whose orders and funds it is for")],
    permission: Literal["read", "buy-sell"],
    bucket: Annotated[Count, Parameter(help="requests that may come at once, 0 for no limit")] = _USUAL.bucket,
    per_second: Annotated[
        PerSecond, Parameter(help="how fast it refills, 0 for no limit (3.5)")
    ] = _USUAL.refill_per_1000_s,
    per_day: Annotated[Count, Parameter(help="requests in a UTC day, 0 for no limit")] = _USUAL.per_day,
    wait_default: WaitDefault = 0,
) -> Printed:
    """Make an API token and its secret; both are printed this once.

    $ tallybook api-token create --instance inst_demo0001 --customer cust_12345 \\
        --permission buy-sell
    """
    found = tenants().get(instance).instance
    token = secrets.token_hex(32)
    secret = token_secret_of(wiring.master_key(), token)
    limit = rate_limit(_USUAL, bucket, per_second, per_day)
    own = {"customer": customer, "permission": PERMISSIONS[permission], "wait_default_ms": wait_default}
    return TOKENS.create(found, token, limit, **own) | {"token": token, "secret": secret}


@app.command(name="list")
def list_tokens(instance: Instance, /) -> Printed:
    """List an instance's API tokens; no tokens, no secrets.

    $ tallybook api-token list inst_demo0001
    """
    return {"instance": instance, "tokens": list(map(_shown, TOKENS.of_instance(instance)))}


@app.command
def block(token_id: Digest, /) -> Printed:
    """Let a token in no more, until it is unblocked.

    $ tallybook api-token block TOKEN_ID
    """
    return TOKENS.change(token_id, status=TokenStatus.BLOCKED)


@app.command
def change(token_id: Digest, /, *, wait_default: WaitDefault) -> Printed:
    """Change how long a token's orders wait for their outcome.

    $ tallybook api-token change TOKEN_ID --wait-default 2000
    """
    return TOKENS.change(token_id, wait_default_ms=wait_default)


@app.command
def unblock(token_id: Digest, /) -> Printed:
    """Let a token in again.

    $ tallybook api-token unblock TOKEN_ID
    """
    return TOKENS.change(token_id, status=TokenStatus.ACTIVE)


def _shown(token: ApiToken) -> Printed:
    limit = token.rate_limit
    return {
        "token_id": token.key_id,
        "customer": token.customer,
        "permission": token.permission.value,
        "status": token.status.value,
        "bucket": limit.bucket,
        "per_second": per_second(limit),
        "per_day": limit.per_day,
        "wait_default_ms": token.wait_default_ms,
        "made_at": iso(token.made_s * 1000),
    }


TOKENS = Credentialing(API_TOKENS, _shown)
