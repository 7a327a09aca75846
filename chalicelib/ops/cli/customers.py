"""Commands for customers: who is frozen (T96), and who holds an asset (T97)."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from typing import Any

from chalicelib import wiring
from chalicelib.domain.ledger.owners import customer_key, split_owner
from chalicelib.ops.cli import tenants
from chalicelib.ops.cli.arguments import (
    CUSTOMER,
    CommandFailed,
    Printed,
    add_command,
    add_group,
    characters,
    ledger_asset,
)
from chalicelib.support.clock import iso
from chalicelib.tables.accounts import Accounts
from chalicelib.tables.frozen_customers import FrozenCustomers

REASON_CHARACTERS_MAX = 256
_WALLET = re.compile(r"0x[0-9a-f]{40}")


def add_commands(groups: Any) -> None:
    """Add the group ``customer`` and the command ``holders``."""
    group = add_group(groups, "customer", "customers of an instance")
    freeze = add_command(group, "freeze", _freeze, "let a customer place nothing more; it may still cancel")
    _add_customer(freeze)
    freeze.add_argument("--reason", type=characters(1, REASON_CHARACTERS_MAX), help="your own words, shown by frozen")
    _add_customer(add_command(group, "unfreeze", _unfreeze, "let a frozen customer place again"))
    frozen = add_command(group, "frozen", _frozen, "list an instance's frozen customers, the longest frozen first")
    frozen.add_argument("--instance", required=True)
    frozen.set_defaults(lines=_frozen_lines)

    holders = add_command(groups, "holders", _holders, "list who holds an asset, the largest holder first")
    holders.add_argument("--instance", required=True)
    holders.add_argument("--asset", type=ledger_asset, required=True, help="token address")
    holders.set_defaults(lines=_holder_lines)


def _add_customer(command: argparse.ArgumentParser) -> None:
    command.add_argument("--instance", required=True)
    command.add_argument(
        "--customer", type=CUSTOMER, required=True, help="as in the ledger: of a wallet, in lower case"
    )


def _freeze(options: argparse.Namespace) -> Printed:
    tenants.tenants().get(options.instance)
    _refuse_other_case(options.instance, options.customer)
    is_new = FrozenCustomers(wiring.database()).freeze(options.instance, options.customer, options.reason)
    return {"customer": options.customer, "frozen": True, "changed": is_new}


def _refuse_other_case(instance: str, customer: str) -> None:
    """Raise CommandFailed for a name that only its lower case makes one of the ledger: its freeze would hold nobody."""
    lower, accounts = customer.lower(), Accounts(wiring.database())

    def has(name: str) -> bool:
        return any(accounts.balances(customer_key(instance, name)))

    if lower != customer and not has(customer) and (_WALLET.fullmatch(lower) or has(lower)):
        raise CommandFailed(f"nobody has this name, which the ledger has in lower case: --customer {lower}")


def _unfreeze(options: argparse.Namespace) -> Printed:
    tenants.tenants().get(options.instance)
    was_frozen = FrozenCustomers(wiring.database()).unfreeze(options.instance, options.customer)
    return {"customer": options.customer, "frozen": False, "changed": was_frozen}


def _frozen(options: argparse.Namespace) -> Printed:
    tenants.tenants().get(options.instance)
    found = FrozenCustomers(wiring.database()).of_instance(options.instance)
    by_age = sorted(found, key=lambda one: (one.frozen_s, one.customer))
    return {
        "customers": [
            {"customer": one.customer, "reason": one.reason, "frozen_at": iso(one.frozen_s * 1000)} for one in by_age
        ]
    }


def _frozen_lines(printed: Printed) -> Iterator[str]:
    """Yield one line of text for each frozen customer."""
    for one in printed["customers"]:
        reason = f": {one['reason']}" if one["reason"] else ""
        yield f"{one['customer']}, since {one['frozen_at']}{reason}"


def _holders(options: argparse.Namespace) -> Printed:
    tenants.tenants().get(options.instance)
    found = Accounts(wiring.database()).holders(options.instance, options.asset)
    by_total = sorted(found, key=lambda one: (-one[1].total, one[0]))
    holders = []
    for owner, balance in by_total:
        customer, fees = split_owner(options.instance, owner)
        if balance.total:
            holders.append(
                {
                    "customer": customer,
                    "fee_account": fees,
                    "balance": str(balance.total),
                    "available": str(balance.available),
                    "held": str(balance.held),
                }
            )
    return {"asset": options.asset, "holders": holders}


def _holder_lines(printed: Printed) -> Iterator[str]:
    """Yield one line of text for each holder."""
    for one in printed["holders"]:
        who = one["customer"] if one["fee_account"] is None else f"fees of {one['fee_account']}"
        yield f"{who}: {one['balance']}, of which {one['held']} held"
