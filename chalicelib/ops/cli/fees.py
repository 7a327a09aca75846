"""Commands for fees: what each book and desk has earned, and taking it (T95)."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from chalicelib import wiring
from chalicelib.domain.ledger.transactions import Withdrawal
from chalicelib.ops.cli import tenants
from chalicelib.ops.cli.arguments import (
    Amount,
    Customer,
    Instance,
    LedgerAsset,
    Printed,
    characters,
    exclusive,
    read_by,
)
from chalicelib.ops.cli.failures import Code, CommandFailed
from chalicelib.services.books.earnings import Earned, Earnings
from chalicelib.services.ledger.movements import InsufficientBalance, ReferenceTaken, UnknownToken
from chalicelib.services.ledger.withdrawals import SandboxFees, Withdrawals, WithdrawnTooMuch

_TARGET = exclusive(1)

app = App(name="fees", help="Fees that books and desks have earned.")


@app.command
def show(*, instance: Instance) -> Printed:
    """Show what each book and desk has earned, and what of it is there.

    $ tallybook fees show --instance inst_demo0001
    """
    tenants.tenants().get(instance)
    return {"fees": [_shown(one) for one in Earnings(wiring.database()).of_instance(instance)]}


def _shown(fees: Earned) -> Printed:
    return {
        "account": fees.account,
        "book_id": fees.book_id,
        "asset": fees.asset,
        "earned": str(fees.earned),
        "withdrawn": str(fees.earned - fees.available),
        "available": str(fees.available),
    }


@app.command
def withdraw(
    *,
    instance: Instance,
    account: Annotated[str, Parameter(help="as fees show prints it: a book's id, or a desk's name")],
    asset: LedgerAsset,
    amount: Annotated[Amount | None, Parameter(help="base units (all there is)")] = None,
    customer: Annotated[Customer | None, Parameter(group=_TARGET, help="who receives it")] = None,
    out: Annotated[bool, Parameter(group=_TARGET, help="it leaves the ledger, and lowers the asset's supply")] = False,
    reference: Annotated[
        str, read_by(characters(1, 256), "same account, asset and reference: done once, however often asked")
    ],
) -> Printed:
    """Take fees, to a customer or out of the ledger.

    $ tallybook fees withdraw --instance inst_demo0001 --account ob_offchain_001 \\
        --asset 0xabcdefabcdefabcdefabcdefabcdefabcdefabcd --out \\
        --reference 2027-01
    """
    tenants.tenants().get(instance)
    asked = Withdrawal(instance, account, asset, None if out else customer, amount, reference)
    try:
        withdrawn = Withdrawals(wiring.database()).take(asked).transaction
    except UnknownToken as error:
        raise CommandFailed(f"no such token, or inactive: {error}", Code.NOT_FOUND) from error
    except SandboxFees as error:
        raise CommandFailed(f"fees of a sandbox can only leave the ledger (--out): {error}") from error
    except InsufficientBalance as error:
        raise CommandFailed(f"insufficient fees: {error}", Code.INSUFFICIENT_BALANCE) from error
    except WithdrawnTooMuch as error:
        raise CommandFailed(f"all that was ever withdrawn would have more than 38 digits: {error}") from error
    except ReferenceTaken as error:
        raise CommandFailed(f"the reference is taken by another withdrawal: {error}", Code.CONFLICT) from error
    return {
        "transaction_id": withdrawn.transaction_id,
        "account": account,
        "asset": withdrawn.asset,
        "customer": withdrawn.target,
        "amount": str(withdrawn.amount),
    }
