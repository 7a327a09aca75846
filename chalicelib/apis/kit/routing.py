"""Routes: a desk's operations as data, the matcher of paths, and the shell that answers whatever happens.

Each desk has one table, in ``apis/<desk>/routes``. A table names everything that can be asked of the desk: requests
find their endpoint by it, tests walk it, and a description of the API can be made from it. It is read without a
database.

A path is split before anything is decoded; one trailing slash does not count; a literal segment comes before a
parameter. Matching takes time linear in the length of the path.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from operator import attrgetter
from types import SimpleNamespace
from typing import Any, Generic, Protocol, TypeVar

from chalicelib.apis.kit.http import BadPercentEncoding, HttpRequest, HttpResponse, percent_decoded
from chalicelib.support.outcomes import OutcomeUnknown, Unavailable
from chalicelib.support.telemetry import logger, order_refused, tell

Auth = TypeVar("Auth")
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_PARAMETER = re.compile(r"\{(\w+)\}")
_CLIENT_FAULTS = range(400, 500)


@dataclass(frozen=True, slots=True)
class Route(Generic[Auth]):
    """One operation, named by its method and its path, a template from the root: ``GET /orders/{id}``.

    aliases: other paths of the same operation. auth: the credential or permission that it asks for, in the terms of
    the desk. endpoint: the group of endpoints that has it, and its name there (``orders.place``). body: the form of its
    body, as ``module:name`` below the desk's package. query, headers: the names that it reads, without those of the
    credential. status, answer: of a success, and the name of what it shows. errors: what it may answer beside the
    errors of its table, in the words of the desk's envelope. counts_refusals: whether a refusal counts as a refused
    order.
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
        """Return the route's own path with these parameters, whichever alias was asked for."""
        return filled(self.path, parameters)


class Decoding(Enum):
    """What of a path's segments is percent-decoded."""

    NOTHING = "literals and parameters are taken as they were sent"
    COMPARED = "literals are compared decoded, parameters stay as they were sent; bad encoding fits as it is"
    EVERYTHING = "literals and parameters are decoded; a path with bad encoding is unknown"


class NoRoute(Exception):
    """Nothing is at this path with this method. allowed: the methods that are, none at an unknown path."""

    def __init__(self, method: str, path: str, allowed: tuple[str, ...] = ()) -> None:
        super().__init__(method, path)
        self.method, self.path, self.allowed = method, path, allowed


@dataclass(frozen=True, slots=True)
class RouteTable(Generic[Auth]):
    """A desk's routes. desk: its name in log and metrics.

    errors: what any route may answer. errors_of: what a route may answer by what it asks for. not_ids: words that a
    parameter of this name does not fit. lower_case: parameters whose ASCII letters are made small. Raises ValueError
    where two routes have the same method and paths that the same requests fit, to the last segment.
    """

    desk: str
    routes: tuple[Route[Auth], ...]
    errors: tuple[str, ...] = ()
    errors_of: Mapping[Auth, tuple[str, ...]] = field(default_factory=dict)
    decoding: Decoding = Decoding.NOTHING
    not_ids: Mapping[str, frozenset[str]] = field(default_factory=dict)
    lower_case: frozenset[str] = frozenset()
    _by_length: dict[int, list[_Template[Auth]]] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        shapes = set()
        templates = [_Template(route, tuple(path.split("/"))) for route in self.routes for path in route.paths]
        for template in sorted(templates, key=lambda template: template.order):
            shape = (template.route.method, template.shape)
            if shape in shapes:
                raise ValueError(f"two routes fit the same requests: {template.route.name}")
            shapes.add(shape)
            self._by_length.setdefault(len(template.parts), []).append(template)

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
        for template in templates:
            if all(map(self._fits, template.parts, words)):
                if template.route.method == method:
                    values = words if self.decoding is Decoding.EVERYTHING else sent
                    return template.route, self._parameters(template.parts, values)
                allowed.add(template.route.method)
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

    def _parameters(self, parts: tuple[str, ...], values: list[str]) -> dict[str, str]:
        found = {part[1:-1]: value for part, value in zip(parts, values, strict=True) if _is_parameter(part)}
        return {
            name: value.lower() if name in self.lower_case and value.isascii() else value
            for name, value in found.items()
        }


