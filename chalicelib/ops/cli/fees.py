"""Commands for fees: what each book and desk has earned, and taking it (T95)."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from chalicelib import wiring
from chalicelib.domain.ledger.transactions import Withdrawal
from chalicelib.ops.cli import tenants
from chalicelib.ops.cli.arguments import (
    CUSTOMER,
    CommandFailed,
    Printed,
    add_command,
    add_group,
    amount,
    characters,
    ledger_asset,
)
from chalicelib.services.books.earnings import Earned, Earnings
from chalicelib.services.ledger.movements import InsufficientBalance, ReferenceTaken, UnknownToken
from chalicelib.services.ledger.withdrawals import SandboxFees, Withdrawals, WithdrawnTooMuch


def add_commands(groups: Any) -> None:
    """Add the group ``fees``."""
    group = add_group(groups, "fees", "fees that books and desks have earned")
    show = add_command(group, "show", _show, "show what each book and desk has earned, and what of it is there")
    show.add_argument("--instance", required=True)
    show.set_defaults(lines=_lines)
    withdraw = add_command(group, "withdraw", _withdraw, "take fees, to a customer or out of the ledger")
    withdraw.add_argument("--instance", required=True)
    withdraw.add_argument("--account", required=True, help="as fees show prints it: a book's id, or a desk's name")
    withdraw.add_argument("--asset", type=ledger_asset, required=True, help="token address, or as fees show prints it")
    withdraw.add_argument("--amount", type=amount, help="base units (all there is)")
    target = withdraw.add_mutually_exclusive_group(required=True)
    target.add_argument("--customer", type=CUSTOMER, help="who receives it")
    target.add_argument("--out", action="store_true", help="it leaves the ledger, and lowers the asset's supply")
    withdraw.add_argument(
        "--reference",
        type=characters(1, 256),
        required=True,
        help="same account, asset and reference: done once, however often asked",
    )


def _show(options: argparse.Namespace) -> Printed:
    tenants.tenants().get(options.instance)
    return {"fees": [_shown(one) for one in Earnings(wiring.database()).of_instance(options.instance)]}


def _shown(fees: Earned) -> Printed:
    return {
        "account": fees.account,
        "book_id": fees.book_id,
        "asset": fees.asset,
        "earned": str(fees.earned),
        "withdrawn": str(fees.earned - fees.available),
        "available": str(fees.available),
    }


def _lines(printed: Printed) -> Iterator[str]:
    """Yield one line of text for each fee account."""
    for fees in printed["fees"]:
        amounts = f"earned {fees['earned']}, withdrawn {fees['withdrawn']}, available {fees['available']}"
        yield f"{fees['account']}: {fees['asset']}: {amounts}"


def _withdraw(options: argparse.Namespace) -> Printed:
    tenants.tenants().get(options.instance)
    asked = Withdrawal(
        options.instance, options.account, options.asset, options.customer, options.amount, options.reference
    )
    try:
        withdrawn = Withdrawals(wiring.database()).take(asked).transaction
    except UnknownToken as error:
        raise CommandFailed(f"no such token, or inactive: {error}") from error
    except SandboxFees as error:
        raise CommandFailed(f"fees of a sandbox can only leave the ledger (--out): {error}") from error
    except InsufficientBalance as error:
        raise CommandFailed(f"insufficient fees: {error}") from error
    except WithdrawnTooMuch as error:
        raise CommandFailed(f"all that was ever withdrawn would have more than 38 digits: {error}") from error
    except ReferenceTaken as error:
        raise CommandFailed(f"the reference is taken by another withdrawal: {error}") from error
    return {
        "transaction_id": withdrawn.transaction_id,
        "account": options.account,
        "asset": withdrawn.asset,
        "customer": withdrawn.target,
        "amount": str(withdrawn.amount),
    }
