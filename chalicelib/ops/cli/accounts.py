"""The command ``accounts``: what a customer has, with the names of its tokens, over HTTP."""

from __future__ import annotations

from decimal import Decimal

from cyclopts import App

from chalicelib.ops.cli.api_access import Access
from chalicelib.ops.cli.arguments import Customer, Printed

_LOCAL = Access()

app = App(name="accounts")


@app.default
def list_accounts(*, customer: Customer, access: Access = _LOCAL) -> Printed:
    """List a customer's accounts: what is there, what its orders hold, and what is left.

    $ tallybook accounts --customer cust_12345
    """
    with access.desk() as desk:
        accounts = [
            {
                "symbol": row.token and row.token.symbol,
                "asset": row.token_address,
                "balance": str(row.balance),
                "available": str(row.available_balance),
                "held": str(row.locked_balance),
                "whole": row.token and units(row.balance, row.token.decimals or 0),
            }
            for row in desk.ledger.balances(customer)
        ]
    return {"customer": customer, "accounts": accounts}


def units(amount: int, decimals: int) -> str:
    """Return an amount of base units in whole ones, as 1.5."""
    return f"{Decimal(amount).scaleb(-decimals).normalize():f}"
