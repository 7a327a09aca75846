"""Shared helpers of the command line: declaring commands, argument types for argparse, printing."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

from chalicelib.domain.ledger.sandbox import is_of_sandbox, sandbox_asset, token_address
from chalicelib.domain.tenancy.rate_limit import RateLimit

Printed = dict[str, Any]
Command = Callable[[argparse.Namespace], Printed]


class CommandFailed(Exception):
    """The command failed and changed nothing. The message says why."""


def add_group(groups: Any, name: str, text: str) -> Any:
    """Return a new command group: ``tallybook NAME ...``."""
    return groups.add_parser(name, help=text).add_subparsers(required=True, metavar="COMMAND")


def add_command(group: Any, name: str, command: Command, text: str) -> argparse.ArgumentParser:
    """Return the parser of a new command. It prints its result as lines or, with ``--json``, as one object."""
    parser: argparse.ArgumentParser = group.add_parser(name, help=text)
    parser.set_defaults(command=command, lines=lines)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def add_instance(command: argparse.ArgumentParser) -> None:
    command.add_argument("instance", metavar="INSTANCE", help="as in inst_demo0001")


def lines(printed: Printed) -> Iterator[str]:
    """Yield a result as lines of text, for commands without a format of their own."""
    for name, value in printed.items():
        yield f"{name}: {value if isinstance(value, str) else json.dumps(value)}"


def pattern(expression: str, meaning: str) -> Callable[[str], str]:
    """Return an argument type: texts that match completely. meaning: the error message for others."""

    def accept(text: str) -> str:
        if not re.fullmatch(expression, text):
            raise argparse.ArgumentTypeError(meaning)
        return text

    return accept


def count(text: str) -> int:
    """Return an integer of up to nine digits."""
    return int(pattern(r"[0-9]{1,9}", "must be a whole number")(text))


def whole(least: int, most: int) -> Callable[[str], int]:
    """Return an argument type: integers within bounds."""

    def accept(text: str) -> int:
        number = count(text)
        if not least <= number <= most:
            raise argparse.ArgumentTypeError(f"must be {least} to {most}")
        return number

    return accept


def per_1000_s(text: str) -> int:
    """Convert requests a second to requests in 1,000 seconds; 0 means no limit."""
    rate = pattern(r"[0-9]{1,6}(\.[0-9]{1,3})?", "must be a number, with three decimals at most")
    return int(Decimal(rate(text)) * 1000)


def per_second(limit: RateLimit) -> str:
    """Return a limit's refill rate in requests a second."""
    return str(Decimal(limit.refill_per_1000_s) / 1000)


def rate_limit(usual: RateLimit, at_once: int, refill_per_1000_s: int, per_day: int = 0) -> RateLimit:
    """Return a rate limit. If burst or refill is 0, neither is limited: they are one limit."""
    if not at_once or not refill_per_1000_s:
        return RateLimit(0, refill_per_1000_s or usual.refill_per_1000_s, per_day)
    return RateLimit(at_once, refill_per_1000_s, per_day)


def asset(text: str) -> str:
    """Return a token address in lower case."""
    return pattern(r"0x[a-fA-F0-9]{40}", "must be 0x and 40 hexadecimal digits")(text).lower()


def ledger_asset(text: str) -> str:
    """Return an asset of the ledger: a token address in lower case, of a sandbox's asset with its prefix."""
    address = asset(token_address(text))
    return sandbox_asset(address) if is_of_sandbox(text) else address


def amount(text: str) -> int:
    """Return a positive amount, in base units."""
    return int(pattern(r"[1-9][0-9]{0,37}", "must be base units: 1 to 38 digits, above 0")(text))


def amount_or_zero(text: str) -> int:
    """Return an amount of 0 or more, in base units."""
    return int(pattern(r"0|[1-9][0-9]{0,37}", "must be base units: 1 to 38 digits")(text))


def characters(least: int, most: int) -> Callable[[str], str]:
    """Return an argument type: texts of so many characters."""
    return pattern(rf"[^\ud800-\udfff]{{{least},{most}}}", f"must be {least} to {most} characters")


CUSTOMER = pattern(r"[^\x00-\x1f\x7f\ud800-\udfff]{1,256}", "must be 1 to 256 characters without control characters")
"""Argument type: customerRefs."""
