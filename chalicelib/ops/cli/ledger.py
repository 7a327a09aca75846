"""Commands for the ledger: tokens, credits, debits and balances (T1)."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

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
    CUSTOMER,
    Command,
    CommandFailed,
    Printed,
    add_command,
    add_group,
    amount,
    asset,
    characters,
    count,
    pattern,
)
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

_TRANSACTION_NAME = pattern(r"txn_[A-Za-z0-9_-]{1,96}", "must be txn_ and 1 to 96 letters, digits, _ or -")


def add_commands(groups: Any) -> None:
    """Add the group ``token`` and the commands ``credit``, ``debit`` and ``balances``."""
    group = add_group(groups, "token", "tokens that the ledger keeps")
    create = add_command(group, "create", _create_token, "register a token")
    create.add_argument("--instance", required=True)
    create.add_argument("--token-address", type=asset, required=True)
    create.add_argument("--name", type=characters(1, NAME_CHARACTERS_MAX), required=True)
    create.add_argument("--symbol", type=characters(1, SYMBOL_CHARACTERS_MAX), required=True)
    create.add_argument("--decimals", type=count, default=18, help="one whole token is 10^DECIMALS base units (18)")
    create.add_argument("--metadata-uri", type=characters(0, METADATA_URI_CHARACTERS_MAX))
    create.add_argument("--asset-type", type=characters(0, ASSET_TYPE_CHARACTERS_MAX))
    listing = add_command(group, "list", _list_tokens, "list an instance's tokens")
    listing.add_argument("--instance", required=True)
    listing.set_defaults(lines=_token_lines)

    for kind, text in ((TransactionType.CREDIT, "put funds on"), (TransactionType.DEBIT, "take available funds off")):
        command = add_command(groups, kind.value, _move(kind), f"{text} a customer's account")
        command.add_argument("--instance", required=True)
        command.add_argument("--customer", type=CUSTOMER, required=True)
        command.add_argument("--asset", type=asset, required=True, help="token address")
        command.add_argument("--amount", type=amount, required=True, help="base units")
        command.add_argument(
            "--reference",
            type=characters(1, 256),
            help="same customer, token and reference: done once, however often asked",
        )
        command.add_argument("--id", type=_TRANSACTION_NAME, help="same id, same facts: done once, however often asked")

    command = add_command(groups, "balances", _balances, "show a customer's accounts")
    command.add_argument("--instance", required=True)
    command.add_argument("--customer", type=CUSTOMER, required=True)


def _create_token(options: argparse.Namespace) -> Printed:
    tenants.tenants().get(options.instance)
    if options.decimals > DECIMALS_MAX:
        raise CommandFailed(f"decimals must be 0 to {DECIMALS_MAX}")
    token = new_token(
        new_id("tok"),
        options.token_address,
        options.name,
        options.symbol,
        options.decimals,
        options.metadata_uri,
        options.asset_type,
    )
    try:
        Tokens(wiring.database()).register(options.instance, token)
    except TokenExists as error:
        raise CommandFailed(f"exists already: {error}") from error
    return {"instance": options.instance} | _shown(token)


def _list_tokens(options: argparse.Namespace) -> Printed:
    tenants.tenants().get(options.instance)
    return {"tokens": [_shown(token) for token in Tokens(wiring.database()).of_instance(options.instance)]}


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


def _token_lines(printed: Printed) -> Iterator[str]:
    """Yield one line of text for each token."""
    for token in printed["tokens"]:
        status = "" if token["is_active"] else ", inactive"
        yield f"{token['token_address']}: {token['symbol']}, {token['name']}, {token['decimals']} decimals{status}"


def _move(kind: TransactionType) -> Command:
    def command(options: argparse.Namespace) -> Printed:
        tenants.tenants().get(options.instance)
        customer, is_credit = options.customer, kind is TransactionType.CREDIT
        source, target = (None, customer) if is_credit else (customer, None)
        movement = Movement(options.instance, options.asset, source, target, options.amount, options.reference)
        try:
            recorded = Movements(wiring.database()).record(movement, name=options.id)
        except UnknownToken as error:
            raise CommandFailed(f"no such token, register it first (tallybook token create): {error}") from error
        except InsufficientBalance as error:
            raise CommandFailed(f"insufficient balance: {error}") from error
        except SupplyTooLarge as error:
            raise CommandFailed(f"the sum of all balances would have more than 38 digits: {error}") from error
        except ReferenceTaken as error:
            raise CommandFailed(f"on record with other facts: {error}") from error
        try:
            balance = Accounts(wiring.database()).balance(customer_key(options.instance, customer), options.asset)
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

    return command


def _balances(options: argparse.Namespace) -> Printed:
    tenants.tenants().get(options.instance)
    rows = Accounts(wiring.database()).balances(customer_key(options.instance, options.customer))
    balances = [{"asset": row.asset, "available": str(row.available), "held": str(row.held)} for row in rows]
    return {"customer": options.customer, "balances": balances}
