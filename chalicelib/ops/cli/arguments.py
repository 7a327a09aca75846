"""Arguments of commands that several of them take: their types, what they accept, and their help."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Annotated, Any

from cyclopts import Group, Parameter, Token
from cyclopts.validators import LimitedChoice

from chalicelib.domain.ledger.sandbox import is_of_sandbox, sandbox_asset, token_address
from chalicelib.domain.tenancy.rate_limit import RateLimit

Printed = dict[str, Any]
"""What a command returns, and ``--json`` prints."""
MERCHANT_PATTERN = r"[A-Za-z0-9_-]{1,40}"


def read_by(accept: Callable[[str], Any], help: str | None = None, **more: Any) -> Parameter:
    """Return how an argument is read: by this function, which raises ValueError with the message for other texts."""
    return Parameter(converter=lambda _type, tokens: accept(tokens[0].value), help=help, **more)


def each_read_by(
    accept: Callable[[str], Any], help: str | None = None, most: int | None = None, **more: Any
) -> Parameter:
    """Return how a repeatable argument is read. most: how often it may be given; None: as often as one likes."""

    def convert(_type: Any, tokens: Sequence[Token]) -> list[Any]:
        if most is not None and len(tokens) > most:
            raise ValueError(f"may be given {most} times at most")
        return [accept(token.value) for token in tokens]

    return Parameter(converter=convert, help=help, **more)


def exclusive(least: int, panel: str = "Parameters") -> tuple[str, Group]:
    """Return the group of arguments of which one at most is given, and ``least`` at least."""
    return panel, Group("", validator=LimitedChoice(least, 1), show=False)


def pattern(expression: str, meaning: str) -> Callable[[str], str]:
    """Return a function that accepts texts that match completely. meaning: the error message for others."""

    def accept(text: str) -> str:
        if not re.fullmatch(expression, text):
            raise ValueError(meaning)
        return text

    return accept


def characters(least: int, most: int) -> Callable[[str], str]:
    """Return a function that accepts texts of so many characters."""
    return pattern(rf"[^\ud800-\udfff]{{{least},{most}}}", f"must be {least} to {most} characters")


def count(text: str) -> int:
    """Return an integer of up to nine digits."""
    return int(pattern(r"[0-9]{1,9}", "must be a whole number")(text))


def whole(least: int, most: int) -> Callable[[str], int]:
    """Return a function that accepts integers within bounds."""

    def accept(text: str) -> int:
        number = count(text)
        if not least <= number <= most:
            raise ValueError(f"must be {least} to {most}")
        return number

    return accept


def per_1000_s(text: str) -> int:
    """Convert requests a second to requests in 1,000 seconds; 0 means no limit."""
    rate = pattern(r"[0-9]{1,6}(\.[0-9]{1,3})?", "must be a number, with three decimals at most")
    return int(Decimal(rate(text)) * 1000)


def per_second(limit: RateLimit) -> str:
    """Return a limit's refill rate in requests a second; 0 where nothing is limited."""
    return str(Decimal(limit.refill_per_1000_s if limit.bucket else 0) / 1000)


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


def name(text: str) -> str:
    """Return a name of 1 to 100 characters."""
    return pattern(r"[^\x00-\x1f\x7f\ud800-\udfff]{1,100}", "must be 1 to 100 characters without control characters")(
        text
    )


customer_ref = pattern(
    r"[^\x00-\x1f\x7f\ud800-\udfff]{1,256}", "must be 1 to 256 characters without control characters"
)
_MERCHANT = pattern(MERCHANT_PATTERN, "must be 1 to 40 letters, digits, _ or -")

Instance = Annotated[str, read_by(name, "as in inst_demo0001")]
Book = Annotated[str, Parameter(help="INSTANCE/ORDER_BOOK_ID, as in inst_demo0001/ob_offchain_001")]
Customer = Annotated[str, read_by(customer_ref, "as in the ledger: of a wallet, in lower case")]
Merchant = Annotated[str, read_by(_MERCHANT, "a merchant of the escrow desk")]
Asset = Annotated[str, read_by(asset, "token address")]
LedgerAsset = Annotated[str, read_by(ledger_asset, "token address; of a sandbox's asset with its prefix")]
Amount = Annotated[int, read_by(amount, "base units")]
AmountOrZero = Annotated[int, read_by(amount_or_zero, "base units")]
Count = Annotated[int, read_by(count)]
PerSecond = Annotated[int, read_by(per_1000_s, metavar="NUMBER", show_default=False)]
"""Requests in 1,000 seconds, given as requests a second."""
