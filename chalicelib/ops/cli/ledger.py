"""Commands for the ledger: tokens, credits, debits and balances (T1)."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from chalicelib import wiring
from chalicelib.domain.books.config import DECIMALS_MAX, NAME_CHARACTERS_MAX, SYMBOL_CHARACTERS_MAX
from chalicelib.domain.ledger.owners import customer_key
from chalicelib.domain.ledger.tokens import (
    ASSET_TYPE_CHARACTERS_MAX,
    METADATA_URI_CHARACTERS_MAX,
    Token,
    TokenExists,
    new_token,
)
from chalicelib.domain.ledger.transactions import Movement, TransactionType
from chalicelib.ops.cli import tenants
from chalicelib.ops.cli.arguments import (
    Amount,
    Asset,
    Count,
    Customer,
    Instance,
    Printed,
    characters,
    pattern,
    read_by,
)
from chalicelib.ops.cli.failures import Code, CommandFailed
from chalicelib.services.ledger.movements import (
    InsufficientBalance,
    Movements,
    ReferenceTaken,
    SupplyTooLarge,
    UnknownToken,
)
from chalicelib.support.clock import new_id
from chalicelib.support.outcomes import Unavailable
from chalicelib.tables.accounts import Accounts
from chalicelib.tables.tokens import Tokens

Reference = Annotated[
    str | None, read_by(characters(1, 256), "same customer, token and reference: done once, however often asked")
]
TransactionName = Annotated[
    str | None,
    read_by(
        pattern(r"txn_[A-Za-z0-9_-]{1,96}", "must be txn_ and 1 to 96 letters, digits, _ or -"),
        "same id, same facts: done once, however often asked",
        name="--id",
    ),
]

token = App(name="token", help="Tokens that the ledger keeps.")
credit = App(name="credit")
debit = App(name="debit")
balances = App(name="balances")


@token.command(name="create")
def create_token(
    *,
    instance: Instance,
    token_address: Asset,
    name: Annotated[str, read_by(characters(1, NAME_CHARACTERS_MAX))],
    symbol: Annotated[str, read_by(characters(1, SYMBOL_CHARACTERS_MAX))],
    decimals: Annotated[Count, Parameter(help="one whole token is 10^DECIMALS base units")] = 18,
    metadata_uri: Annotated[str | None, read_by(characters(0, METADATA_URI_CHARACTERS_MAX))] = None,
    asset_type: Annotated[str | None, read_by(characters(0, ASSET_TYPE_CHARACTERS_MAX))] = None,
) -> Printed:
    """Register a token.

    $ tallybook token create --instance inst_demo0001 --name Coin --symbol COIN \\
        --token-address 0x00000000000000000000000000000000000000c1
    """
    tenants.tenants().get(instance)
    if decimals > DECIMALS_MAX:
        raise CommandFailed(f"decimals must be 0 to {DECIMALS_MAX}")
    made = new_token(new_id("tok"), token_address, name, symbol, decimals, metadata_uri, asset_type)
    try:
        Tokens(wiring.database()).register(instance, made)
    except TokenExists as error:
        raise CommandFailed(f"exists already: {error}", Code.EXISTS) from error
    return {"instance": instance} | _shown(made)


@token.command(name="list")
def list_tokens(*, instance: Instance) -> Printed:
    """List an instance's tokens.

    $ tallybook token list --instance inst_demo0001
    """
    tenants.tenants().get(instance)
    return {"tokens": [_shown(one) for one in Tokens(wiring.database()).of_instance(instance)]}


def _shown(token: Token) -> Printed:
    return {
        "token_id": token.token_id,
        "token_address": token.address,
        "name": token.name,
        "symbol": token.symbol,
        "decimals": token.decimals,
        "metadata_uri": token.metadata_uri,
        "asset_type": token.asset_type,
        "is_active": token.is_active,
    }


@credit.default
def put_funds(
    *,
    instance: Instance,
    customer: Customer,
    asset: Asset,
    amount: Amount,
    reference: Reference = None,
    transaction: TransactionName = None,
) -> Printed:
    """Put funds on a customer's account.

    $ tallybook credit --instance inst_demo0001 --customer cust_12345 \\
        --amount 500000000000000000000 \\
        --asset 0xabcdefabcdefabcdefabcdefabcdefabcdefabcd
    """
    moved = Movement(instance, asset, None, customer, amount, reference)
    return _move(TransactionType.CREDIT, moved, customer, transaction)


@debit.default
def take_funds(
    *,
    instance: Instance,
    customer: Customer,
    asset: Asset,
    amount: Amount,
    reference: Reference = None,
    transaction: TransactionName = None,
) -> Printed:
    """Take available funds off a customer's account.

    $ tallybook debit --instance inst_demo0001 --customer cust_12345 \\
        --amount 500000000000000000000 \\
        --asset 0xabcdefabcdefabcdefabcdefabcdefabcdefabcd
    """
    moved = Movement(instance, asset, customer, None, amount, reference)
    return _move(TransactionType.DEBIT, moved, customer, transaction)


def _move(kind: TransactionType, movement: Movement, customer: str, name: str | None) -> Printed:
    tenants.tenants().get(movement.instance)
    try:
        recorded = Movements(wiring.database()).record(movement, name=name)
    except UnknownToken as error:
        told = f"no such token, register it first (tallybook token create): {error}"
        raise CommandFailed(told, Code.NOT_FOUND) from error
    except InsufficientBalance as error:
        raise CommandFailed(f"insufficient balance: {error}", Code.INSUFFICIENT_BALANCE) from error
    except SupplyTooLarge as error:
        raise CommandFailed(f"the sum of all balances would have more than 38 digits: {error}") from error
    except ReferenceTaken as error:
        raise CommandFailed(f"on record with other facts: {error}", Code.CONFLICT) from error
    try:
        balance = Accounts(wiring.database()).balance(customer_key(movement.instance, customer), movement.asset)
    except Unavailable as error:
        done = f"{kind.value} is done, as {recorded.transaction_id}: do not do it again"
        raise CommandFailed(f"{done}; the balance after it could not be read: {error}") from error
    return {
        "transaction_id": recorded.transaction_id,
        "customer": customer,
        "asset": balance.asset,
        "available": str(balance.available),
        "held": str(balance.held),
    }


@balances.default
def show_balances(*, instance: Instance, customer: Customer) -> Printed:
    """Show a customer's accounts.

    $ tallybook balances --instance inst_demo0001 --customer cust_12345
    """
    tenants.tenants().get(instance)
    rows = Accounts(wiring.database()).balances(customer_key(instance, customer))
    found = [{"asset": row.asset, "available": str(row.available), "held": str(row.held)} for row in rows]
    return {"customer": customer, "balances": found}
