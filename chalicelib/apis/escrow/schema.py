"""Schemas: read the fields of a body or a query, and report every bad one. What each may be is its kind (``kinds``).

Reading goes in two steps. First text becomes the number or truth value that it spells, for forms have nothing but
text, and JSON may write both so; what is not of a field's kind stays as it was sent. Two bodies that are the same then
are the same request. After that each field is checked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from chalicelib.apis.escrow.bodies import Body
from chalicelib.apis.escrow.envelope import Errors, breaks_rule, invalid, is_not_selectable, is_required
from chalicelib.apis.kit.neutral import is_neutral
from chalicelib.support.canonical import exact

AMOUNT_DIGITS_MAX = 38


class Unfit(Exception):
    """A value is not as its field wants it. rule: ends a sentence that begins with the field; None: not in its list."""

    def __init__(self, rule: str | None) -> None:
        super().__init__(rule)
        self.rule = rule

    def text(self, name: str) -> str:
        return is_not_selectable(name) if self.rule is None else breaks_rule(name, self.rule)


@dataclass(frozen=True, slots=True)
class Kind:
    """spelled: what a text stands for, itself where it spells nothing of the kind. check: returns what the program
    works with; raises Unfit. described: the kind as JSON Schema, with numbers and truth values as JSON has them."""

    spelled: Callable[[str], object]
    check: Callable[[Any], Any]
    described: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Schema:
    """The fields of a request, by name; others are ignored, but for those below.

    unserved: what the vendor documents, moves money and is not served here: refused where it has a value that means
    something (E31); a name that ends in * stands for all that begin so.
    is_closed: whether every other field is refused, as where an amount that is missing means all (E29).
    never_empty: fields that are refused where they are there without a value.
    """

    kinds: Mapping[str, Kind]
    required: frozenset[str] = frozenset()
    unserved: frozenset[str] = frozenset()
    is_closed: bool = False
    never_empty: frozenset[str] = frozenset()

    def described(self) -> dict[str, Any]:
        """Return the fields as JSON Schema."""
        fields = {name: self._described(name, dict(kind.described)) for name, kind in self.kinds.items()}
        found = {
            "type": "object",
            "properties": fields,
            "required": [name for name in self.kinds if name in self.required],
        }
        return found | ({"additionalProperties": False} if self.is_closed else {})

    def _described(self, name: str, kind: dict[str, Any]) -> dict[str, Any]:
        """Return a field, which may be null or an empty text unless it is required or must have a value (E48)."""
        if name in self.required or name in self.never_empty:
            return kind
        words = {"enum": [*kind["enum"], "", None]} if "enum" in kind else {}
        pattern = {"pattern": f"{kind['pattern']}|^$"} if "pattern" in kind else {}
        return kind | {"type": [kind["type"], "null"]} | words | pattern

    def read(self, members: Mapping[str, Any]) -> dict[str, Any]:
        """Return the fields that are there, and null ones; text in their kinds' values; what is ignored is left out."""
        found = {}
        for name, member in members.items():
            kind, value = self.kinds.get(name), trimmed(member)
            if kind is None:
                if self.is_closed or (self._is_unserved(name) and not is_neutral(member)):
                    found[name] = member
            elif value is not None or member is None or name in self.never_empty:
                found[name] = kind.spelled(value) if isinstance(value, str) else value
        return found

    def checked(self, fields: Mapping[str, Any], body: Body, errors: Errors) -> dict[str, Any]:
        """Return the good ones of the fields that were ``read``, null ones left out; note the others among the errors.

        A file is no field's value.
        """
        good = {}
        for name in body.files:
            errors[name] = [breaks_rule(name, "must not be a file")]
        for name, value in fields.items():
            kind = self.kinds.get(name)
            if name in errors or (kind is not None and value is None and name not in self.never_empty):
                continue
            try:
                good[name] = self._good(name, kind, value)
            except Unfit as unfit:
                errors[name] = [unfit.text(name)]
        for name in self.kinds:
            if name in self.required and name not in good and name not in errors:
                errors[name] = [is_required(name)]
        return good

    def _good(self, name: str, kind: Kind | None, value: object) -> Any:
        if kind is None:
            raise Unfit("is not served" if self._is_unserved(name) else "is not a field of this command")
        if value is None:
            raise Unfit("must have a value, or be left out")
        return kind.check(value)

    def _is_unserved(self, name: str) -> bool:
        return name in self.unserved or any(
            name.startswith(start[:-1]) for start in self.unserved if start.endswith("*")
        )


def refuse(errors: Errors) -> None:
    """Raises Fault where there is an error."""
    if errors:
        raise invalid(errors)


def canonical(fields: Mapping[str, Any]) -> str:
    """Return fields as a text that is the same for the same request: sorted, 150.00 and 150 being one number."""
    return exact({name: _canonical(fields[name]) for name in sorted(fields) if fields[name] is not None})


def _canonical(value: Any) -> Any:
    if isinstance(value, Decimal):
        return shortest(value)
    if isinstance(value, dict):
        return {name: _canonical(value[name]) for name in sorted(value)}
    if isinstance(value, list):
        return [_canonical(member) for member in value]
    return value


def shortest(value: Decimal) -> int | Decimal:
    """Return an equal number, without zeros at its end; one beyond all amounts stays as it is."""
    if abs(value.adjusted()) > AMOUNT_DIGITS_MAX:
        return value
    whole, _, decimals = f"{value:f}".partition(".")
    decimals = decimals.rstrip("0")
    return Decimal(f"{whole}.{decimals}") if decimals else int(whole)


def trimmed(value: object) -> object:
    """Return a text without the blanks around it, None for an empty one; lists' texts likewise; others as they are."""
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, list):
        return [each for each in map(trimmed, value) if each is not None]
    return value
