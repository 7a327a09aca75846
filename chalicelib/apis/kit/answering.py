"""The outer loop of a desk: find the route, call its endpoint, and answer any exception in the desk's own words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from operator import attrgetter
from types import SimpleNamespace
from typing import Any, Generic, TypeVar

from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.apis.kit.routing import NoRoute, Route, RouteTable
from chalicelib.support.outcomes import OutcomeUnknown, Unavailable
from chalicelib.support.telemetry import add_log_members, logger, order_refused

Auth = TypeVar("Auth")
Fault = TypeVar("Fault")
SERVER_FAULT = 500


def endpoints_of(table: RouteTable[Auth], **groups: object) -> dict[str, Callable[..., Any]]:
    """Return the endpoints of a route table by name. Raises AttributeError where a group lacks one."""
    found = SimpleNamespace(**groups)
    return {route.endpoint: attrgetter(route.endpoint)(found) for route in table}


class Deferred:
    """A group of endpoints that is built by its first request, because its imports are of no use to others."""

    def __init__(self, build: Callable[[], object]) -> None:
        self._build = cache(build)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda *arguments: getattr(self._build(), name)(*arguments)


@dataclass(frozen=True, slots=True)
class Faults(Generic[Fault]):
    """Maps exceptions to a desk's faults.

    own: the class of the desk's faults, answered unchanged. refusals, of_refusal: exceptions of services, and their
    faults. unavailable, outcome_unknown: None if the desk answers these as unexpected.
    """

    own: type[Fault]
    no_route: Callable[[NoRoute], Fault]
    unexpected: Fault
    unavailable: Fault | None = None
    outcome_unknown: Fault | None = None
    refusals: tuple[type[Exception], ...] = ()
    of_refusal: Callable[[Exception], Fault] | None = None

    def of(self, error: Exception, request: HttpRequest) -> Fault:
        """Return the fault of an exception. Logs those that the client did not cause."""
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
    """Return the answer of ``serve``, or the ``failure`` for the fault that it raises. Never raises.

    serve: takes the route and the request with its path parameters. failure: sets the answer's ``error``, under which a
    refused order is counted on routes with ``counts_refusals``.
    """
    add_log_members(desk=table.desk)
    route: Route[Auth] | None = None
    try:
        route, parameters = table.find(request.method, request.path)
        response = serve(route, replace(request, route=route.path, path_parameters=parameters))
    except Exception as error:
        response = failure(faults.of(error, request))
    if route is not None and route.counts_refusals and response.error and response.status < SERVER_FAULT:
        order_refused(table.desk, response.error)
    return response
