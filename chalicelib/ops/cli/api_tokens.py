"""The operator's commands for API tokens of the trade desk (R9, R13).

A token and its secret are printed by the command that makes them and nowhere else; what is stored is the token's
digest, by which the other commands name it.
"""

from __future__ import annotations

import argparse
import secrets
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from chalicelib import wiring
from chalicelib.domain.tenancy.api_tokens import ApiToken, Permission, TokenStatus, secret_of, token_id_of
from chalicelib.domain.tenancy.rate_limit import RateLimit
from chalicelib.ops.cli.arguments import Command, Printed, add_command, add_group, allowance, count, pattern, per_1000_s
from chalicelib.ops.cli.tenants import tenants
from chalicelib.support.clock import iso, now_s
from chalicelib.tables.api_tokens import ApiTokens

PERMISSIONS = {"read": Permission.READ, "buy-sell": Permission.BUY_SELL}
_USUAL = RateLimit()
_CUSTOMER = pattern(r"[^\x00-\x1f\x7f]{1,100}", "must be 1 to 100 characters without control characters")
_TOKEN_ID = pattern(r"[0-9a-f]{64}", "must be 64 hexadecimal digits, as api-token list shows them")


def add_commands(groups: Any) -> None:
    """Add the group ``api-token`` to the command line."""
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
    command = add_command(group, "list", _list, "list an instance's API tokens; no tokens, no secrets")
    command.add_argument("instance", metavar="INSTANCE", help="as in inst_demo0001")
    command.set_defaults(lines=_token_lines)
    for word, status, text in (
        ("block", TokenStatus.BLOCKED, "let a token in no more, until it is unblocked"),
        ("unblock", TokenStatus.ACTIVE, "let a token in again"),
    ):
        command = add_command(group, word, _change_status(status), text)
        command.add_argument("token_id", metavar="TOKEN_ID", type=_TOKEN_ID, help="as api-token list shows it")


def _create(options: argparse.Namespace) -> Printed:
    instance = tenants().get(options.instance).instance
    token = secrets.token_hex(32)
    secret = secret_of(wiring.master_key(), token)
    made = ApiToken(
        token_id=token_id_of(token),
        instance=instance,
        customer=options.customer,
        permission=PERMISSIONS[options.permission],
        made_s=now_s(),
        allowance=allowance(_USUAL, options.bucket, options.per_second, options.per_day),
    )
    ApiTokens(wiring.database()).create(made)
    return {"instance": instance} | _shown(made) | {"token": token, "secret": secret}


def _list(options: argparse.Namespace) -> Printed:
    instance = tenants().get(options.instance).instance
    tokens = ApiTokens(wiring.database()).of_instance(instance)
    return {"instance": instance, "tokens": [_shown(token) for token in tokens]}


def _change_status(status: TokenStatus) -> Command:
    def change(options: argparse.Namespace) -> Printed:
        changed = ApiTokens(wiring.database()).change_status(options.token_id, status)
        return {"instance": changed.instance} | _shown(changed)

    return change


def _shown(token: ApiToken) -> Printed:
    allowance = token.allowance
    return {
        "token_id": token.token_id,
        "customer": token.customer,
        "permission": token.permission.value,
        "status": token.status.value,
        "bucket": allowance.bucket,
        "per_second": str(Decimal(allowance.refill_per_1000_s) / 1000),
        "per_day": allowance.per_day,
        "made_at": iso(token.made_s * 1000),
    }


def _token_lines(printed: Printed) -> Iterator[str]:
    """Yield a line a token, for people."""
    for token in printed["tokens"]:
        at_once = f"{token['bucket']} at once, {token['per_second']} a second" if token["bucket"] else "no rate limit"
        a_day = f"{token['per_day']} a day" if token["per_day"] else "no limit a day"
        whose = f"{token['customer']} {token['permission']} {token['status']}"
        yield f"{token['token_id']}: {whose}, {at_once}, {a_day}, since {token['made_at']}"
