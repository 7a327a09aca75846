"""Requests and answers as the desks see them, independent of the server."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, unquote_to_bytes

_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request to a route.

    route, path_parameters: the matched route's path and parameters; None and empty until ``routing`` has matched it.
    headers: names in lower case. path: as sent, percent-encoding untouched, without the query and without the prefix of
    the deployment (a stage, the base path of a domain). client_address: as the gateway saw it; empty if it does not
    say. request_id: new for each request; used in the log and in answers.
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
    """An answer. error: the name of the desk's error, if this request failed; empty for replayed answers."""

    status: int
    body: str
    headers: Mapping[str, str] = field(default_factory=dict)
    error: str = field(default="", compare=False)


class BadPercentEncoding(Exception):
    """A path segment that is not percent-encoded UTF-8."""


def path_served(path: str, template: str) -> str:
    """Return the path that a route's template matched, without the prefix of the deployment; keeps one trailing slash.

    API Gateway gives the whole path, prefixed with the stage or the base path of a custom domain. Without the prefix it
    has as many segments as the template.

    >>> path_served("/prod/trade/orders/a%2Fb/", "/{one}/{two}/{three}")
    '/trade/orders/a%2Fb/'
    """
    slash = "/" if path.endswith("/") else ""
    segments = path.removesuffix("/").split("/")
    in_front = len(segments) - template.rstrip("/").count("/")
    return "".join(f"/{segment}" for segment in segments[in_front:]) + slash or "/"


def percent_encoded(path: str) -> str:
    """Return the decoded path that an HTTP API gives, encoded; a slash that was encoded separates segments.

    >>> percent_encoded("/customers/an n%/orders")
    '/customers/an%20n%25/orders'
    """
    return quote(path, safe="/-._~!$&'()*+,;=:@")


def percent_decoded(segment: str) -> str:
    """Return the path segment decoded; ``+`` stays ``+`` (T25). Raises BadPercentEncoding."""
    if _BAD_ESCAPE.search(segment) or not segment.isascii():
        raise BadPercentEncoding(segment)
    try:
        return unquote_to_bytes(segment).decode()
    except UnicodeDecodeError as error:
        raise BadPercentEncoding(segment) from error
