"""DynamoDB's condition, key condition and update expressions, parsed once and compiled to closures.

Grammar and semantics are the developer guide's ("Condition and filter expressions", "Update expressions", "Key
condition expressions"). An attribute is a whole #name. Paths into lists and maps, bare names, size, contains, IN,
list_append, DELETE and sets raise NotImplementedError, so that no untested feature is answered.

What the guide leaves open follows the tests of Scylla's Alternator, whose authors also run them on DynamoDB: a missing
attribute equals nothing and differs from everything, even from another missing one; a sum of more than 38 digits is a
"Number overflow"; an update that only removes attributes creates no row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from tests.memory.parser import MISSING, Operand, Parser, Predicate, Test
from tests.memory.values import Invalid, Item, Typed

Names = tuple[tuple[str, str], ...]

_PLANS_MAX = 4096


@dataclass(frozen=True, slots=True)
class Plan:
    """The compiled expressions of one write. ``checks`` look at the values only, before any row is read."""

    holds: Test | None
    sets: tuple[tuple[str, Operand], ...]
    removes: tuple[str, ...]
    targets: frozenset[str]
    values: frozenset[str]
    checks: tuple[Callable[[Item], None], ...]

    def check(self, values: Item) -> None:
        """Raise Invalid unless exactly the values used are given, with permitted types."""
        check_used("Value", values.keys(), self.values)
        for check in self.checks:
            check(values)

    def changes(self, item: Item, values: Item) -> dict[str, Typed]:
        """Return the new values of the attributes set, all computed from the item before the write."""
        changes: dict[str, Typed] = {}
        for name, new in self.sets:
            value = new(item, values)
            if value is None:
                raise Invalid(MISSING)
            changes[name] = value
        return changes


@dataclass(frozen=True, slots=True)
class QueryPlan:
    """The compiled expressions of a query: the key predicates, and the projected attributes (None: all)."""

    predicates: tuple[Predicate, ...]
    projected: tuple[str, ...] | None
    values: frozenset[str]


def check_used(kind: str, given: Any, used: Any) -> None:
    """Raise Invalid unless the given names are exactly those used."""
    if given == used:
        return
    missing, unused = used - given, given - used
    if missing:
        raise Invalid(
            f"Invalid expression: An expression attribute {kind.lower()} used in expression is not defined; "
            f"attribute {kind.lower()}: {min(missing)}"
        )
    raise Invalid(
        f"Value provided in ExpressionAttribute{kind}s unused in expressions: keys: {{{', '.join(sorted(unused))}}}"
    )


@lru_cache(maxsize=_PLANS_MAX)
def plan_of(condition: str | None, update: str | None, names: Names) -> Plan:
    """Return the plan of a write with these expressions and #names. Raises Invalid."""
    parsers: list[Parser] = []
    holds: Test | None = None
    sets: dict[str, Operand] = {}
    removes: tuple[str, ...] = ()
    if condition is not None:
        parsers.append(Parser("ConditionExpression", condition, dict(names)))
        holds = parsers[-1].condition()
    if update is not None:
        parsers.append(Parser("UpdateExpression", update, dict(names)))
        sets, removes = parsers[-1].update()
    check_used("Name", dict(names).keys(), {name for parser in parsers for name in parser.names_used})
    values = frozenset(name for parser in parsers for name in parser.values_used)
    checks = tuple(check for parser in parsers for check in parser.checks)
    return Plan(holds, tuple(sets.items()), removes, frozenset([*sets, *removes]), values, checks)


@lru_cache(maxsize=_PLANS_MAX)
def query_plan_of(condition: str, projection: str | None, names: Names) -> QueryPlan:
    """Return the plan of a query with these expressions and #names. Raises Invalid."""
    parser = Parser("KeyConditionExpression", condition, dict(names))
    predicates, names_used, projected = parser.key_condition(), parser.names_used, None
    if projection is not None:
        projector = Parser("ProjectionExpression", projection, dict(names))
        projected = projector.projection()
        names_used |= projector.names_used
    check_used("Name", dict(names).keys(), names_used)
    return QueryPlan(predicates, projected, frozenset(parser.values_used))
