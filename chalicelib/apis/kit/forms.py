"""Request forms: a dataclass whose fields name their kind, read from a body's members, every fault noted.

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Cancel(Form):
        order_id: Annotated[str, Text("must be 1 to 100 characters", least=1, most=100)]
        quantity: Annotated[int | None, AMOUNT] = None

A field without a default is required; unknown members are ignored, and one that is null counts as absent. What a form
asks for can be read without a request: names, defaults and kinds, each with its bounds (``fields_of``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, ClassVar, Protocol, get_args, get_type_hints

_SURROGATE = re.compile("[\ud800-\udfff]")


class Bad(ValueError):
    """A value that is not of its field's kind; the text says what it must be."""


class BadMembers(Bad):
    """An object some of whose members are faulty: by name, what is wrong."""

    def __init__(self, faults: Mapping[str, str]) -> None:
        super().__init__(", ".join(faults))
        self.faults = faults


class Kind(Protocol):
    """What a field may be. meaning: what is said of a value that is none of the kind."""

    @property
    def meaning(self) -> str: ...

    def read(self, value: Any) -> Any:
        """Return what the program works with. Raises Bad."""


@dataclass(frozen=True, slots=True)
class Text:
    """Text of ``least`` to ``most`` characters that matches the pattern as a whole, without half surrogate pairs.

    value: makes of it what the program works with; a ValueError says that there is none.
    """

    meaning: str
    pattern: re.Pattern[str] | None = None
    least: int = 0
    most: int | None = None
    value: Callable[[str], Any] = str

    def read(self, value: object) -> Any:
        if not isinstance(value, str) or len(value) < self.least or (self.most is not None and len(value) > self.most):
            raise Bad(self.meaning)
        if _SURROGATE.search(value) or (self.pattern is not None and not self.pattern.fullmatch(value)):
            raise Bad(self.meaning)
        return self.value(value)


@dataclass(frozen=True, slots=True, eq=False)
class Word:
    """One of these words, each with what the program works with; compared by identity, for hints are hashed."""

    meaning: str
    words: Mapping[str, Any]

    def read(self, value: object) -> Any:
        if not isinstance(value, str) or value not in self.words:
            raise Bad(self.meaning)
        return self.words[value]


@dataclass(frozen=True, slots=True)
class Integer:
    """A JSON integer from ``least`` to ``most``."""

    meaning: str
    least: int
    most: int

    def read(self, value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not self.least <= value <= self.most:
            raise Bad(self.meaning)
        return value


@dataclass(frozen=True, slots=True)
class Flag:
    """true or false."""

    meaning: str

    def read(self, value: object) -> bool:
        if not isinstance(value, bool):
            raise Bad(self.meaning)
        return value


@dataclass(frozen=True, slots=True)
class Nested:
    """An object with a form of its own; its faulty members are reported under their own names."""

    meaning: str
    form: type[Form]

    def read(self, value: object) -> Any:
        if not isinstance(value, dict):
            raise Bad(self.meaning)
        found, faults = self.form.read(value)
        if faults:
            raise BadMembers(faults)
        return self.form(**found)


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    kind: Kind
    is_required: bool
    default: object


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """missing: what is said of a required field that is not there; None: its kind's meaning.

    null_counts: fields of which null is a value.
    """

    missing: ClassVar[str | None] = None
    null_counts: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def looked_at(cls, _name: str, value: Any, _found: Mapping[str, Any]) -> Any:
        """Return a member as its kind is to read it, None for none. found: the good fields before it. Raises Bad."""
        return value

    @classmethod
    def read(
        cls, members: Mapping[str, Any], kinds: Mapping[str, Kind] | None = None
    ) -> tuple[dict[str, Any], dict[str, str]]:
        """Return the good fields that are there, and what is wrong with the others, both in the form's order.

        kinds: by field, what is in place of the form's own.
        """
        found: dict[str, Any] = {}
        faults: dict[str, str] = {}
        for field in fields_of(cls):
            name, kind = field.name, (kinds or {}).get(field.name, field.kind)
            try:
                value = cls.looked_at(name, members.get(name), found)
                if value is not None:
                    found[name] = kind.read(value)
                elif field.is_required:
                    raise Bad(kind.meaning if cls.missing is None else cls.missing)
                elif name in members and name in cls.null_counts:
                    found[name] = None
            except BadMembers as bad:
                faults |= bad.faults
            except Bad as bad:
                faults[name] = str(bad)
        return found, faults


_fields: dict[type[Any], tuple[Field, ...]] = {}


def fields_of(form: type[Form]) -> tuple[Field, ...]:
    """Return a form's fields, in the order in which faults are reported."""
    if form not in _fields:
        hints = get_type_hints(form, include_extras=True)
        _fields[form] = tuple(
            Field(each.name, _kind_of(hints[each.name]), each.default is MISSING, each.default) for each in fields(form)
        )
    return _fields[form]


def _kind_of(hint: Any) -> Kind:
    """Return the kind in ``Annotated[type, kind]``, or in that ``| None``."""
    kind: Kind = next(part.__metadata__[0] for part in (hint, *get_args(hint)) if hasattr(part, "__metadata__"))
    return kind
