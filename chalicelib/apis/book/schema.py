"""The form of what comes in, as all endpoints have it: bodies, queries, pages, path parameters.

What one endpoint's body or query has of its own stands in ``order_schema``, ``book_schema`` and so on. Content is
checked elsewhere.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Annotated, Any, ClassVar, TypeVar

from chalicelib.apis.book.envelope import Detail, Fault
from chalicelib.apis.kit import forms
from chalicelib.apis.kit.exact_json import UnreadableJson, read_json
from chalicelib.apis.kit.http import BadPercentEncoding, percent_decoded
from chalicelib.apis.kit.neutral import is_neutral
from chalicelib.apis.kit.page_bytes import answer_bytes, fitting
from chalicelib.support.canonical import canonical, digest

REF_CHARACTERS_MAX = 256
ID_CHARACTERS_MAX = 100
INTEGER_CHARACTERS_MAX = 4000
LIMIT_DEFAULT, LIMIT_MAX = 50, 100
READ_ROWS_MIN, READ_ROWS_MAX, READ_ROWS_DEEP = 10, 100, 1000
OFFSET_MAX = 2**31 - 1

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
DIGITS = re.compile(r"[0-9]+")
FROM_ONE = re.compile(r"0*[1-9][0-9]*")
REF = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]{1,256}")

AnyBody = TypeVar("AnyBody", bound="Body")
Row = TypeVar("Row")

AMOUNT_MESSAGE = "must be a string of 1 to 38 digits"
REF_MESSAGE = "must be a string of 1 to 256 characters without control characters"
ID_MESSAGE = "must be a string of 1 to 100 characters"
TOKEN_ADDRESS_MESSAGE = "must be 0x and 40 hexadecimal digits"
NOT_SERVED_MESSAGE = "is not served; leave it out"
FROM_ONE_MESSAGE = "must be an integer from 1"
OFFSET_MESSAGE = f"must be an integer from 0 to {OFFSET_MAX}"

Amount = Annotated[int, forms.text(AMOUNT_MESSAGE, r"0|[1-9][0-9]{0,37}", value=int)]
Ref = Annotated[str, forms.text(REF_MESSAGE, r"[^\x00-\x1f\x7f]*", least=1, most=REF_CHARACTERS_MAX)]
Id = Annotated[str, forms.text(ID_MESSAGE, least=1, most=ID_CHARACTERS_MAX)]
TokenAddress = Annotated[str, forms.text(TOKEN_ADDRESS_MESSAGE, r"0x[a-fA-F0-9]{40}", value=str.lower)]


def one_of(words: Iterable[StrEnum]) -> forms.Kind:
    return forms.one_of("must be one of " + ", ".join(words), {word.value: word for word in words})


def integer(least: int, most: int) -> forms.Kind:
    return forms.integer(f"must be an integer from {least} to {most}", least, most)


def text(least: int, most: int) -> forms.Kind:
    bounds = f"at most {most}" if not least else f"{least} to {most}"
    return forms.text(f"must be a string of {bounds} characters", least=least, most=most)


class Body(forms.Form):
    """A request's body: its members in the order in which faults are listed (T7), unknown ones ignored (T2).

    not_served: members that would change what is executed and are not served: a fault unless they ask for nothing. With
        each the one other value that says what is done anyway, None where there is none (T48).
    """

    not_served: ClassVar[Mapping[str, str | None]] = {}

    @classmethod
    def unserved(cls, members: Mapping[str, Any]) -> list[str]:
        """Return the members that are not served and ask for something."""
        return [name for name, usual in cls.not_served.items() if not is_neutral(members.get(name), usual)]


@dataclass(frozen=True, slots=True)
class Page:
    """Which rows of a list. limit: rows at most. offset: rows left out before them."""

    limit: int
    offset: int

    @property
    def rows_at_a_time(self) -> int:
        """How many rows to read at a time where most of them are shown or skipped: as few calls as there can be."""
        wanted = self.offset + self.limit
        calls = -(-wanted // READ_ROWS_DEEP)
        return max(READ_ROWS_MIN, -(-wanted // calls))

    def of(self, rows: Iterable[Row]) -> Iterator[Row]:
        return islice(rows, self.offset, self.offset + self.limit)


def json_object(body: bytes) -> dict[str, Any]:
    """Return the body's members, whatever its Content-Type says (T11, T57). Raises Fault on ``body``."""
    try:
        value = read_json(body, _number)
    except UnreadableJson as error:
        raise validation_fault([Detail("body", str(error))]) from error
    if not isinstance(value, dict):
        raise validation_fault([Detail("body", "must be a JSON object")])
    return value


