"""JSON objects of clients as text and back, their numbers kept exactly: int or Decimal, never binary floats. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import cast

from chalicelib.domain.escrow.order import Json

INT_CHARACTERS_MAX = 64
"""Of an integer that is read as an int; a longer one is a Decimal, which has no bound."""


def json_text(value: Json | Mapping[str, Json]) -> str:
    """Return a value as compact JSON.

    >>> json_text({"weight": Decimal("0.10"), "is_new": True, "of": ["é", None]})
    '{"weight":0.10,"is_new":true,"of":["é",null]}'
    """
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, Mapping):
        members = (f"{json.dumps(name, ensure_ascii=False)}:{json_text(member)}" for name, member in value.items())
        return f"{{{','.join(members)}}}"
    if isinstance(value, list):
        return f"[{','.join(map(json_text, value))}]"
    return json.dumps(value, ensure_ascii=False)


def json_object(text: str) -> dict[str, Json]:
    """Return the object in a text that ``json_text`` made."""
    return cast(dict[str, Json], json.loads(text, parse_float=Decimal, parse_int=_integer))


def _integer(text: str) -> int | Decimal:
    """Return a Decimal where Python would refuse to make an int: a client's number may have thousands of digits."""
    return int(text) if len(text) <= INT_CHARACTERS_MAX else Decimal(text)
