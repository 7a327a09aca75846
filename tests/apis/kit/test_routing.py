"""How a path finds its route."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.apis.kit.routing import Decoding, NoRoute, Route, RouteTable
from tests.linear.measuring import assert_linear

METHODS = ("GET", "POST", "DELETE")


def route(method: str, path: str, *aliases: str, **more: bool) -> Route[None]:
    return Route(method, path, "things.one", None, "Thing", aliases=aliases, **more)


def table(*routes: Route[None], **more: object) -> RouteTable[None]:
    return RouteTable("test", routes, **more)  # type: ignore[arg-type]


def found(routes: RouteTable[None], path: str, method: str = "GET") -> tuple[str, dict[str, str]] | None:
    try:
        one, parameters = routes.find(method, path)
    except NoRoute:
        return None
    return one.path, parameters


# --- matching


ORDERS = (route("GET", "/orders"), route("GET", "/orders/{id}"), route("GET", "/orders/open"))


@pytest.mark.parametrize("routes", [ORDERS, ORDERS[::-1]])
def test_a_literal_comes_before_a_parameter_whatever_the_order_of_the_table(routes: tuple[Route[None], ...]) -> None:
    orders = table(*routes)
    assert found(orders, "/orders/open") == ("/orders/open", {})
    assert found(orders, "/orders/opened") == ("/orders/{id}", {"id": "opened"})


def test_a_literal_of_another_method_does_not_hide_a_parameter() -> None:
    balances = table(route("POST", "/balances/credit"), route("GET", "/balances/{customer}"))
    assert found(balances, "/balances/credit") == ("/balances/{customer}", {"customer": "credit"})
    assert found(balances, "/balances/credit", "POST") == ("/balances/credit", {})


def test_one_trailing_slash_does_not_count_and_empty_segments_do() -> None:
    orders = table(*ORDERS)
    assert found(orders, "/orders/") == ("/orders", {})
    assert found(orders, "/orders/1/") == ("/orders/{id}", {"id": "1"})
    for path in ("", "/", "orders", "//orders", "/orders//", "/orders/1//", "/Orders", "/orders/1/2"):
        assert found(orders, path) is None, path


def test_an_unknown_path_allows_nothing_and_a_wrong_method_what_is_there() -> None:
    orders = table(route("DELETE", "/orders/{id}"), route("GET", "/orders/{id}"), route("PATCH", "/orders/{name}"))
    for method, path, allowed in (
        ("GET", "/order/1", ()),
        ("POST", "/orders/1", ("GET", "PATCH", "DELETE")),
        ("HEAD", "/orders/1", ("GET", "PATCH", "DELETE")),
    ):
        with pytest.raises(NoRoute) as raised:
            orders.find(method, path)
        assert (raised.value.method, raised.value.path, raised.value.allowed) == (method, path, allowed)


def test_an_alias_is_the_route_itself() -> None:
    one = route("GET", "/v1/orders/{id}", "/v2/orders/{id}")
    assert table(one).find("GET", "/v2/orders/7") == (one, {"id": "7"})
    assert one.path_of({"id": "7"}) == "/v1/orders/7"


@pytest.mark.parametrize(
    ("decoding", "path", "expected"),
    [
        (Decoding.NOTHING, "/%6frders/1", None),
        (Decoding.NOTHING, "/orders/%31", ("/orders/{id}", {"id": "%31"})),
        (Decoding.NOTHING, "/orders/%zz", ("/orders/{id}", {"id": "%zz"})),
        (Decoding.COMPARED, "/%6frders/%31", ("/orders/{id}", {"id": "%31"})),
        (Decoding.COMPARED, "/orders/%6fpen", ("/orders/open", {})),
        (Decoding.COMPARED, "/orders/%zz", ("/orders/{id}", {"id": "%zz"})),
        (Decoding.EVERYTHING, "/%6frders/%31", ("/orders/{id}", {"id": "1"})),
        (Decoding.EVERYTHING, "/orders/%zz", None),
        (Decoding.EVERYTHING, "/orders/a%2Fb", ("/orders/{id}", {"id": "a/b"})),
        (Decoding.COMPARED, "/orders%2Fopen", None),
    ],
)
def test_segments_are_decoded_after_the_path_is_split_as_far_as_the_table_says(
    decoding: Decoding, path: str, expected: object
) -> None:
    assert found(table(*ORDERS, decoding=decoding), path) == expected


def test_words_that_are_no_id_do_not_fit_a_parameter() -> None:
    orders = table(ORDERS[1], decoding=Decoding.COMPARED, not_ids={"id": frozenset({"all"})})
    assert found(orders, "/orders/all") is None
    assert found(orders, "/orders/%61ll") is None
    assert found(orders, "/orders/All") == ("/orders/{id}", {"id": "All"})


def test_ascii_letters_of_some_parameters_are_made_small() -> None:
    wallets = table(route("GET", "/{id}/{uuid}"), lower_case=frozenset({"uuid"}))
    assert found(wallets, "/A/AB-1") == ("/{id}/{uuid}", {"id": "A", "uuid": "ab-1"})
    assert found(wallets, "/A/\u212a") == ("/{id}/{uuid}", {"id": "A", "uuid": "\u212a"})


@pytest.mark.parametrize(
    "twin", [route("GET", "/orders/{name}"), route("GET", "/x", "/orders/{other}"), route("GET", "/orders/{id}")]
)
def test_two_routes_that_fit_the_same_requests_make_no_table(twin: Route[None]) -> None:
    with pytest.raises(ValueError, match="fit the same requests"):
        table(*ORDERS, twin)
    table(*ORDERS, Route("POST", twin.path, "things.one", None, "Thing"))


SEGMENT = st.sampled_from(["a", "b", "{x}", "{y}"])
TEMPLATES = st.lists(st.tuples(st.sampled_from(METHODS), st.lists(SEGMENT, min_size=1, max_size=3)), max_size=8)
PATHS = st.lists(st.sampled_from(["a", "b", "c", ""]), max_size=4)


@given(templates=TEMPLATES, path=PATHS, method=st.sampled_from(METHODS))
def test_the_route_is_the_one_whose_literals_come_first_of_all_that_fit(
    templates: list[tuple[str, list[str]]], path: list[str], method: str
) -> None:
    """Compared with trying every template as a regular expression."""
    shapes = {(way, re.sub(r"\{\w\}", "{}", "/".join(parts))): (way, parts) for way, parts in templates}
    routes = table(*(route(way, "/" + "/".join(parts)) for way, parts in shapes.values()))
    text = "".join(f"/{segment}" for segment in path)

    def fits(parts: list[str]) -> bool:
        pattern = "/".join("[^/]+" if part.startswith("{") else part for part in parts)
        return re.fullmatch(f"/{pattern}/?", text) is not None

    fitting = [(way, parts) for way, parts in shapes.values() if fits(parts)]
    best = min(
        (parts for way, parts in fitting if way == method),
        key=lambda parts: [part.startswith("{") for part in parts],
        default=None,
    )
    if best is not None:
        assert routes.find(method, text)[0].path == "/" + "/".join(best)
        return
    with pytest.raises(NoRoute) as missing:
        routes.find(method, text)
    assert set(missing.value.allowed) == {way for way, _ in fitting}


@pytest.mark.parametrize("decoding", Decoding)
@pytest.mark.parametrize("make", [lambda size: "/" * size, lambda size: "/orders/" + "%41" * (size // 3)])
def test_matching_takes_time_linear_in_the_path(decoding: Decoding, make: Callable[[int], str]) -> None:
    routes = table(*ORDERS, decoding=decoding)
    assert_linear(lambda path: found(routes, path), make)
