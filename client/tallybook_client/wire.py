"""JSON of requests and answers. Answers are read tolerantly: unknown members are passed over."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from typing import Annotated, Any, ClassVar, TypeVar, get_type_hints

import msgspec
from msgspec import UNSET, Meta, Raw, Struct

from tallybook_client.errors import Unreadable

T = TypeVar("T")

Members = dict[str, Raw]
"""An object of an answer, members unread."""
Amount = Annotated[int, Meta(extra={"is_text": True})]
"""An amount in base units: an int here, a decimal string on the wire."""


class Wire(Struct, frozen=True, kw_only=True, rename="camel"):
    """A request or an answer of a desk whose members are in camel case."""

    sends_null: ClassVar[bool] = False
    """Whether a member that is None is sent as null; else it is left out."""


class Plain(Struct, frozen=True, kw_only=True):
    """A request or an answer of a desk whose members have the names of the wire."""

    sends_null: ClassVar[bool] = False


class Change(Wire, frozen=True, kw_only=True):
    """What is to be changed of a thing: members that are UNSET stay as they are."""

    sends_null = True


class PlainChange(Plain, frozen=True, kw_only=True):
    """The same with the names of the wire."""

    sends_null = True


_WITH_NUMBERS = msgspec.json.Encoder(decimal_format="number")


def data_of(body: bytes, kind: type[T]) -> T:
    """Return the member ``data`` of an answer as a value of this type. Raises Unreadable."""
    return member_of(value_of(body, Members), "data", kind)


def member_of(members: Members, name: str, kind: type[T]) -> T:
    """Return one member of an object as a value of this type. Raises Unreadable."""
    if name not in members:
        raise Unreadable(f"the answer has no {name}", json_of(members))
    return value_of(members[name], kind)


def value_of(text: bytes | Raw, kind: type[T]) -> T:
    """Return JSON as a value of this type; where it wants a number, text of digits is one. Raises Unreadable."""
    try:
        return msgspec.json.decode(text, type=kind, strict=False)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable(f"the answer is no {kind}: {error}", bytes(text)) from error


def members_of(form: Wire | Plain) -> dict[str, Any]:
    """Return the members of a request. UNSET ones are left out, and None but in a Change; amounts are text."""
    shown = {}
    for name, wire_name in zip(form.__struct_fields__, form.__struct_encode_fields__, strict=True):
        value = getattr(form, name)
        if value is not UNSET and (value is not None or form.sends_null):
            shown[wire_name] = _shown(value, name in _amounts_of(type(form)))
    return shown


def json_of(members: Mapping[str, Any]) -> bytes:
    """Return compact JSON. Decimals are text, times ISO 8601."""
    return msgspec.json.encode(members)


def json_with_numbers(members: Mapping[str, Any]) -> bytes:
    """Return compact JSON whose Decimals are numbers with the digits that they have."""
    return _WITH_NUMBERS.encode(members)


def _shown(value: object, is_amount: bool) -> object:
    if isinstance(value, Wire | Plain):
        return members_of(value)
    if isinstance(value, Decimal):
        return Decimal(f"{value:f}")  # without an exponent
    return str(value) if is_amount and value is not None else value


@cache
def _amounts_of(form: type[Struct]) -> frozenset[str]:
    hints = get_type_hints(form, include_extras=True)
    return frozenset(name for name, hint in hints.items() if "is_text" in str(hint))
