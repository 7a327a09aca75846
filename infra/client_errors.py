"""Writes the error classes of the client from the desks' descriptions of their errors (T139). ``make client`` runs it.

A class for each code; where a desk answers one code for several errors, the class says of all what they mean.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap
from typing import Any

from chalicelib.apis.kit.description import Description
from infra.openapi.document import DESCRIPTIONS
from infra.settings import ROOT

CLIENT = ROOT / "client/tallybook_client"
PENDING = {"CANCEL_PENDING", "AMENDMENT_PENDING"}
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
    """A desk's errors. base: the class of all of them. description: says what each means."""

    folder: str
    base: str
    description: Description[Any]

    @property
    def file(self) -> Path:
        return CLIENT / self.folder / "errors.py"

    def codes(self) -> Iterator[Documented]:
        """Yield each code once, those of one code together, in the order of the desk's table."""
        by_code: dict[str, list[str]] = {}
        for name, failure in self.description.errors.items():
            code = name if self.folder == "escrow" else str(failure.code)
            by_code.setdefault(code, []).append(name)
        for code, names in by_code.items():
            failures = [self.description.errors[name] for name in names]
            is_named = len(names) > 1 or self.folder == "escrow"
            yield Documented(
                NAMES[code] if is_named else class_name(names[0]),
                code,
                failures[0].status,
                " ".join(dict.fromkeys(failure.says for failure in failures)),
                set(names) <= PENDING,
            )


DESKS = tuple(Desk(one.desk, f"{one.desk.capitalize()}Error", one) for one in DESCRIPTIONS)
NAMES = {
    "40021": "NothingToCancel",
    "40100": "Unauthorized",
    "40400": "NotFound",
    "42900": "TooManyRequests",
    "50003": "Pending",
    "401": "Unauthenticated",
    "403": "Forbidden",
    "404": "NotFound",
    "410": "CursorGone",
    "422": "Invalid",
    "429": "TooManyRequests",
    "500": "ServerError",
}
"""Names of classes for codes that stand for several errors of a desk, and for the escrow desk's, which are statuses."""


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
    says = f"{one.status} {one.code}: {one.means}"
    means = f'    """{says}"""'
    if len(means) > LINE:
        first, *rest = wrap(says, LINE - len('    """'))
        means = "\n".join([f'    """{first}', *(f"    {line}" for line in rest), '    """'])
    return f"\n\nclass {one.name}({base}):\n{means}\n\n    documented_status = {one.status}\n{pending}"


def main() -> int:
    for desk in DESKS:
        desk.file.write_text(source_of(desk), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
