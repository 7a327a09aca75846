"""The operator's command line: instances, keys, books, credits and debits (T1); redriving and verifying books.

It talks to whatever AWS endpoint the standard variables name. ``--json`` prints one JSON object; amounts in it are
strings of base units. A key's secret is printed once, by the command that makes it, and stored as a digest only.
"""

from __future__ import annotations

import argparse
import json
import re
import secrets
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib import redrive, wiring
from chalicelib.admission import Admission
from chalicelib.clock import new_id, now_ms, now_s
from chalicelib.core.config import BookConfig, SettlementMode, TokenType, problems_of
from chalicelib.core.journal import BrokenJournal
from chalicelib.core.vocabulary import AMOUNT_MAX, BookStatus, SelfTradePrevention
from chalicelib.loading import UnknownBook
from chalicelib.stores.accounts import (
    Accounts,
    InsufficientBalance,
    LedgerBroken,
    SupplyTooLarge,
    Transaction,
    TransactionMismatch,
    TransactionType,
)
from chalicelib.stores.books import BookExists, Books
from chalicelib.stores.dynamodb import OutcomeUnknown, Unavailable
from chalicelib.stores.journal import EntryExists
from chalicelib.stores.keys import customer_key
from chalicelib.stores.tenants import InstanceExists, Tenants, TooManyKeys, UnknownInstance
from chalicelib.verify import report
from chalicelib.verify.verifier import BookMoves, Disproved, Verifier, unwatched

RATE_LIMIT_DEFAULT = 200
STATUS_WAIT_S, STATUS_POLL_S = 5.0, 0.1
_BOOK_HELP = "INSTANCE/ORDER_BOOK_ID, as in inst_demo0001/ob_offchain_001"
Printed = dict[str, Any]
T = TypeVar("T")


class CommandFailed(Exception):
    """The command changed nothing; the text says why."""


def run(arguments: Sequence[str]) -> Printed:
    """Carry out a command; return what ``--json`` prints. Raises CommandFailed; SystemExit for wrong usage."""
    return _carry_out(_parser().parse_args(arguments))


def _carry_out(options: argparse.Namespace) -> Printed:
    command: Callable[[argparse.Namespace], Printed] = options.command
    try:
        return command(options)
    except (InstanceExists, BookExists) as error:
        raise CommandFailed(f"exists already: {error}") from error
    except UnknownInstance as error:
        raise CommandFailed(f"no such instance: {error}") from error
    except TooManyKeys as error:
        raise CommandFailed(f"has its ten valid keys already: {error}") from error
    except InsufficientBalance as error:
        raise CommandFailed(f"insufficient balance: {error}") from error
    except SupplyTooLarge as error:
        raise CommandFailed(f"the sum of all balances would have more than 38 digits: {error}") from error
    except TransactionMismatch as error:
        raise CommandFailed(f"on record with other facts: {error}") from error
    except UnknownBook as error:
        raise CommandFailed(f"no such book: {error}") from error
    except Disproved as error:
        raise CommandFailed(f"does not agree: {error}") from error
    except BookMoves as error:
        raise CommandFailed(
            f"moves while it is read, so nothing is proven; pause it (tallybook book pause): {error}"
        ) from error
    except (Unavailable, OutcomeUnknown) as error:
        raise CommandFailed(f"the tables did not answer: {error}") from error
    except (BotoCoreError, ClientError) as error:  # no region, no such table, no permission
        raise CommandFailed(str(error)) from error


def main() -> int:
    """Run the process's own command line; return its exit status."""
    options = _parser().parse_args(sys.argv[1:])
    try:
        printed = _carry_out(options)
    except CommandFailed as error:
        print(f"tallybook: {error}", file=sys.stderr)
        return 1
    lines: Callable[[Printed], Iterable[str]] = options.lines
    for line in [json.dumps(printed)] if options.json else lines(printed):
        print(line)
    return 0


def _lines(printed: Printed) -> Iterator[str]:
    """Yield what people read of a command that has no words of its own for it."""
    for name, value in printed.items():
        yield f"{name}: {value if isinstance(value, str) else json.dumps(value)}"


def _create_instance(options: argparse.Namespace) -> Printed:
    services = frozenset(options.service or ["trading"]) - {"none"}
    instance = _tenants().create_instance(options.ref, services)
    return {"instance": instance, "services": sorted(services)}


def _create_key(options: argparse.Namespace) -> Printed:
    key_id, ref = new_id("key"), options.instance.removeprefix("inst_")
    api_key = f"trusset_{ref}_{secrets.token_hex(32)}"
    _tenants().add_key(options.instance, key_id, api_key, options.rate_limit)
    return {"instance": options.instance, "key_id": key_id, "rate_limit": options.rate_limit, "api_key": api_key}


