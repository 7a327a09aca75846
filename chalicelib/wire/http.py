"""What a dialect sees of HTTP, whichever server stands in front of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request to a route.

    route: the template of the path that was asked for, None where there is no such route.
    path_parameters: as the client sent them, percent-encoding untouched. headers: their names in lower case.
    """

    method: str
    route: str | None
    path_parameters: Mapping[str, str]
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class HttpResponse:
    status: int
    body: str
    headers: Mapping[str, str] = field(default_factory=dict)


class BadPercentEncoding(Exception):
    """A path segment that is not percent-encoded UTF-8."""


def percent_decoded(segment: str) -> str:
    """Return the path segment decoded; ``+`` stays ``+`` (T25). Raises BadPercentEncoding."""
    if _BAD_ESCAPE.search(segment) or not segment.isascii():
        raise BadPercentEncoding(segment)
    try:
        return unquote_to_bytes(segment).decode()
    except UnicodeDecodeError as error:
        raise BadPercentEncoding(segment) from error
