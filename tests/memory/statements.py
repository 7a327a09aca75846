"""PartiQL statements of BatchExecuteStatement: one UPDATE, INSERT or DELETE of one row each, parsed once and compiled.

Grammar and semantics are the developer guide's ("PartiQL - a SQL-compatible query language for Amazon DynamoDB"). A
name is in double quotes (in the row of an INSERT in single ones), every value is a parameter ``?``. Literals, paths,
functions in SET, RETURNING and SELECT raise NotImplementedError, so that no untested feature is answered.

A missing row: an UPDATE fails its condition, whatever that is; a DELETE is done, whatever its condition is. A WHERE
clause names the row by an equality for each key attribute, outside parentheses, joined to the rest by AND.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from botocore.exceptions import ParamValidationError

from tests.memory.errors import CONDITION_FAILED, ConditionFailed, Refused
from tests.memory.expressions import Plan
from tests.memory.parser import Operand, Parser, Predicate, Test
from tests.memory.tables import Key, Row, Table
from tests.memory.values import Invalid, canonical, canonical_item, size_of_item
from tests.memory.writes import ITEM_BYTES_MAX, TOO_LARGE, Write

STATEMENTS_MAX = 25
STATEMENT_CHARACTERS_MAX = 8192
_KEPT_MAX = 4096
_TOKEN = re.compile(r"""\s*("(?:[^"]|"")+"|'(?:[^']|'')*'|[A-Za-z_]\w*|<=|>=|<>|[?=<>(),+{}:*-]|\d+|$)""", re.ASCII)
Response = dict[str, Any]
_NOT_OURS = {"RETURNING", "SELECT", "EXISTS", "BETWEEN", "IN"}
NO_KEY = "Where clause does not contain a mandatory equality on all key attributes"


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement, without its parameters. ``equal``: the attributes that WHERE compares with a parameter, which may
    be keys; for an INSERT all attributes. Parameters are named :0, :1, ... in order.
    """

    kind: str
    table: str
    plan: Plan
    equal: tuple[tuple[str, str], ...]
    parameters: int

    def write(self, table: Table, parameters: Sequence[Any], *, tells_old: bool) -> Write:
        """Return the write with these parameters. Raises Invalid."""
        if len(parameters) != self.parameters:
            raise Invalid("Number of parameters in request and statement don't match.")
        values = {f":{number}": canonical(value) for number, value in enumerate(parameters)}
        for check in self.plan.checks:
            check(values)
        named = {attribute: values[parameter] for attribute, parameter in self.equal}
        if self.kind == "INSERT":
            size = size_of_item(named)
            if size > ITEM_BYTES_MAX:
                raise Invalid(TOO_LARGE)
            return Write(table, table.schema.key_in(named), self.plan, values, Row(named, size), None, False, False)
        if not named.keys() >= set(table.schema.names):
            raise Invalid(NO_KEY)
        table.schema.refuse_change(self.plan.targets)
        row_key = {name: named[name] for name in table.schema.names}
        key: Key = table.schema.key_alone(row_key)
        created_from = canonical_item(row_key) if self.kind == "UPDATE" else None
        return Write(table, key, self.plan, values, None, created_from, False, tells_old)


def statements_of(requests: Sequence[Mapping[str, Any]], table_of: Callable[[str], Table]) -> list[Write | Response]:
    """Return the write of each statement, or the response to one that reaches no row.

    Raises ParamValidationError or Invalid where the batch is refused as a whole.
    """
    if not requests or any(one.get("Parameters") == [] for one in requests):
        raise ParamValidationError(report="Invalid length for parameter Statements or Parameters, valid min length: 1")
    texts = [one["Statement"] for one in requests]
    for length, length_max in ((len(texts), STATEMENTS_MAX), (max(map(len, texts)), STATEMENT_CHARACTERS_MAX)):
        if length > length_max:
            raise Invalid(
                "1 validation error detected: Value at 'statements' failed to satisfy constraint: "
                f"Member must have length less than or equal to {length_max}"
            )
    if 0 < sum(text.lstrip().upper().startswith("SELECT") for text in texts) < len(texts):
        raise Invalid("A batch must consist of either read statements or write statements")
    return [_write_of(table_of, **one) for one in requests]


def _write_of(
    table_of: Callable[[str], Table],
    *,
    Statement: str,
    Parameters: Sequence[Any] = (),
    ReturnValuesOnConditionCheckFailure: str = "NONE",
) -> Write | Response:
    try:
        statement = statement_of(Statement)
        tells_old = ReturnValuesOnConditionCheckFailure == "ALL_OLD"
        return statement.write(table_of(statement.table), Parameters, tells_old=tells_old)
    except Invalid as error:
        return {"Error": {"Code": "ValidationError", "Message": str(error)}}
    except Refused as error:
        return {"Error": {"Code": error.code.removesuffix("Exception"), "Message": str(error)}}


def response_to(write: Write, commit: Callable[[Table, Key, Row | None], None]) -> Response:
    """Do one statement's write, or refuse it. Return its response."""
    answer: Response = {"TableName": write.table.name}
    try:
        commit(write.table, write.key, write.outcome(write.table.rows.get(write.key)))
    except ConditionFailed as error:
        if write.put is not None:
            return answer | {"Error": {"Code": "DuplicateItem", "Message": "Duplicate primary key exists in table"}}
        return answer | {"Error": {"Code": "ConditionalCheckFailed", "Message": CONDITION_FAILED, **error.more}}
    except Invalid as error:
        return {"Error": {"Code": "ValidationError", "Message": str(error)}}
    return answer