def _create_book(options: argparse.Namespace) -> Printed:
    _require_instance(options.instance)
    config = BookConfig(
        instance=options.instance,
        book_id=options.id or new_id("ob"),
        name=options.name,
        symbol=options.symbol,
        base_asset=options.token_address,
        quote_asset=options.quote_token_address,
        base_decimals=options.base_decimals,
        status=BookStatus(options.status),
        settlement_mode=SettlementMode(options.settlement_mode),
        order_size_min=options.min_order_size,
        order_size_max=options.max_order_size,
        tick_size=options.tick_size,
        maker_fee_bps=options.maker_fee_bps,
        taker_fee_bps=options.taker_fee_bps,
        self_trade_prevention=SelfTradePrevention(options.self_trade_prevention),
        market_collar_bps=options.market_collar_bps,
        token_type=TokenType(options.token_type),
        stock_token_id=options.stock_token_id,
        created_at_ms=now_ms(),
    )
    problems = problems_of(config)
    if problems:
        raise CommandFailed("; ".join(problems))
    Books(wiring.database()).create(config)
    return {"instance": config.instance, "order_book_id": config.book_id, "symbol": config.symbol}


def _record(kind: TransactionType) -> Callable[[argparse.Namespace], Printed]:
    def command(options: argparse.Namespace) -> Printed:
        _require_instance(options.instance)
        transaction = Transaction(
            options.id or new_id("txn"),
            kind,
            options.instance,
            options.customer,
            options.asset,
            options.amount,
            options.reference,
        )
        accounts = Accounts(wiring.database())
        accounts.record(transaction)
        balance = accounts.balance(customer_key(options.instance, options.customer), options.asset)
        return {
            "transaction_id": transaction.transaction_id,
            "customer": transaction.customer,
            "asset": balance.asset,
            "available": str(balance.available),
            "held": str(balance.held),
        }

    return command


def _balances(options: argparse.Namespace) -> Printed:
    _require_instance(options.instance)
    rows = Accounts(wiring.database()).balances(customer_key(options.instance, options.customer))
    balances = [{"asset": row.asset, "available": str(row.available), "held": str(row.held)} for row in rows]
    return {"customer": options.customer, "balances": balances}


def _redrive(options: argparse.Namespace) -> Printed:
    database, matcher = wiring.database(), wiring.matcher()
    if options.all:
        decided = redrive.redrive_all(database, matcher)
        failed = [book for book, commands in decided.items() if commands is None]
        if failed:
            raise CommandFailed(f"not redriven, see the log: {', '.join(failed)}")
        return {"commands": sum(filter(None, decided.values())), "books": len(decided)}
    _require_book(options.book)
    try:
        return {"commands": redrive.redrive(database, matcher, options.book), "books": 1}
    except (BrokenJournal, LedgerBroken, EntryExists) as error:
        raise CommandFailed(f"not redriven: {error}") from error


def _verify(options: argparse.Namespace) -> Printed:
    shows_progress = sys.stderr.isatty() and not options.json
    verifier = Verifier(wiring.database(), _progress_bar if shows_progress else unwatched)
    return report.printed(verifier.verify(None if options.all else options.book))


def _progress_bar(items: Iterable[T], what: str, total: int | None) -> Iterable[T]:
    from tqdm import tqdm  # here alone: no function needs it

    return tqdm(items, desc=what, total=total, leave=False, file=sys.stderr)


def _change_status(status: BookStatus) -> Callable[[argparse.Namespace], Printed]:
    def command(options: argparse.Namespace) -> Printed:
        config = _require_book(options.book)
        if config.status is BookStatus.CLOSED:
            raise CommandFailed(f"closed for good: {options.book}")
        Admission(wiring.database()).change_status(config.instance, config.book_id, status)
        return {
            "order_book_id": config.book_id,
            "status": status.value,
            "took_effect": _took_effect(options.book, status),
        }

    return command


def _took_effect(book: str, status: BookStatus) -> bool:
    """Wait until the book has this status, a bounded time."""
    deadline_s = time.monotonic() + STATUS_WAIT_S
    while _require_book(book).status is not status:
        if time.monotonic() > deadline_s:
            return False
        time.sleep(STATUS_POLL_S)
    return True


def _tenants() -> Tenants:
    return Tenants(wiring.database(), now_s)


def _require_instance(instance: str) -> None:
    if not _tenants().exists(instance):
        raise CommandFailed(f"no such instance: {instance}")


def _require_book(book: str) -> BookConfig:
    config = Books(wiring.database()).config(book)
    if config is None:
        raise CommandFailed(f"no such book: {book}")
    return config


