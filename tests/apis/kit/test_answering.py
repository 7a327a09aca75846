"""How a desk finds its endpoints, and answers whatever is raised."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from chalicelib.apis.kit.answering import Faults, answered, endpoints_of
from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.apis.kit.routing import Route
from chalicelib.support.outcomes import OutcomeUnknown, Unavailable
from tests.apis.kit.test_routing import ORDERS, route, table

# --- endpoints


@dataclass
class Things:
    def one(self) -> str:
        return "one"


def test_endpoints_are_found_by_their_group_and_name() -> None:
    assert endpoints_of(table(*ORDERS), things=Things())["things.one"]() == "one"
    with pytest.raises(AttributeError):
        endpoints_of(table(*ORDERS), things=object())


# --- whatever is raised


class Refused(Exception):
    pass


class Broken(Exception):
    def __init__(self, name: str, status: int = 500) -> None:
        super().__init__(name)
        self.name, self.status = name, status


FAULTS = Faults(
    Broken,
    no_route=lambda missing: Broken("missing " + ",".join(missing.allowed), 404),
    unexpected=Broken("unexpected"),
    unavailable=Broken("unavailable"),
    outcome_unknown=Broken("unknown"),
    refusals=(Refused,),
    of_refusal=lambda _: Broken("refused", 409),
)


def failure(fault: Broken) -> HttpResponse:
    return HttpResponse(fault.status, fault.name, error=fault.name)


FEW_WORDS = Faults(Broken, no_route=lambda _: Broken("missing", 404), unexpected=Broken("unexpected"))


def answer(error: Exception, faults: Faults[Broken] = FAULTS, path: str = "/orders") -> str:
    def serve(_route: Route[None], _request: HttpRequest) -> HttpResponse:
        raise error

    request = HttpRequest("GET", None, {}, {}, {}, b"", path)
    return answered(table(*ORDERS), request, serve, faults, failure).body


@pytest.mark.parametrize(
    ("error", "said", "said_with_few_words"),
    [
        (Broken("own", 400), "own", "own"),
        (Refused(), "refused", "unexpected"),
        (Unavailable(), "unavailable", "unexpected"),
        (OutcomeUnknown(), "unknown", "unexpected"),
        (KeyError("a bug"), "unexpected", "unexpected"),
    ],
)
def test_what_is_raised_is_answered_in_the_desks_words(error: Exception, said: str, said_with_few_words: str) -> None:
    assert answer(error) == said
    assert answer(error, FEW_WORDS) == said_with_few_words


def test_a_path_without_a_route_is_answered_and_not_served() -> None:
    assert answer(KeyError("served"), path="/nowhere") == "missing "


def test_an_endpoint_gets_the_route_and_the_parameters_in_its_path() -> None:
    def serve(one: Route[None], request: HttpRequest) -> HttpResponse:
        return HttpResponse(200, f"{one.name} {request.route} {request.path_parameters} {request.path}")

    request = HttpRequest("GET", None, {}, {}, {}, b"", "/orders/7/")
    shown = answered(table(*ORDERS), request, serve, FAULTS, failure)
    assert shown.body == "GET /orders/{id} /orders/{id} {'id': '7'} /orders/7/"


@pytest.mark.parametrize(
    ("counts", "outcome", "counted"),
    [
        (True, Broken("own", 400), [("test", "own")]),
        (True, Refused(), [("test", "refused")]),
        (True, failure(Broken("answered", 422)), [("test", "answered")]),
        (True, HttpResponse(400, "answered before"), []),
        (True, HttpResponse(200, "well"), []),
        (True, Broken("own", 503), []),
        (True, KeyError("a bug"), []),
        (False, Broken("own", 400), []),
        (False, failure(Broken("answered", 422)), []),
    ],
)
def test_refusals_by_the_client_count_where_the_route_says_so(
    monkeypatch: pytest.MonkeyPatch, counts: bool, outcome: Exception | HttpResponse, counted: list[tuple[str, str]]
) -> None:
    """Raised or answered by the endpoint, but not what was answered before."""
    seen: list[tuple[str, str]] = []
    monkeypatch.setattr("chalicelib.apis.kit.answering.order_refused", lambda desk, code: seen.append((desk, code)))

    def serve(_route: Route[None], _request: HttpRequest) -> HttpResponse:
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    routes = table(route("GET", "/orders", counts_refusals=counts))
    request = HttpRequest("GET", None, {}, {}, {}, b"", "/orders")
    answered(routes, request, serve, FAULTS, failure)
    assert seen == counted
