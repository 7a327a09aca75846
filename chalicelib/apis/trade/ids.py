"""Ids of the trade desk: the 128 bits of an internal ULID, written as an upper-case UUID (R16)."""

from __future__ import annotations

import re
from uuid import UUID

from ulid import ULID

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class NotAnId(ValueError):
    """The text is no UUID."""


def shown(internal_id: str) -> str:
    """Return the id in the form of this desk.

    >>> shown("ord_01ARZ3NDEKTSV4RRFFQ69G5FAV")
    '01563E3A-B5D3-D676-4C61-EFB99302BD5B'
    """
    return str(UUID(bytes=ULID.from_str(ulid_of(internal_id)).bytes)).upper()


def ulid_of(internal_id: str) -> str:
    """Return the ULID behind the id's prefix."""
    return internal_id.partition("_")[2]


def internal(shown_id: str, prefix: str) -> str:
    """Return the internal id with this prefix. Raises NotAnId where the text is no UUID.

    >>> internal("857C0A3B-D70F-4256-9051-1C62FADBA8FA", "ord")
    'ord_45FG53QNRF89B90M8WCBXDQA7T'
    """
    if not _UUID.fullmatch(shown_id):
        raise NotAnId(shown_id)
    return f"{prefix}_{ULID.from_bytes(UUID(shown_id).bytes)}"
