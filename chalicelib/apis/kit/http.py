"""What a dialect sees of HTTP, whichever server stands in front of it."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request to a route.

    route, path_parameters: the route's own path, and what stands for its parameters in the path that was asked for;
    None and none until the desk's table has found them (``routing``). headers: their names in lower case.
    path: of the request line as the client sent it, percent-encoding untouched, without the query; what a deployment
    puts in front of every path (a stage, the base path of a domain) is no part of it.
    client_address: where the request came from, as the gateway saw it; empty where it does not say.
    request_id: its name in the log, and in the answers of desks that name requests; always new.
    """

    method: str
    route: str | None
    path_parameters: Mapping[str, str]
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: bytes
    path: str = ""
    client_address: str = ""
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """An answer. error: what it is called in the desk's words, where it is a failure that was found in this request."""

    status: int
    body: str
    headers: Mapping[str, str] = field(default_factory=dict)
    error: str = field(default="", compare=False)


class BadPercentEncoding(Exception):
    """A path segment that is not percent-encoded UTF-8."""


def path_served(path: str, template: str) -> str:
    """Return the part of a request line's path that a route's template stands for; one trailing slash stays.

    API Gateway names the whole path, with the stage or the base path of a custom domain in front; the template has as
    many segments as what is left without them.

    >>> path_served("/prod/trade/orders/a%2Fb/", "/{one}/{two}/{three}")
    '/trade/orders/a%2Fb/'
    """
    slash = "/" if path.endswith("/") else ""
    segments = path.removesuffix("/").split("/")
    in_front = len(segments) - template.rstrip("/").count("/")
    return "".join(f"/{segment}" for segment in segments[in_front:]) + slash or "/"


def percent_decoded(segment: str) -> str:
    """Return the path segment decoded; ``+`` stays ``+`` (T25). Raises BadPercentEncoding."""
    if _BAD_ESCAPE.search(segment) or not segment.isascii():
        raise BadPercentEncoding(segment)
    try:
        return unquote_to_bytes(segment).decode()
    except UnicodeDecodeError as error:
        raise BadPercentEncoding(segment) from error
