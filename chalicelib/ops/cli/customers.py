"""Commands for customers: who is frozen (T96), and who holds an asset (T97)."""

from __future__ import annotations

import re
from typing import Annotated

from cyclopts import App

from chalicelib import wiring
from chalicelib.domain.ledger.owners import customer_key, split_owner
from chalicelib.ops.cli import tenants
from chalicelib.ops.cli.arguments import Customer, Instance, LedgerAsset, Printed, characters, read_by
from chalicelib.ops.cli.failures import Code, CommandFailed
from chalicelib.support.clock import iso
from chalicelib.tables.accounts import Accounts
from chalicelib.tables.frozen_customers import FrozenCustomers

REASON_CHARACTERS_MAX = 256
_WALLET = re.compile(r"0x[0-9a-f]{40}")

app = App(name="customer", help="Customers of an instance.")
holders = App(name="holders")


@app.command
def freeze(
    *,
    instance: Instance,
    customer: Customer,
    reason: Annotated[
        str | None, read_by(characters(1, REASON_CHARACTERS_MAX), "your own words, shown by frozen")
    ] = None,
) -> Printed:
    """Let a customer place nothing more; it may still cancel.

    $ tallybook customer freeze --instance inst_demo0001 --customer cust_12345
    """
    tenants.tenants().get(instance)
    _refuse_other_case(instance, customer)
    is_new = FrozenCustomers(wiring.database()).freeze(instance, customer, reason)
    return {"customer": customer, "frozen": True, "changed": is_new}


def _refuse_other_case(instance: str, customer: str) -> None:
    """Raise CommandFailed for a name that only its lower case makes one of the ledger: its freeze would hold nobody."""
    lower, accounts = customer.lower(), Accounts(wiring.database())

    def has(name: str) -> bool:
        return any(accounts.balances(customer_key(instance, name)))

    if lower != customer and not has(customer) and (_WALLET.fullmatch(lower) or has(lower)):
        told = f"nobody has this name, which the ledger has in lower case: --customer {lower}"
        raise CommandFailed(told, Code.NOT_FOUND)


@app.command
def unfreeze(*, instance: Instance, customer: Customer) -> Printed:
    """Let a frozen customer place again.

    $ tallybook customer unfreeze --instance inst_demo0001 --customer cust_12345
    """
    tenants.tenants().get(instance)
    was_frozen = FrozenCustomers(wiring.database()).unfreeze(instance, customer)
    return {"customer": customer, "frozen": False, "changed": was_frozen}


@app.command
def frozen(*, instance: Instance) -> Printed:
    """List an instance's frozen customers, the longest frozen first.

    $ tallybook customer frozen --instance inst_demo0001
    """
    tenants.tenants().get(instance)
    found = FrozenCustomers(wiring.database()).of_instance(instance)
    by_age = sorted(found, key=lambda one: (one.frozen_s, one.customer))
    return {
        "customers": [
            {"customer": one.customer, "reason": one.reason, "frozen_at": iso(one.frozen_s * 1000)} for one in by_age
        ]
    }


@holders.default
def list_holders(*, instance: Instance, asset: LedgerAsset) -> Printed:
    """List who holds an asset, the largest holder first.

    $ tallybook holders --instance inst_demo0001 \\
        --asset 0xabcdefabcdefabcdefabcdefabcdefabcdefabcd
    """
    tenants.tenants().get(instance)
    found = Accounts(wiring.database()).holders(instance, asset)
    listed = []
    for owner, balance in sorted(found, key=lambda one: (-one[1].total, one[0])):
        customer, fees = split_owner(instance, owner)
        if balance.total:
            listed.append(
                {
                    "customer": customer,
                    "fee_account": fees,
                    "balance": str(balance.total),
                    "available": str(balance.available),
                    "held": str(balance.held),
                }
            )
    return {"asset": asset, "holders": listed}