def _number(text: str) -> int | float:
    """Return a float for an integer of more digits than Python reads: no field takes either, and others are ignored."""
    is_integer = text.removeprefix("-").isdecimal() and len(text) <= INTEGER_CHARACTERS_MAX
    return int(text) if is_integer else float(text)


def body_hash(members: Mapping[str, Any]) -> str:
    """Return what tells two requests of one idempotency key apart: SHA-256 of the sorted compact body (T12)."""
    return digest(canonical(members))


def checked(form: type[AnyBody], members: Mapping[str, Any]) -> AnyBody:
    """Return the checked body. Raises Fault with every faulty field, once each, in the order of the table (T7).

    What is not served comes last (T48).
    """
    unserved = [Detail(name, NOT_SERVED_MESSAGE) for name in form.unserved(members)]
    try:
        body = form.read(members)
    except forms.Faulty as faulty:
        raise validation_fault([*(Detail(*fault) for fault in faulty.faults.items()), *unserved]) from faulty
    if unserved:
        raise validation_fault(unserved)
    return body


def customer_ref(segment: str) -> str:
    """Return the customerRef in a path segment. Raises Fault INVALID_PARAM."""
    return path_parameter("customerRef", segment, REF_CHARACTERS_MAX)


def path_parameter(name: str, segment: str, characters_max: int = ID_CHARACTERS_MAX) -> str:
    """Return the parameter in a path segment, whatever it may name. Raises Fault INVALID_PARAM."""
    try:
        value = percent_decoded(segment)
    except BadPercentEncoding as error:
        raise Fault("INVALID_PARAM", f"{name} must be percent-encoded UTF-8") from error
    if not 1 <= len(value) <= characters_max or _CONTROL.search(value):
        raise Fault("INVALID_PARAM", f"{name} must be 1 to {characters_max} characters without control characters")
    return value


def page_query(query: Mapping[str, list[str]]) -> Page:
    """Return the checked page of a list that has no filters. Raises Fault."""
    parameters = Parameters(query)
    page = parameters.page()
    parameters.refuse_faulty()
    return page


class Parameters:
    """Query parameters, checked one by one; a parameter given twice, or empty, is a fault (T25)."""

    def __init__(self, query: Mapping[str, list[str]]) -> None:
        self._query = query
        self._faulty: list[Detail] = []

    def single(self, name: str, accepts: re.Pattern[str], message: str, *, is_required: bool = False) -> str | None:
        """Return the parameter, None where it is not there or faulty. message: what it must be."""
        values = self._query.get(name)
        if values is None and not is_required:
            return None
        if values is None or len(values) != 1 or not accepts.fullmatch(values[0]):
            self.refuse(name, message)
            return None
        return values[0]

    def word(self, name: str, words: Iterable[str]) -> str | None:
        """Return the parameter that must be one of these words, None where it is not there or faulty."""
        known = list(words)
        return self.single(name, re.compile("|".join(map(re.escape, known))), "must be one of " + ", ".join(known))

    def page(self, limit_default: int = LIMIT_DEFAULT, limit_max: int = LIMIT_MAX) -> Page:
        limit = self.single("limit", FROM_ONE, FROM_ONE_MESSAGE)
        offset = self.single("offset", DIGITS, OFFSET_MESSAGE)
        offset_rows = bounded(offset or "0", OFFSET_MAX + 1)
        if offset_rows > OFFSET_MAX:
            self.refuse("offset", OFFSET_MESSAGE)
        return Page(limit_default if limit is None else bounded(limit, limit_max), offset_rows)

    def refuse(self, name: str, message: str) -> None:
        self._faulty.append(Detail(name, message))

    def refuse_faulty(self) -> None:
        """Raise Fault with every faulty parameter, in the order of the checks (T7)."""
        if self._faulty:
            raise validation_fault(self._faulty)


def that_fit(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    """Return the rows of a page that an answer can have; who gets fewer than asked for goes on behind them."""
    return fitting(rows, lambda row: answer_bytes(json.dumps(row, ensure_ascii=False)))


def bounded(digits: str, most: int) -> int:
    """Return the number, or ``most`` where it is larger, however many digits there are."""
    significant = digits.lstrip("0") or "0"
    return most if len(significant) > len(str(most)) else min(int(significant), most)


def validation_fault(details: list[Detail]) -> Fault:
    return Fault("VALIDATION_ERROR", "Request failed schema validation", details=details)
