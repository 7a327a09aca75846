"""Request bodies: JSON, URL-encoded forms and multipart forms, all read into the same members.

In a form ``a[b]=c`` makes an object, ``a[]=c`` or ``a[0]=c`` a list. Numbers stay exact: int or Decimal, never binary
floats. What a field's text means is the schema's business; here it stays text.

A body is never taken for an empty one because it is in another form than its content type says (E28).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from multipart import (  # type: ignore[import-untyped]
    MultipartError,
    MultipartSegment,
    PushMultipartParser,
    parse_options_header,
)

from chalicelib.apis.kit.exact_json import UnreadableJson, parts, read_json

BODY_BYTES_MAX = 64 * 1024
DEPTH_MAX = 16
"""Objects and lists within one another."""
JSON, URLENCODED, MULTIPART = "application/json", "application/x-www-form-urlencoded", "multipart/form-data"

_BRACKETS = re.compile(r"\[([^\[\]]*)\]")
_INDEX = re.compile(r"[0-9]{1,9}")
_BEFORE_JSON = " \t\n\r\f\v\ufeff\0"
"""What may stand in front of JSON in a form: blanks, a byte order mark, the zero bytes of UTF-16 and UTF-32."""
_BEGINNINGS_OF_JSON = ("{", "[", '"')


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
        return Body(_form(_urlencoded(content)))
    if media_type == MULTIPART:
        return _multipart(content, options.get("boundary", ""))
    raise UnreadableBody(f"must be {JSON}, {URLENCODED} or {MULTIPART}")


def _json_members(content: bytes) -> dict[str, Any]:
    """Return a JSON object's members; null and an empty list, which PHP makes of a map without members, have none."""
    try:
        members = read_json(content, depth_max=DEPTH_MAX)
    except UnreadableJson as error:
        raise UnreadableBody(str(error)) from error
    if members is None or members == []:
        return {}
    if not isinstance(members, dict):
        raise UnreadableBody("must be a JSON object")
    if any(isinstance(part, str) and not _is_unicode(part) for _, part in parts(members)):
        raise UnreadableBody("must be Unicode text")
    return members


def _is_unicode(text: str) -> bool:
    """Tell whether the text is free of lone surrogates, which JSON can spell and UTF-8 cannot."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _urlencoded(content: bytes) -> list[tuple[str, str]]:
    """Return a form's fields. JSON is refused here: curl sends it as a form where it is not told otherwise."""
    try:
        fields = parse_qsl(content.decode(), keep_blank_values=True, errors="strict")
    except ValueError as error:  # not UTF-8, encoded or not
        raise UnreadableBody("must be UTF-8 text") from error
    if fields and fields[0][0].lstrip(_BEFORE_JSON).startswith(_BEGINNINGS_OF_JSON):
        raise UnreadableBody(f"is JSON, or a field without a name; JSON needs the content type {JSON}")
    return fields


def _multipart(content: bytes, boundary: str) -> Body:
    """Return the parts as members. A part with a file name, even an empty one, is a file; where a form's file was not
    chosen, both its name and its content are empty, and the field is there with an empty text.
    """
    fields: list[tuple[str, str]] = []
    files: set[str] = set()
    for part, data in _parts(content, boundary):
        name = part.name or ""
        if part.filename or (part.filename is not None and data):
            files.add(_path_of(name)[0])
        else:
            fields.append((name, _text(data)))
    members = _form(fields)
    return Body({name: value for name, value in members.items() if name not in files}, frozenset(files))


def _parts(content: bytes, boundary: str) -> list[tuple[MultipartSegment, bytes]]:
    """Return the parts. Nothing but blanks stands before the first and behind the last: it would count for nothing."""
    opening, closing, form = f"--{boundary}".encode(), f"--{boundary}--".encode(), content.strip()
    end = 0 if form.startswith(closing) else form.find(b"\r\n" + closing) + len(b"\r\n")
    if not form.startswith(opening) or form[end:] != closing:
        raise UnreadableBody("must be a multipart form, of parts and nothing besides")
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


def _form(fields: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Return a form's fields as members, in time linear in their text; of a name that comes twice the last counts."""
    root = _Node()
    for name, value in fields:
        first, *steps = _path_of(name)
        if not steps:
            root.members[first] = value
            continue
        if len(steps) >= DEPTH_MAX:
            raise UnreadableBody(f"must not be nested deeper than {DEPTH_MAX} levels")
        place = root.inner(first)
        for step in steps[:-1]:
            place = place.inner(step)
        place.put(steps[-1], value)
    return {name: _as_listed(member) for name, member in root.members.items()}


class _Node:
    """An object of a form, or a list, before all its members are known. It keeps the index that a step without a name
    gets next, so that no field has to look at those before it."""

    __slots__ = ("members", "next_index")

    def __init__(self) -> None:
        self.members: dict[str, str | _Node] = {}
        self.next_index = 0

    def put(self, step: str, value: str | _Node) -> None:
        index = int(step) if _INDEX.fullmatch(step) else -1 if step else self.next_index
        self.next_index = max(self.next_index, index + 1)
        self.members[step or str(index)] = value

    def inner(self, step: str) -> _Node:
        """Return the object or list at a step; made where there is none, in the place of a text too."""
        found = self.members.get(step)
        if isinstance(found, _Node) and step:
            return found
        made = _Node()
        self.put(step, made)
        return made


def _path_of(name: str) -> list[str]:
    """Return the steps that a field's name takes: ``a[b][]`` is a, b and one without a name."""
    start = name.find("[")
    brackets = _BRACKETS.findall(name[start:]) if start > 0 else []
    if not brackets or name[start:] != "".join(f"[{step}]" for step in brackets):
        return [name]
    return [name[:start], *brackets]


def _as_listed(member: str | _Node) -> Any:
    """Return a member; objects whose names are all indices as lists, in the order of their indices."""
    if isinstance(member, str):
        return member
    members = {name: _as_listed(inner) for name, inner in member.members.items()}
    if all(_INDEX.fullmatch(name) for name in members):
        return [members[name] for name in sorted(members, key=int)]
    return members
