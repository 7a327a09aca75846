"""Routes: a desk's operations as data, and the matcher of paths.

Each desk has one table of all its operations, in ``apis/<desk>/routes``. Requests find their endpoint by it, tests walk
it, and a description of the API can be made from it. It needs no database.

A path is split before it is decoded; one trailing slash is ignored; a literal segment has precedence over a parameter.
Matching takes time linear in the length of the path.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Generic, TypeVar

from chalicelib.apis.kit.http import BadPercentEncoding, percent_decoded

Auth = TypeVar("Auth")
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_PARAMETER = re.compile(r"\{(\w+)\}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Route(Generic[Auth]):
    """One operation, named by its method and its path, a template from the root: ``GET /orders/{id}``.

    aliases: other paths of the same operation. auth: the credential or permission that it needs, as the desk defines
    it. endpoint: group and name of its function (``orders.place``). body: the form of its body, as ``module:name`` in
    the desk's package. query, headers: the names that it reads, without those of the credential. status: of a success.
    answer: the name of the thing that a success shows. errors: names of its errors beside those of the table.
    counts_refusals: whether a refusal counts as a refused order.
    """

    method: str
    path: str
    endpoint: str
    auth: Auth
    answer: str
    status: int = 200
    body: str | None = None
    query: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    counts_refusals: bool = False

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def paths(self) -> tuple[str, ...]:
        return (self.path, *self.aliases)

    def path_of(self, parameters: Mapping[str, str]) -> str:
        """Return the route's own path, not an alias, with these parameters."""
        return filled(self.path, parameters)


class Decoding(Enum):
    """Which segments of a path are percent-decoded."""

    NOTHING = "literals and parameters are taken as they were sent"
    COMPARED = "literals are compared decoded, parameters stay as they were sent; bad encoding fits as it is"
    EVERYTHING = "literals and parameters are decoded; a path with bad encoding is unknown"


class NoRoute(Exception):
    """No route has this path and method. allowed: the methods of the path, empty if it is unknown."""

    def __init__(self, method: str, path: str, allowed: tuple[str, ...] = ()) -> None:
        super().__init__(method, path)
        self.method, self.path, self.allowed = method, path, allowed


@dataclass(frozen=True, slots=True)
class RouteTable(Generic[Auth]):
    """A desk's routes. desk: its name in log and metrics.

    errors: of all routes. errors_of: of all routes with this auth. not_ids: words that a parameter of this name does
    not match. lower_case: parameters whose ASCII letters are lowered. Raises ValueError if two routes with the same
    method match the same paths.
    """

    desk: str
    routes: tuple[Route[Auth], ...]
    errors: tuple[str, ...] = ()
    errors_of: Mapping[Auth, tuple[str, ...]] = field(default_factory=dict)
    decoding: Decoding = Decoding.NOTHING
    not_ids: Mapping[str, frozenset[str]] = field(default_factory=dict)
    lower_case: frozenset[str] = frozenset()
    _by_length: dict[int, list[tuple[list[str], Route[Auth]]]] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )
    """The split templates by number of segments; those with literals further to the left come first."""

    def __post_init__(self) -> None:
        templates = [(path.split("/"), route) for route in self.routes for path in route.paths]
        templates.sort(key=lambda template: list(map(_is_parameter, template[0])))
        shapes = set()
        for parts, route in templates:
            shape = (route.method, *("{}" if _is_parameter(part) else part for part in parts))
            if shape in shapes:
                raise ValueError(f"two routes fit the same requests: {route.name}")
            shapes.add(shape)
            self._by_length.setdefault(len(parts), []).append((parts, route))

    def __iter__(self) -> Iterator[Route[Auth]]:
        return iter(self.routes)

    def documented(self, route: Route[Auth]) -> frozenset[str]:
        """Return every error that a route may answer."""
        return frozenset((*self.errors, *self.errors_of.get(route.auth, ()), *route.errors))

    def find(self, method: str, path: str) -> tuple[Route[Auth], dict[str, str]]:
        """Return the route of a request and its path parameters. Raises NoRoute."""
        sent = path.removesuffix("/").split("/")
        templates = self._by_length.get(len(sent), [])
        try:
            words = list(map(self._decoded, sent)) if templates else sent
        except BadPercentEncoding as error:
            raise NoRoute(method, path) from error
        allowed = set()
        for parts, route in templates:
            if all(map(self._fits, parts, words)):
                if route.method == method:
                    return route, self._parameters(parts, words if self.decoding is Decoding.EVERYTHING else sent)
                allowed.add(route.method)
        raise NoRoute(method, path, tuple(filter(allowed.__contains__, _METHODS)))

    def _decoded(self, segment: str) -> str:
        if self.decoding is Decoding.NOTHING:
            return segment
        try:
            return percent_decoded(segment)
        except BadPercentEncoding:
            if self.decoding is Decoding.EVERYTHING:
                raise
            return segment

    def _fits(self, part: str, word: str) -> bool:
        if not _is_parameter(part):
            return word == part
        return bool(word) and word not in self.not_ids.get(part[1:-1], ())

    def _parameters(self, parts: list[str], values: list[str]) -> dict[str, str]:
        found = {part[1:-1]: value for part, value in zip(parts, values, strict=True) if _is_parameter(part)}
        return {
            name: value.lower() if name in self.lower_case and value.isascii() else value
            for name, value in found.items()
        }


def filled(template: str, parameters: Mapping[str, str]) -> str:
    """Return the path with these parameters filled in; a parameter without a value stays a placeholder."""
    return _PARAMETER.sub(lambda match: parameters.get(match[1], match[0]), template)


def _is_parameter(part: str) -> bool:
    return part.startswith("{")