def _pattern(pattern: str, meaning: str) -> Callable[[str], str]:
    def accept(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise argparse.ArgumentTypeError(meaning)
        return text

    return accept


_REF = _pattern(r"[A-Za-z0-9]{8}", "must be 8 letters or digits")
_CUSTOMER = _pattern(r"[^\x00-\x1f\x7f]{1,256}", "must be 1 to 256 characters without control characters")
_BOOK_ID = _pattern(r"[^\x00-\x1f\x7f]{1,100}", "must be 1 to 100 characters without control characters")
_TRANSACTION_ID = _pattern(r"txn_[A-Za-z0-9_-]{1,96}", "must be txn_ and 1 to 96 letters, digits, _ or -")
_REFERENCE = _pattern(r"(?s).{1,256}", "must be 1 to 256 characters")


def _asset(text: str) -> str:
    return _pattern(r"0x[a-fA-F0-9]{40}", "must be 0x and 40 hexadecimal digits")(text).lower()


def _amount(text: str) -> int:
    amount = int(_pattern(r"[1-9][0-9]{0,37}", "must be base units: 1 to 38 digits, above 0")(text))
    assert amount <= AMOUNT_MAX
    return amount


def _count(text: str) -> int:
    return int(_pattern(r"[0-9]{1,9}", "must be a whole number")(text))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tallybook", description="Run a Tallybook deployment's tenants and ledger.")
    groups = parser.add_subparsers(required=True, metavar="COMMAND")

    create = _create_group(groups, "instance", "tenants")
    command = _command(create, "create", _create_instance, "make an instance")
    command.add_argument("--ref", type=_REF, required=True, help="8 letters or digits; becomes inst_REF")
    command.add_argument("--service", action="append", help="service to enable (default: trading; none for none)")

    create = _create_group(groups, "key", "API keys")
    command = _command(create, "create", _create_key, "make an API key; its secret is printed this once")
    command.add_argument("--instance", required=True)
    command.add_argument(
        "--rate-limit", type=_count, default=RATE_LIMIT_DEFAULT, help="requests a minute, 0 for no limit (200)"
    )

    create = _create_group(groups, "book", "order books")
    _add_book_arguments(_command(create, "create", _create_book, "make an order book"))

    for word, status, text in (
        ("pause", BookStatus.PAUSED, "no new orders, no matching; resting orders stay and can be cancelled"),
        ("resume", BookStatus.ACTIVE, "match again"),
        ("close", BookStatus.CLOSED, "for good: cancel all resting orders and release their holds"),
    ):
        _command(create, word, _change_status(status), text).add_argument("book", metavar="BOOK", help=_BOOK_HELP)

    for kind, text in ((TransactionType.CREDIT, "put funds on"), (TransactionType.DEBIT, "take available funds off")):
        command = _command(groups, kind.value, _record(kind), f"{text} a customer's account")
        command.add_argument("--instance", required=True)
        command.add_argument("--customer", type=_CUSTOMER, required=True)
        command.add_argument("--asset", type=_asset, required=True, help="token address")
        command.add_argument("--amount", type=_amount, required=True, help="base units")
        command.add_argument("--reference", type=_REFERENCE)
        command.add_argument("--id", type=_TRANSACTION_ID, help="same id, same facts: done once, however often asked")

    command = _command(groups, "balances", _balances, "show a customer's accounts")
    command.add_argument("--instance", required=True)
    command.add_argument("--customer", type=_CUSTOMER, required=True)

    command = _command(groups, "redrive", _redrive, "decide commands of the inbox that the stream has lost")
    _add_books_argument(command)

    command = _command(groups, "verify", _verify, "prove books: their journals, and all rows and money by them")
    _add_books_argument(command)
    command.set_defaults(lines=report.lines)
    return parser


def _add_books_argument(command: argparse.ArgumentParser) -> None:
    which = command.add_mutually_exclusive_group(required=True)
    which.add_argument("book", metavar="BOOK", nargs="?", help=_BOOK_HELP)
    which.add_argument("--all", action="store_true", help="every book of every instance")


def _create_group(groups: Any, name: str, text: str) -> Any:
    return groups.add_parser(name, help=text).add_subparsers(required=True, metavar="COMMAND")


def _command(
    group: Any, name: str, command: Callable[[argparse.Namespace], Printed], text: str
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = group.add_parser(name, help=text)
    parser.set_defaults(command=command, lines=_lines)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def _add_book_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("--instance", required=True)
    command.add_argument("--id", type=_BOOK_ID, help="default: a new one")
    command.add_argument("--name", required=True)
    command.add_argument("--symbol", required=True)
    command.add_argument("--token-address", type=_asset, required=True, help="base asset")
    command.add_argument("--quote-token-address", type=_asset, required=True, help="quote asset")
    command.add_argument("--base-decimals", type=_count, default=18)
    command.add_argument("--min-order-size", type=_amount, help="base units of the base asset")
    command.add_argument("--max-order-size", type=_amount, help="base units of the base asset")
    command.add_argument("--tick-size", type=_amount, help="base units of the quote asset")
    command.add_argument("--maker-fee-bps", type=_count, default=0)
    command.add_argument("--taker-fee-bps", type=_count, default=0)
    command.add_argument("--market-collar-bps", type=_count, default=500)
    command.add_argument("--self-trade-prevention", choices=[*SelfTradePrevention], default="NONE")
    command.add_argument("--status", choices=[*BookStatus], default="ACTIVE")
    command.add_argument("--token-type", choices=[*TokenType], default="LIGHT_TOKEN")
    command.add_argument("--stock-token-id", help="what the base asset stands for, in the venue's own books")
    command.add_argument("--settlement-mode", choices=[*SettlementMode], default="OFF_CHAIN")


if __name__ == "__main__":
    sys.exit(main())
