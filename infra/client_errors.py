"""Writes the error classes of the client from the desks' tables of errors (T139). ``make client`` runs it.

A class for each documented code; where a desk answers one code with several messages, the class has them all.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from textwrap import wrap

from chalicelib.apis.book.envelope import STATUS_OF_CODE
from chalicelib.apis.escrow.envelope import MESSAGES
from chalicelib.apis.taker import envelope as taker
from chalicelib.apis.trade import envelope as trade
from infra.settings import ROOT

CLIENT = ROOT / "client/tallybook_client"
PENDING = "CANCEL_PENDING"
LINE = 120


@dataclass(frozen=True, slots=True)
class Documented:
    """One code of a desk. name: of its class. means: what its docstring says. is_pending: see ``ApiError``."""

    name: str
    code: str
    status: int
    means: str
    is_pending: bool = False


@dataclass(frozen=True, slots=True)
class Desk:
    """A desk's errors. base: the class of all of them."""

    folder: str
    base: str
    codes: Callable[[], Iterable[Documented]]

    @property
    def file(self) -> Path:
        return CLIENT / self.folder / "errors.py"


def of_book() -> Iterator[Documented]:
    for code, status in STATUS_OF_CODE.items():
        yield Documented(class_name(code), code, status, f"{status} {code}", code == PENDING)


SHARED = {40021: "NothingToCancel", 40100: "Unauthorized", 40400: "NotFound", 42900: "TooManyRequests"}
"""Names for the codes of the trade desk that it answers with several messages."""


def of_trade() -> Iterator[Documented]:
    for code, group in groupby(sorted(trade.Error, key=_code), _code):
        errors = list(group)
        name = SHARED.get(code) or class_name(errors[0].name)
        means = " ".join(f"{one.message.rstrip('.').replace('{field}', '<field>')}." for one in errors)
        yield Documented(name, str(code), errors[0].status, f"{code}: {means}", errors[0].name == PENDING)


def _code(error: trade.Error) -> int:
    return error.error_code


def of_taker() -> Iterator[Documented]:
    for error in taker.Error:
        yield Documented(class_name(error.name), str(error.code), error.status, f"{error.code}: {error.message}.")


NAMES_OF_STATUS = {
    401: "Unauthenticated",
    403: "Forbidden",
    404: "NotFound",
    410: "CursorGone",
    422: "Invalid",
    429: "TooManyRequests",
    500: "ServerError",
}
"""The escrow desk has no codes but the statuses."""


def of_escrow() -> Iterator[Documented]:
    for status, message in MESSAGES.items():
        yield Documented(NAMES_OF_STATUS[status], str(status), status, f"{status}: {message.rstrip('.')}.")


DESKS = (
    Desk("book", "BookError", of_book),
    Desk("trade", "TradeError", of_trade),
    Desk("taker", "TakerError", of_taker),
    Desk("escrow", "EscrowError", of_escrow),
)


def class_name(code: str) -> str:
    """Return a code's name in camel case.

    >>> class_name("ORDER_NOT_FOUND")
    'OrderNotFound'
    """
    return "".join(word.capitalize() for word in re.split(r"[^A-Za-z0-9]+", code))


def source_of(desk: Desk) -> str:
    """Return the module of a desk's errors."""
    codes = list(desk.codes())
    head = f'''"""Errors of the {desk.folder} desk, a class for each documented code: ``make client`` writes them."""

from __future__ import annotations

from typing import ClassVar

from tallybook_client.errors import ApiError


class {desk.base}(ApiError):
    """The {desk.folder} desk answered with an error. documented_status: of its code, 0 without one."""

    documented_status: ClassVar[int] = 0
'''
    classes = "".join(_class_of(one, desk.base) for one in codes)
    table = "".join(f'    "{one.code}": {one.name},\n' for one in codes)
    return f"{head}{classes}\n\nBY_CODE: dict[str, type[{desk.base}]] = {{\n{table}}}\n"


def _class_of(one: Documented, base: str) -> str:
    pending = "    is_pending = True\n" if one.is_pending else ""
    means = f'    """{one.means}"""'
    if len(means) > LINE:
        first, *rest = wrap(one.means, LINE - len('    """'))
        means = "\n".join([f'    """{first}', *(f"    {line}" for line in rest), '    """'])
    return f"\n\nclass {one.name}({base}):\n{means}\n\n    documented_status = {one.status}\n{pending}"


def main() -> int:
    for desk in DESKS:
        desk.file.write_text(source_of(desk), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
