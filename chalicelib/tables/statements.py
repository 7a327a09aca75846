"""Statements: conditional writes in PartiQL, of which a call carries 25.

A statement is translated from a write's own expression and condition, so each condition stands in one place. A
statement may be stricter than its write, never laxer: where it is done, the write's condition held. What it refuses is
written singly, under the write's own condition. A write without such a statement has None.

A statement's condition is a conjunction of tests (``_Test``). How statements differ from other writes:

- ``UPDATE`` creates no row, and ``"a" + ?`` needs the attribute. ``INSERT`` does nothing but create.
- ``DELETE`` does nothing, and refuses nothing, where there is no row.
- A comparison with a missing attribute is false. So ``NOT "a" >= ?`` means: missing or below. (Attributes that are
  compared so are numbers in every row.)
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from functools import lru_cache, wraps
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

CHARACTERS_MAX = 8192
KEPT_MAX = 4096
"""Translations kept of each kind. A book has a few of its own, because its mark has its name."""

_COMPARISON = "<>|<=|>=|<|>|="
_TOKEN = re.compile(rf"([()]|(?:AND|OR)\b|attribute(?:_not)?_exists\(#\w+\)|#\w+ (?:{_COMPARISON}) :\w+)\s*", re.ASCII)
_TEST = re.compile(rf"attribute(_not)?_exists\(#(\w+)\)|#(\w+) ({_COMPARISON}) (:\w+)", re.ASCII)
_CLAUSE = re.compile(r"\b(SET|ADD|REMOVE) ")
_SET = re.compile(r"#(\w+) = (?:#(\w+) ([+-]) )?(:\w+)", re.ASCII)
_ADD = re.compile(r"#(\w+) (:\w+)", re.ASCII)
_REMOVE = re.compile(r"#(\w+)", re.ASCII)
_REVERSED = {"<": ">=", "<=": ">"}
_EXISTS, _MISSING = "IS NOT MISSING", "IS MISSING"


@dataclass(frozen=True, slots=True)
class Statement:
    """parameters: what each ``?`` stands for, in order: a ``:value`` of the write, or its row's or key's attribute."""

    text: str
    parameters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Test:
    """A test of one attribute. value: what a comparison compares with; None: whether there is one is tested."""

    name: str
    operator: str
    value: str | None = None
    is_negated: bool = False


class _NoStatement(Exception):
    """No statement is at least as strict."""


def _translation(translate: Callable[..., Statement]) -> Callable[..., Statement | None]:
    @lru_cache(KEPT_MAX)
    @wraps(translate)
    def translated(*arguments: Any) -> Statement | None:
        try:
            statement = translate(*arguments)
        except _NoStatement:
            return None
        return statement if len(statement.text) <= CHARACTERS_MAX else None

    return translated


@_translation
def insertion(table: str, row: tuple[str, ...], condition: str | None) -> Statement:
    """Return the statement that puts a row with these attributes where there is none.

    None if the condition may hold for a row that exists, unless it only names what must be missing.
    """
    if condition is None or any(test.operator != _MISSING for test in _tests(condition)):
        raise _NoStatement
    members = ", ".join(f"""{_quoted(name, "'")}: ?""" for name in row)
    return Statement(f"INSERT INTO {_quoted(table)} VALUE {{{members}}}", row)


@_translation
def update(
    table: str, key: tuple[str, ...], expression: str, condition: str | None, names: tuple[tuple[str, str], ...]
) -> Statement:
    """Return the statement that changes a row that exists. key: names of its key attributes.

    names: what a #name stands for, if not the name itself.
    """
    named = dict(names)
    clauses, parameters = _changes(expression, named)
    where = [f"{_quoted(name)} = ?" for name in key]
    parameters += key
    for test in _tests(condition) if condition else []:
        name = named.get(f"#{test.name}", test.name)
        if name in key and test.operator == _EXISTS:
            continue
        where.append(f"{'NOT ' * test.is_negated}{_quoted(name)} {test.operator}{'' if test.value is None else ' ?'}")
        parameters += () if test.value is None else (test.value,)
    return Statement(f"UPDATE {_quoted(table)} {' '.join(clauses)} WHERE {' AND '.join(where)}", parameters)


@_translation
def deletion(table: str, key: tuple[str, ...], condition: str | None) -> Statement:
    """Return the statement that removes a row. None if there is a condition: where there is no row, it may be false."""
    if condition is not None:
        raise _NoStatement
    return Statement(f"DELETE FROM {_quoted(table)} WHERE {' AND '.join(f'{_quoted(name)} = ?' for name in key)}", key)


def _quoted(name: str, mark: str = '"') -> str:
    if mark in name:
        raise _NoStatement
    return f"{mark}{name}{mark}"


def _changes(expression: str, names: dict[str, str]) -> tuple[list[str], tuple[str, ...]]:
    """Return the clauses of an update expression, and what their parameters stand for."""
    clauses: list[str] = []
    parameters: tuple[str, ...] = ()
    before, *parts = _CLAUSE.split(expression)
    if before:
        raise _NoStatement
    for keyword, changes in zip(parts[::2], parts[1::2], strict=True):
        for change in changes.strip().split(", "):
            match = {"SET": _SET, "ADD": _ADD, "REMOVE": _REMOVE}[keyword].fullmatch(change)
            if match is None:
                raise _NoStatement
            target, *rest = match.groups()
            attribute = _quoted(names.get(f"#{target}", target))
            if keyword == "REMOVE":
                clauses.append(f"REMOVE {attribute}")
                continue
            parameters += (rest[-1],)
            if keyword == "ADD":
                clauses.append(f"SET {attribute} = {attribute} + ?")
            elif rest[0] is None:
                clauses.append(f"SET {attribute} = ?")
            else:
                clauses.append(f"SET {attribute} = {_quoted(names.get(f'#{rest[0]}', rest[0]))} {rest[1]} ?")
    return clauses, parameters


def _tests(condition: str) -> list[_Test]:
    """Return tests that together are at least as strict as the condition. Raises _NoStatement."""
    tokens = deque[str]()
    position = 0
    while position < len(condition):
        match = _TOKEN.match(condition, position)
        if match is None:
            raise _NoStatement
        tokens.append(match[1])
        position = match.end()
    tests = _alternatives(tokens)
    if tokens:
        raise _NoStatement
    return tests


def _alternatives(tokens: deque[str]) -> list[_Test]:
    """Read conditions between ORs.

    Of two, one must be a comparison and the other ask, among other things, that the attribute is missing: of
    ``a < x OR (a is missing AND more)`` it takes ``not a >= x AND more``.
    """
    found = [_conjunction(tokens)]
    while tokens and tokens[0] == "OR":
        tokens.popleft()
        found.append(_conjunction(tokens))
    if len(found) == 1:
        return found[0]
    for (compared, *more), others in (found, found[::-1]) if len(found) == 2 else ():
        missing = _Test(compared.name, _MISSING)
        if not more and compared.operator in _REVERSED and not compared.is_negated and missing in others:
            either = _Test(compared.name, _REVERSED[compared.operator], compared.value, is_negated=True)
            return [either, *(test for test in others if test != missing)]
    raise _NoStatement


def _conjunction(tokens: deque[str]) -> list[_Test]:
    tests: list[_Test] = []
    while True:
        token = tokens.popleft() if tokens else ""
        if token == "(":
            tests += _alternatives(tokens)
            if not tokens or tokens.popleft() != ")":
                raise _NoStatement
        elif match := _TEST.fullmatch(token):
            denied, tested, compared, operator, value = match.groups()
            tests.append(
                _Test(compared, operator, value) if compared else _Test(tested, _MISSING if denied else _EXISTS)
            )
        else:
            raise _NoStatement
        if not tokens or tokens[0] != "AND":
            return tests
        tokens.popleft()
