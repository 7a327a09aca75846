"""Request bodies: JSON, URL-encoded forms and multipart forms, all read into the same members.

In a form ``a[b]=c`` makes an object, ``a[]=c`` or ``a[0]=c`` a list. Numbers stay exact: int or Decimal, never binary
floats. What a field's text means is the schema's business; here it stays text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import parse_qsl

from multipart import (  # type: ignore[import-untyped]
    MultipartError,
    MultipartSegment,
    PushMultipartParser,
    parse_options_header,
)

BODY_BYTES_MAX = 64 * 1024
DEPTH_MAX = 16
"""Objects and lists within one another."""
INTEGER_DIGITS_MAX = 38
"""A JSON number of more digits, or with an exponent, stays a Decimal: out of every field's range, or a client's own."""
JSON, URLENCODED, MULTIPART = "application/json", "application/x-www-form-urlencoded", "multipart/form-data"

_BRACKETS = re.compile(r"\[([^\[\]]*)\]")
_INDEX = re.compile(r"[0-9]{1,9}")


class UnreadableBody(Exception):
    """A body that no members can be had of (E3); the text says why, and begins in the middle of a sentence."""


@dataclass(frozen=True, slots=True)
class Body:
    """files: the fields for which a file was sent; they are not among the members."""

    members: Mapping[str, Any]
    files: frozenset[str] = frozenset()


def body_of(content: bytes, content_type: str) -> Body:
    """Return what was sent; no body is an empty object, no content type means JSON. Raises UnreadableBody (E3)."""
    if len(content) > BODY_BYTES_MAX:
        raise UnreadableBody(f"must not have more than {BODY_BYTES_MAX} bytes")
    if not content.strip():
        return Body({})
    media_type, options = parse_options_header(content_type)
    if media_type in (JSON, ""):
        return Body(_json_members(content))
    if media_type == URLENCODED:
        return _form([(name, value) for name, value in _urlencoded(content)])
    if media_type == MULTIPART:
        return _multipart(content, options.get("boundary", ""))
    raise UnreadableBody(f"must be {JSON}, {URLENCODED} or {MULTIPART}")


def _json_members(content: bytes) -> dict[str, Any]:
    try:
        members = json.loads(content.decode(), parse_float=_number, parse_int=_number, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise UnreadableBody("must be readable JSON") from error
    if not isinstance(members, dict):
        raise UnreadableBody("must be a JSON object")
    _refuse_odd(members, 0)
    return members


def _number(text: str) -> int | Decimal:
    """Return a JSON number exactly. Raises ValueError where its exponent is beyond all bounds."""
    try:
        value = Decimal(text)
    except InvalidOperation as error:
        raise ValueError(text) from error
    _sign, digits, exponent = value.as_tuple()
    return int(value) if exponent == 0 and len(digits) <= INTEGER_DIGITS_MAX else value


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _refuse_odd(value: object, depth: int) -> None:
    """Raise UnreadableBody where something is nested too deeply, or text is no Unicode text."""
    if depth > DEPTH_MAX:
        raise UnreadableBody(f"must not be nested deeper than {DEPTH_MAX} levels")
    if isinstance(value, str) and not _is_unicode(value):
        raise UnreadableBody("must be Unicode text")
    if isinstance(value, dict):
        for name, member in value.items():
            _refuse_odd(name, depth)
            _refuse_odd(member, depth + 1)
    if isinstance(value, list):
        for member in value:
            _refuse_odd(member, depth + 1)


def _is_unicode(text: str) -> bool:
    """Tell whether the text is free of lone surrogates, which JSON can spell and UTF-8 cannot."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _urlencoded(content: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(content.decode(), keep_blank_values=True, errors="strict")
    except ValueError as error:  # not UTF-8, encoded or not
        raise UnreadableBody("must be UTF-8 text") from error


def _multipart(content: bytes, boundary: str) -> Body:
    """Return the parts as members. A part that names a file is one, unless it is an empty choice of none."""
    fields: list[tuple[str, str]] = []
    files: set[str] = set()
    for part, data in _parts(content, boundary):
        name = part.name or ""
        if part.filename or (part.filename is not None and data):
            files.add(_path_of(name)[0])
        elif part.filename is None:
            fields.append((name, _text(data)))
    form = _form(fields)
    return Body({name: value for name, value in form.members.items() if name not in files}, frozenset(files))


def _parts(content: bytes, boundary: str) -> list[tuple[MultipartSegment, bytes]]:
    parts: list[tuple[MultipartSegment, bytearray]] = []
    chunks = iter((content,))
    try:
        parser = PushMultipartParser(boundary, content_length=len(content))
        for event in parser.parse_blocking(lambda _size: next(chunks, b"")):
            if isinstance(event, MultipartSegment):
                parts.append((event, bytearray()))
            elif event:
                parts[-1][1].extend(event)
    except MultipartError as error:
        raise UnreadableBody("must be a readable multipart form") from error
    return [(part, bytes(data)) for part, data in parts]


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise UnreadableBody("must be UTF-8 text") from error


def _form(fields: Iterable[tuple[str, str]]) -> Body:
    """Return a form's fields as members: of a name that comes twice the last one counts."""
    root: dict[str, Any] = {}
    for name, value in fields:
        path = _path_of(name)
        if len(path) > DEPTH_MAX:
            raise UnreadableBody(f"must not be nested deeper than {DEPTH_MAX} levels")
        place = root
        for step, following in zip(path, [*path[1:], None], strict=True):
            step = step if step or place is root else _next_index(place)
            if following is None:
                place[step] = value
            else:
                if not isinstance(place.get(step), dict):
                    place[step] = {}
                place = place[step]
    return Body({name: _as_listed(value) for name, value in root.items()})


def _path_of(name: str) -> list[str]:
    """Return the steps that a field's name takes: ``a[b][]`` is a, b and one without a name."""
    start = name.find("[")
    brackets = _BRACKETS.findall(name[start:]) if start > 0 else []
    if not brackets or name[start:] != "".join(f"[{step}]" for step in brackets):
        return [name]
    return [name[:start], *brackets]


def _next_index(place: Mapping[str, Any]) -> str:
    return str(max((int(step) + 1 for step in place if _INDEX.fullmatch(step)), default=0))


def _as_listed(value: Any) -> Any:
    """Return objects whose names are all indices as lists, in the order of their indices."""
    if not isinstance(value, dict):
        return value
    members = {name: _as_listed(member) for name, member in value.items()}
    if all(_INDEX.fullmatch(name) for name in members):
        return [members[name] for name in sorted(members, key=int)]
    return members