@lru_cache(maxsize=_KEPT_MAX)
def statement_of(text: str) -> Statement:
    """Return a statement, parsed. Raises Invalid."""
    parser = _StatementParser("Statement", text, {})
    return parser.statement()


@dataclass(slots=True)
class _StatementParser(Parser):
    """Parser of one statement. An attribute becomes the token #name, a parameter :0, :1, ... in order."""

    _equal: dict[str, str] = field(default_factory=dict)
    _parameters: int = 0

    def __post_init__(self) -> None:
        found, at = [], 0
        while at < len(self.expression):
            match = _TOKEN.match(self.expression, at)
            if match is None:
                raise self._malformed(self.expression[at:].split()[0])
            found.append(self._token(match[1]))
            at = match.end()
        self._left = [*found, ""][::-1]

    def statement(self) -> Statement:
        kind = self._next().upper()
        if kind == "UPDATE":
            self._left.pop()
            table = self._path()
            sets, removes = self._clauses(("SET", "REMOVE"), once=False)
            if not sets and not removes:
                raise self._syntax_error()
        elif kind in ("INSERT", "DELETE"):
            self._left.pop()
            self._expect("INTO" if kind == "INSERT" else "FROM")
            table, sets, removes = self._path(), {}, []
        else:
            raise self._syntax_error()
        holds = self._inserted() if kind == "INSERT" else self._where()
        self._end()
        if kind == "DELETE":
            condition = holds
            holds = lambda item, values: not item or condition(item, values)  # noqa: E731
        plan = Plan(
            holds, tuple(sets.items()), tuple(removes), frozenset([*sets, *removes]), frozenset(), tuple(self.checks)
        )
        return Statement(kind, table, plan, tuple(self._equal.items()), self._parameters)

    def _inserted(self) -> Test:
        """Take the new row; return the condition that there is none."""
        self._expect("VALUE")
        self._expect("{")
        while True:
            name = self._next()
            if not name.startswith("'"):
                raise self._syntax_error()
            self._left.pop()
            self._expect(":")
            value = self._operand()
            if not value.startswith(":") or name[1:-1] in self._equal:
                raise NotImplementedError(f"{name} in {self.expression!r}: an attribute is a parameter, and named once")
            self._equal[name[1:-1]] = value
            if not self._take(","):
                break
        self._expect("}")
        return lambda item, _: not item

    def _where(self) -> Test:
        self._expect("WHERE")
        tests: list[Test] = []
        while not tests or self._take("AND"):
            first, comparator, second = self._left[-1], *self._left[-2:-4:-1]
            if first.startswith("#") and comparator == "=" and second.startswith(":") and len(second) > 1:
                self._equal[first[1:]] = second
            tests.append(self._negated())
        if self._next().upper() == "OR":
            raise Invalid(NO_KEY)
        return lambda item, values: all(test(item, values) for test in tests)

    def _predicate(self) -> Predicate:
        if self._next().startswith("#") and self._left[-2].upper() == "IS":
            attribute = self._operand()
            self._expect("IS")
            name = "attribute_exists" if self._take("NOT") else "attribute_not_exists"
            self._expect("MISSING")
            return Predicate(name, (attribute,))
        return Parser._predicate(self)

    def _term(self) -> tuple[Operand, str | None]:
        if not self._next().startswith(("#", ":")):
            raise self._syntax_error()
        return Parser._term(self)

    def _path(self) -> str:
        token = self._next()
        if not token.startswith("#"):
            raise self._syntax_error()
        self._left.pop()
        return token[1:]

    def _closes_twice(self) -> bool:
        return False  # PartiQL allows redundant parentheses

    def _token(self, text: str) -> str:
        if text == "?":
            self._parameters += 1
            return f":{self._parameters - 1}"
        return "#" + text[1:-1].replace('""', '"') if text.startswith('"') else text

    def _syntax_error(self) -> Exception:
        token = self._next()
        if token.upper() in _NOT_OURS or token.isdigit() or (token.startswith("'") and token.endswith("'")):
            return NotImplementedError(f"{token!r} in {self.expression!r}: no statement of ours uses it")
        if token.isidentifier() and token.upper() not in _KEYWORDS:
            return NotImplementedError(f"{token!r} in {self.expression!r}: names are in double quotes here")
        return self._malformed(token or "<EOF>")

    def _malformed(self, token: str) -> Invalid:
        return Invalid(f"Statement wasn't well formed, can't be processed: Unexpected term: {token}")


_KEYWORDS = {
    "UPDATE", "INSERT", "DELETE", "INTO", "FROM", "VALUE", "SET", "REMOVE", "WHERE", "AND", "OR", "NOT", "IS",
    "MISSING",
}  # fmt: skip
