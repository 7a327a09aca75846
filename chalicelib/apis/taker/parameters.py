"""Query parameters of lists: read one by one, all bad ones reported at once.

An empty parameter counts as absent; of one given twice the last counts; unknown ones are ignored.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from enum import Enum
from typing import TypeVar
from uuid import UUID

from chalicelib.apis.kit.times import QUERY_TIME, SECONDS, moment_of
from chalicelib.apis.taker.envelope import invalid
from chalicelib.apis.taker.schema import HASH
from chalicelib.domain.signed.lifecycle import Status
from chalicelib.domain.signed.order import EXCHANGE_MAX, TIME_S_MAX
from chalicelib.domain.signed.paging import PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX, Bounds, Paging
from chalicelib.services.signed.listing import OrderFilter

DIRECTIONS = {"asc": True, "desc": False}
"""Whether rows ascend."""
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_ORDER_ID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_INTEGER, _SIGNED = re.compile(r"[0-9]{1,4000}"), re.compile(r"-?[0-9]{1,4000}")
"""Python reads no more digits than a few more."""
_AMOUNT = re.compile(r"0|[1-9][0-9]{0,77}")

Value = TypeVar("Value")
Choice = TypeVar("Choice", bound=Enum)
Reader = Callable[[str], Value]
"""Returns what a parameter's text stands for. Raises ValueError, whose text says what it must be."""


class Parameters:
    """The parameters of one request, read one by one; ``refuse_bad`` is called when all have been."""

    def __init__(self, query: Mapping[str, list[str]]) -> None:
        self._query = query
        self._bad: dict[str, str] = {}

    def read(self, name: str, reader: Reader[Value]) -> Value | None:
        """Return the parameter; None where it is not there, or bad."""
        text = self._query.get(name, [""])[-1]
        if not text:
            return None
        try:
            return reader(text)
        except ValueError as error:
            self._bad[name] = str(error)
            return None

    def between(self, reader: Reader[int], least: str, most: str, most_reader: Reader[int] | None = None) -> Bounds:
        """Return the bounds that two parameters set. most_reader: where the upper one is read in its own way."""
        return Bounds(self.read(least, reader), self.read(most, most_reader or reader))

    def amounts(self, name: str) -> Bounds:
        return self.between(_amount, f"{name}_min", f"{name}_max")

    def times(self, name: str) -> Bounds:
        return self.between(_time, f"{name}_after", f"{name}_before")

    def statuses(self, known: frozenset[Status] = frozenset(Status)) -> frozenset[Status]:
        return self.read("status", _statuses(known)) or frozenset()

    def sorted_by(self, default: Choice) -> Choice:
        return self.read("sort_by", _word({each.value: each for each in type(default)})) or default

    def required(self, name: str, reader: Reader[Value], otherwise: Value) -> Value:
        """Return the parameter; ``otherwise`` where it is bad, which is reported, as is its absence."""
        found = self.read(name, reader)
        if found is None:
            self._bad.setdefault(name, "is required")
        return otherwise if found is None else found

    def paging(self) -> Paging:
        is_ascending = self.read("sort_order", _word(DIRECTIONS)) or False
        return replace(self.page(), is_ascending=is_ascending)

    def page(self) -> Paging:
        number, size = self.read("page", from_one), self.read("page_size", from_one)
        return Paging(number or 1, min(size or PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX))

    def order_filter(self) -> OrderFilter:
        ticker = self.read("ticker", str.upper)
        return OrderFilter(ticker, self.read("exchange", exchange), self.read("is_buy", boolean))

    def refuse_bad(self) -> None:
        """Raise Fault with every bad parameter and what is wrong with it."""
        if self._bad:
            raise invalid(self._bad)


def hash_of(text: str) -> str:
    """Return a hash in lower case. Raises ValueError."""
    return _matching(HASH, text, "must be 0x and 64 hexadecimal digits").lower()


def address(text: str) -> str:
    return _matching(_ADDRESS, text, "must be 0x and 40 hexadecimal digits")


def order_id(text: str) -> str:
    return str(UUID(_matching(_ORDER_ID, text, "must be a UUID")))


def _amount(text: str) -> int:
    return int(_matching(_AMOUNT, text, "must be a decimal text of base units"))


def boolean(text: str) -> bool:
    return _one_of(_BOOLEANS, text.lower(), "must be true, false, 1 or 0")


def from_one(text: str) -> int:
    number = int(_matching(_SIGNED, text, "must be an integer"))
    if number < 1:
        raise ValueError("must be at least 1")
    return number


def integer(least: int, most: int) -> Reader[int]:
    def read(text: str) -> int:
        if not _INTEGER.fullmatch(text) or not least <= int(text) <= most:
            raise ValueError(f"must be an integer from {least} to {most}")
        return int(text)

    return read


exchange = integer(0, EXCHANGE_MAX)
_time = integer(0, TIME_S_MAX)


def _word(words: Mapping[str, Value]) -> Reader[Value]:
    return lambda text: _one_of(words, text, f"must be one of {', '.join(words)}")


def _statuses(known: frozenset[Status]) -> Reader[frozenset[Status]]:
    words = {status.value: status for status in Status if status in known}

    def read(text: str) -> frozenset[Status]:
        items = filter(None, (item.strip() for item in text.split(",")))
        return frozenset(_one_of(words, item, f"must be a comma list of {', '.join(words)}") for item in items)

    return read


def first_second(text: str) -> int:
    return _second(text, is_end=False)


def last_second(text: str) -> int:
    return _second(text, is_end=True)


def _second(text: str, *, is_end: bool) -> int:
    """Return the first whole second at or after a time, or the last one at or before it; a date is all of its day.

    text: Unix seconds, or ISO 8601: a date, or a time; without a zone it is UTC, a zone's plus may have become a blank.
    """
    if _INTEGER.fullmatch(text):
        return _time(text)
    meaning = f"must be an integer from 0 to {TIME_S_MAX}, or a time such as 2025-01-17T03:00:24Z"
    try:
        moment = moment_of(text, QUERY_TIME)
    except ValueError as error:
        raise ValueError(meaning) from error
    at_s = moment.last(SECONDS) if is_end else moment.first(SECONDS)
    if not 0 <= at_s <= TIME_S_MAX:
        raise ValueError(meaning)
    return at_s


def _matching(pattern: re.Pattern[str], text: str, meaning: str) -> str:
    if not pattern.fullmatch(text):
        raise ValueError(meaning)
    return text


def _one_of(words: Mapping[str, Value], word: str, meaning: str) -> Value:
    if word not in words:
        raise ValueError(meaning)
    return words[word]
