"""Members of this desk's bodies, read one by one: the first faulty one in the form's order is answered (R10).

Amounts are read twice: for their form first, and for their decimals once the pair tells how many there are (R14).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeVar

from chalicelib.apis.kit.exact_json import UnreadableJson
from chalicelib.apis.trade.decimals import NotAnAmount, parse, parts_of, units_of
from chalicelib.apis.trade.envelope import invalid
from chalicelib.support.canonical import Number

_EXTERNAL_ID = re.compile(r"[\x21-\x7e]{1,36}")

Word = TypeVar("Word")
Members = dict[str, Any]
"""A body's members, numbers as Number; a member that is null counts as absent."""


def members_of(body: bytes) -> Members:
    """Return the body's members but for null ones. Raises Fault on ``body`` where it is no JSON object."""
    return {name: value for name, value in every_member_of(body).items() if value is not None}


def every_member_of(body: bytes) -> Members:
    members = _json_of(body)
    if not isinstance(members, dict):
        raise invalid("body")
    return members


def members_if_any(body: bytes) -> Members:
    """Return the members of a body that needs none: no body, null, and PHP's [] for an empty map have none (R42)."""
    if not body.strip() or _json_of(body) in (None, []):
        return {}
    return every_member_of(body)


def _json_of(body: bytes) -> object:
    try:
        return parse(body)
    except UnreadableJson as error:
        raise invalid("body") from error


def text(members: Members, name: str) -> str:
    """Return a member that must be a text. Raises Fault."""
    value = members.get(name)
    if not isinstance(value, str) or not value:
        raise invalid(name)
    return value


def external_id(members: Members) -> str | None:
    """Return the external id, None without one. Raises Fault for one that cannot be."""
    value = members.get("external_id")
    if value is not None and not (isinstance(value, str) and _EXTERNAL_ID.fullmatch(value)):
        raise invalid("external_id")
    return value


def word(members: Members, name: str, words: Mapping[str, Word]) -> Word:
    value = members.get(name)
    if not isinstance(value, str) or value not in words:
        raise invalid(name)
    return words[value]


def number(members: Members, name: str, *, is_required: bool = False) -> Number | str | None:
    value = members.get(name)
    if value is None and not is_required:
        return None
    if not isinstance(value, Number | str):
        raise invalid(name)
    try:
        parts_of(value)
    except NotAnAmount as error:
        raise invalid(name, error.reason) from error
    return value


def units(name: str, value: Number | str | None, decimals: int) -> int | None:
    if value is None:
        return None
    try:
        return units_of(value, decimals)
    except NotAnAmount as error:
        raise invalid(name, error.reason) from error


def flag(members: Members, name: str) -> bool:
    value = members.get(name, False)
    if not isinstance(value, bool):
        raise invalid(name)
    return value
