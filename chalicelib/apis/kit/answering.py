"""The shell of a desk: it finds the route, has it served, and answers whatever is raised in the desk's own words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
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
    """Return the endpoints that a table names, by these names. Raises AttributeError where a group lacks one."""
    found = SimpleNamespace(**groups)
    return {route.endpoint: attrgetter(route.endpoint)(found) for route in table}


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

    serve: takes the route and the request with its path parameters. failure: names its error in the answer; by that
    name it is counted where the route places orders, also where an endpoint has answered so itself.
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
