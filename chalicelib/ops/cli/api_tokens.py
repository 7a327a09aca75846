"""Commands for the trade desk's API tokens (R9, R13)."""

from __future__ import annotations

import argparse
import secrets
from collections.abc import Iterator
from typing import Any

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
    Printed,
    add_command,
    add_group,
    count,
    pattern,
    per_1000_s,
    per_second,
    rate_limit,
    whole,
)
from chalicelib.ops.cli.credentials import Commands
from chalicelib.ops.cli.tenants import tenants
from chalicelib.support.clock import iso

PERMISSIONS = {"read": Permission.READ, "buy-sell": Permission.BUY_SELL}
_USUAL = RateLimit()
_CUSTOMER = pattern(r"[^\x00-\x1f\x7f]{1,100}", "must be 1 to 100 characters without control characters")


def add_commands(groups: Any) -> None:
    """Add the group ``api-token``."""
    group = add_group(groups, "api-token", "API tokens of the trade desk")
    text = "make an API token and its secret; both are printed this once"
    command = add_command(group, "create", _create, text)
    command.add_argument("--instance", required=True)
    command.add_argument("--customer", type=_CUSTOMER, required=True, help="whose orders and funds it is for")
    command.add_argument("--permission", choices=PERMISSIONS, required=True)
    command.add_argument(
        "--bucket", type=count, default=_USUAL.bucket, help="requests that may come at once, 0 for no limit (7)"
    )
    text = "how fast it refills, 0 for no limit (3.5)"
    command.add_argument("--per-second", type=per_1000_s, default=_USUAL.refill_per_1000_s, help=text)
    command.add_argument(
        "--per-day", type=count, default=_USUAL.per_day, help="requests in a UTC day, 0 for no limit (302400)"
    )
    _add_wait_default(command, default=0)
    TOKENS.add_list(group, _listed, "list an instance's API tokens; no tokens, no secrets")
    text = "let a token in no more, until it is unblocked"
    TOKENS.add_change(group, "block", lambda _options: {"status": TokenStatus.BLOCKED}, text)
    text = "change how long a token's orders wait for their outcome"
    change = TOKENS.add_change(group, "change", lambda options: {"wait_default_ms": options.wait_default}, text)
    _add_wait_default(change, required=True)
    TOKENS.add_change(group, "unblock", lambda _options: {"status": TokenStatus.ACTIVE}, "let a token in again")


def _add_wait_default(command: argparse.ArgumentParser, **more: Any) -> None:
    text = "ms that market, IOC, FOK and post-only orders wait for their outcome unless a request says, 0 for none (0)"
    command.add_argument("--wait-default", type=whole(0, WAIT_DEFAULT_MS_MAX), metavar="MS", help=text, **more)


def _create(options: argparse.Namespace) -> Printed:
    instance = tenants().get(options.instance).instance
    token = secrets.token_hex(32)
    secret = token_secret_of(wiring.master_key(), token)
    limit = rate_limit(_USUAL, options.bucket, options.per_second, options.per_day)
    permission = PERMISSIONS[options.permission]
    own = {"customer": options.customer, "permission": permission, "wait_default_ms": options.wait_default}
    made = TOKENS.create(instance, token, limit, **own)
    return made | {"token": token, "secret": secret}


def _listed(instance: str, tokens: list[ApiToken]) -> Printed:
    return {"instance": instance, "tokens": list(map(_shown, tokens))}


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


def _token_lines(printed: Printed) -> Iterator[str]:
    """Yield one line of text for each token."""
    for token in printed["tokens"]:
        at_once = f"{token['bucket']} at once, {token['per_second']} a second" if token["bucket"] else "no rate limit"
        a_day = f"{token['per_day']} a day" if token["per_day"] else "no limit a day"
        whose = f"{token['customer']} {token['permission']} {token['status']}"
        wait = f", waits {token['wait_default_ms']} ms" if token["wait_default_ms"] else ""
        yield f"{token['token_id']}: {whose}, {at_once}, {a_day}{wait}, since {token['made_at']}"


TOKENS = Commands(API_TOKENS, "TOKEN_ID", _shown, _token_lines)
