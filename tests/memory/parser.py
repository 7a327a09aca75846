"""Recursive-descent parser of DynamoDB's expressions, which compiles to closures.

Precedence, as in the developer guide: comparisons and functions, parentheses, NOT, AND, OR. A test receives the item
(empty if there is no row) and the request's values; an operand returns None for a missing attribute.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.memory.values import Invalid, Item, Typed, number, total

Operand = Callable[[Item, Item], Typed | None]
Test = Callable[[Item, Item], bool]

EXPRESSION_BYTES_MAX = 4096
_TOKEN = re.compile(r"\s*(#\w+|:\w+|[A-Za-z_]\w*|<=|>=|<>|[=<>(),+.\[\]-]|\d+|$)", re.ASCII)
_COMPARATORS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_ORDERED_TYPES = {"S", "N", "B"}
_TYPES = {"S", "N", "B", "SS", "NS", "BS", "BOOL", "NULL", "L", "M"}
_NOT_OURS = {"size", "contains", "IN", "list_append", "DELETE"}
MISSING = "The provided expression refers to an attribute that does not exist in the item"
_WRONG_TYPE = "An operand in the update expression has an incorrect data type"


@dataclass(frozen=True, slots=True)
class Predicate:
    """A comparison or function (``=``, ``BETWEEN``, ``begins_with``, ...) with its attributes and :values."""

    operator: str
    operands: tuple[str, ...]


def _tokens(kind: str, expression: str) -> list[str]:
    if not expression.strip():
        raise Invalid(f"Invalid {kind}: The expression can not be empty;")
    if len(expression.encode()) > EXPRESSION_BYTES_MAX:
        raise Invalid(f"Invalid {kind}: Expression size has exceeded the maximum allowed size;")
    found, at = [], 0
    while at < len(expression):
        match = _TOKEN.match(expression, at)
        if match is None:
            raise Invalid(f'Invalid {kind}: Syntax error; token: "{expression[at:].split()[0]}"')
        found.append(match[1])
        at = match.end()
    return [*found, ""]


@dataclass(slots=True)
class Parser:
    """Parser of one expression. Collects the names and values used, and the checks on values."""

    kind: str
    expression: str
    names: dict[str, str]
    names_used: set[str] = field(default_factory=set)
    values_used: set[str] = field(default_factory=set)
    checks: list[Callable[[Item], None]] = field(default_factory=list)
    _left: list[str] = field(init=False)

    def __post_init__(self) -> None:
        self._left = _tokens(self.kind, self.expression)[::-1]

    def condition(self) -> Test:
        test = self._either()
        self._end()
        return test

    def key_condition(self) -> tuple[Predicate, ...]:
        predicates = [self._key_predicate()]
        while self._take("AND"):
            predicates.append(self._key_predicate())
        self._end()
        return tuple(predicates)

    def projection(self) -> tuple[str, ...]:
        attributes = [self._path()]
        while self._take(","):
            attributes.append(self._path())
        self._end()
        if len(set(attributes)) < len(attributes):
            raise self._invalid("Two document paths overlap with each other")
        return tuple(attributes)

    def update(self) -> tuple[dict[str, Operand], tuple[str, ...]]:
        """Return the attributes set, with their operands, and those removed."""
        found = self._clauses(("SET", "ADD", "REMOVE"))
        self._end()
        return found

    def _clauses(self, allowed: tuple[str, ...], *, once: bool = True) -> tuple[dict[str, Operand], tuple[str, ...]]:
        """Take clauses of these kinds, each kind once or as often as wanted."""
        clauses = {"SET": self._set, "ADD": self._add, "REMOVE": self._remove}
        left = {name: clauses[name] for name in allowed}
        sets: dict[str, Operand] = {}
        removes: list[str] = []
        while (clause := left.get(kind := self._next().upper())) is not None:
            if once:
                del left[kind]
            self._left.pop()
            while True:
                name, new = clause()
                if name in sets or name in removes:
                    raise self._invalid(f"Two document paths overlap with each other; path: [{name}]")
                if new is None:
                    removes.append(name)
                else:
                    sets[name] = new
                if not self._take(","):
                    break
        return sets, tuple(removes)

    # Tokens

    def _next(self) -> str:
        return self._left[-1]

    def _take(self, token: str) -> bool:
        if self._next().upper() == token:
            self._left.pop()
            return True
        return False

    def _expect(self, token: str) -> None:
        if not self._take(token):
            raise self._syntax_error()

    def _end(self) -> None:
        if self._next():
            raise self._syntax_error()

    def _invalid(self, reason: str) -> Invalid:
        return Invalid(f"Invalid {self.kind}: {reason}")

    def _syntax_error(self) -> Exception:
        token = self._next()
        if token in _NOT_OURS or token.upper() in _NOT_OURS or token in (".", "["):
            return NotImplementedError(f"{token!r} in {self.expression!r}: no expression of ours uses it")
        return self._invalid(f'Syntax error; token: "{token or "<EOF>"}"')

    def _path(self) -> str:
        """Take a #name; return the attribute that it stands for."""
        token = self._next()
        if not token.startswith("#"):
            if token.isidentifier() and token not in _NOT_OURS:
                raise NotImplementedError(f"{token!r} in {self.expression!r}: attributes are written #name here")
            raise self._syntax_error()
        self._left.pop()
        self.names_used.add(token)
        if token not in self.names:
            raise self._invalid(
                f"An expression attribute name used in the document path is not defined; attribute name: {token}"
            )
        return self.names[token]

    def _operand(self) -> str:
        """Take a #name or a :value; return the attribute as #attribute, the value as it is."""
        token = self._next()
        if token.startswith(":"):
            self._left.pop()
            self.values_used.add(token)
            return token
        return f"#{self._path()}"

    # Conditions

    def _either(self) -> Test:
        tests = [self._all()]
        while self._take("OR"):
            tests.append(self._all())
        return tests[0] if len(tests) == 1 else lambda item, values: any(test(item, values) for test in tests)

    def _all(self) -> Test:
        tests = [self._negated()]
        while self._take("AND"):
            tests.append(self._negated())
        return tests[0] if len(tests) == 1 else lambda item, values: all(test(item, values) for test in tests)

    def _negated(self) -> Test:
        if self._take("NOT"):
            test = self._negated()
            return lambda item, values: not test(item, values)
        if self._take("("):
            if self._next() == "(" and self._closes_twice():
                raise self._invalid("The expression has redundant parentheses;")
            test = self._either()
            self._expect(")")
            return test
        return self._test_of(self._predicate())

    def _closes_twice(self) -> bool:
        """Whether the parenthesis that comes next is closed right before the one that was taken."""
        depth = 0
        for at in range(len(self._left) - 1, 0, -1):
            depth += {"(": 1, ")": -1}.get(self._left[at], 0)
            if depth == 0:
                return self._left[at - 1] == ")"
        return False

    def _predicate(self) -> Predicate:
        token = self._next()
        if token in _FUNCTIONS:
            self._left.pop()
            self._expect("(")
            operands = [self._operand()]
            while self._take(","):
                operands.append(self._operand())
            self._expect(")")
            if len(operands) != _FUNCTIONS[token]:
                raise self._invalid(f"Incorrect number of operands for operator or function: {token}")
            return Predicate(token, tuple(operands))
        first = self._operand()
        if self._take("BETWEEN"):
            low = self._operand()
            self._expect("AND")
            return Predicate("BETWEEN", (first, low, self._operand()))
        token = self._next()
        if token not in _COMPARATORS and token not in ("=", "<>"):
            raise self._syntax_error()
        self._left.pop()
        second = self._operand()
        if first == second:
            raise self._invalid(f"The first operand must be distinct from the remaining operands; operator: {token}")
        return Predicate(token, (first, second))

    def _key_predicate(self) -> Predicate:
        if self._take("("):
            predicate = self._key_predicate()
            self._expect(")")
        else:
            if self._next().upper() == "NOT":
                raise self._invalid("Query key condition not supported")
            predicate = self._predicate()
        if self._next().upper() == "OR":
            raise self._invalid("Query key condition not supported")
        return predicate

    def _test_of(self, predicate: Predicate) -> Test:
        name, operands = predicate.operator, predicate.operands
        first, *others = (_reader(operand) for operand in operands)
        if name in ("attribute_exists", "attribute_not_exists"):
            if operands[0].startswith(":"):
                raise self._invalid(f"Operator or function requires a document path; operator or function: {name}")
            attribute, exists = operands[0][1:], name == "attribute_exists"
            return lambda item, _: (attribute in item) is exists
        if name == "attribute_type":
            return self._type_test(first, operands[1])
        if name == "=":
            return lambda item, values: (one := first(item, values)) is not None and one == others[0](item, values)
        if name == "<>":
            return lambda item, values: (one := first(item, values)) is None or one != others[0](item, values)
        allowed = {"S", "B"} if name == "begins_with" else _ORDERED_TYPES
        for operand in operands:
            if operand.startswith(":"):
                self._check_type(name, operand, allowed)
        if name == "begins_with":
            return lambda item, values: _begins_with(first(item, values), others[0](item, values))
        if name == "BETWEEN":
            self._check_bounds(*operands[1:])
            low, high = others
            return lambda item, values: (
                _compares(operator.ge, one := first(item, values), low(item, values))
                and _compares(operator.le, one, high(item, values))
            )
        compare = _COMPARATORS[name]
        return lambda item, values: _compares(compare, first(item, values), others[0](item, values))

    def _type_test(self, value: Operand, wanted: str) -> Test:
        if not wanted.startswith(":"):
            raise self._invalid("Incorrect operand type for operator or function; operator or function: attribute_type")

        def check(values: Item) -> None:
            if values[wanted].get("S") not in _TYPES:
                raise self._invalid(f"Invalid attribute type name found; type: {values[wanted]}")

        self.checks.append(check)
        return lambda item, values: (one := value(item, values)) is not None and values[wanted]["S"] in one

    def _check_type(self, name: str, operand: str, allowed: set[str]) -> None:
        def check(values: Item) -> None:
            if values[operand].keys().isdisjoint(allowed):
                raise self._invalid(
                    "Incorrect operand type for operator or function; "
                    f"operator or function: {name}, operand type: {next(iter(values[operand]))}"
                )

        self.checks.append(check)

    def _check_bounds(self, low: str, high: str) -> None:
        if not (low.startswith(":") and high.startswith(":")):
            return

        def check(values: Item) -> None:
            if not _compares(operator.le, values[low], values[high]):
                raise self._invalid(
                    "The BETWEEN operator requires upper bound to be greater than or equal to lower bound, of its type"
                )

        self.checks.append(check)

    # Updates

    def _set(self) -> tuple[str, Operand | None]:
        name = self._path()
        self._expect("=")
        first, sign = self._term(), self._next()
        if sign not in ("+", "-"):
            return name, first[0]
        self._left.pop()
        second = self._term()
        for _, literal in (first, second):
            if literal:
                self._check_type(sign, literal, {"N"})
        factor = 1 if sign == "+" else -1
        return name, lambda item, values: _sum(first[0](item, values), second[0](item, values), factor)

    def _term(self) -> tuple[Operand, str | None]:
        """Take an operand of SET; return it and, where it is one, the :value."""
        if self._next() == "if_not_exists":
            self._left.pop()
            self._expect("(")
            attribute = self._path()
            self._expect(",")
            otherwise, _ = self._term()
            self._expect(")")
            return lambda item, values: item.get(attribute) or otherwise(item, values), None
        operand = self._operand()
        return _reader(operand), operand if operand.startswith(":") else None

    def _add(self) -> tuple[str, Operand | None]:
        name, amount = self._path(), self._next()
        if not amount.startswith(":"):
            raise self._syntax_error()
        self._operand()
        self._check_type("ADD", amount, {"N"})
        zero = {"N": "0"}
        return name, lambda item, values: _sum(item.get(name, zero), values[amount], 1)

    def _remove(self) -> tuple[str, Operand | None]:
        return self._path(), None


_FUNCTIONS = {"attribute_exists": 1, "attribute_not_exists": 1, "attribute_type": 2, "begins_with": 2}


def _reader(operand: str) -> Operand:
    if operand.startswith(":"):
        return lambda _, values: values[operand]
    attribute = operand[1:]
    return lambda item, _: item.get(attribute)


def _compares(compare: Callable[[Any, Any], bool], left: Typed | None, right: Typed | None) -> bool:
    if left is None or right is None:
        return False
    ((kind, content),) = left.items()
    if kind not in right or kind not in _ORDERED_TYPES:
        return False
    return compare(number(content), number(right["N"])) if kind == "N" else compare(content, right[kind])


def _begins_with(value: Typed | None, prefix: Typed | None) -> bool:
    if value is None or prefix is None or value.keys() != prefix.keys():
        return False
    ((kind, content),) = value.items()
    return kind in ("S", "B") and content.startswith(prefix[kind])


def _sum(left: Typed | None, right: Typed | None, sign: int) -> Typed:
    if left is None or right is None:
        raise Invalid(MISSING)
    if "N" not in left or "N" not in right:
        raise Invalid(_WRONG_TYPE)
    return {"N": total(left["N"], right["N"], sign)}