@dataclass(frozen=True, slots=True)
class _Template(Generic[Auth]):
    """One path of a route, split at its slashes."""

    route: Route[Auth]
    parts: tuple[str, ...]

    @property
    def order(self) -> tuple[bool, ...]:
        """Literals come before parameters, from the left."""
        return tuple(map(_is_parameter, self.parts))

    @property
    def shape(self) -> tuple[str, ...]:
        """The template without the names of its parameters: of two with one shape each fits what the other does."""
        return tuple("{}" if _is_parameter(part) else part for part in self.parts)


def filled(template: str, parameters: Mapping[str, str]) -> str:
    """Return the path with these parameters; one that has no value stays as it is."""
    return _PARAMETER.sub(lambda match: parameters.get(match[1], match[0]), template)


def _is_parameter(part: str) -> bool:
    return part.startswith("{")


def endpoints_of(table: RouteTable[Auth], **groups: object) -> dict[str, Callable[..., Any]]:
    """Return the endpoints that a table names, by these names. Raises AttributeError where a group lacks one."""
    found = SimpleNamespace(**groups)
    return {route.endpoint: attrgetter(route.endpoint)(found) for route in table}


class DeskFault(Protocol):
    """What a desk's own fault says of itself. name: as metrics and tables of routes have it."""

    @property
    def name(self) -> str: ...

    @property
    def status(self) -> int: ...


Fault = TypeVar("Fault", bound=DeskFault)


@dataclass(frozen=True, slots=True)
class Faults(Generic[Fault]):
    """Which of a desk's faults answers what was raised.

    own: their class; they answer as they are. refusals, of_refusal: what services refuse with, and its fault.
    unavailable, outcome_unknown: where a desk has no words of its own for these, they are unexpected.
    """

    own: type[Fault]
    no_route: Callable[[NoRoute], Fault]
    unexpected: Fault
    unavailable: Fault | None = None
    outcome_unknown: Fault | None = None
    refusals: tuple[type[Exception], ...] = ()
    of_refusal: Callable[[Exception], Fault] | None = None

    def of(self, error: Exception, request: HttpRequest) -> Fault:
        """Return the fault; what is no client's doing is logged."""
        if isinstance(error, self.own):
            return error
        if isinstance(error, NoRoute):
            return self.no_route(error)
        if isinstance(error, self.refusals) and self.of_refusal is not None:
            return self.of_refusal(error)
        if isinstance(error, Unavailable) and self.unavailable is not None:
            logger.warning("a needed part is down", exc_info=True, method=request.method, path=request.path)
            return self.unavailable
        if isinstance(error, OutcomeUnknown) and self.outcome_unknown is not None:
            logger.exception("the outcome of a write is not known", method=request.method, path=request.path)
            return self.outcome_unknown
        logger.exception("unexpected fault", method=request.method, path=request.path)
        return self.unexpected


def answered(
    table: RouteTable[Auth],
    request: HttpRequest,
    serve: Callable[[Route[Auth], HttpRequest], HttpResponse],
    faults: Faults[Fault],
    failure: Callable[[Fault], HttpResponse],
) -> HttpResponse:
    """Return what ``serve`` answers to a request of the desk, or the ``failure`` of what it raises. Never raises.

    serve: takes the route and the request with its path parameters.
    """
    tell(desk=table.desk)
    route: Route[Auth] | None = None
    try:
        route, parameters = table.find(request.method, request.path)
        return serve(route, replace(request, route=route.path, path_parameters=parameters))
    except Exception as error:
        fault = faults.of(error, request)
        if route is not None and route.counts_refusals and fault.status in _CLIENT_FAULTS:
            order_refused(table.desk, fault.name)
        return failure(fault)
