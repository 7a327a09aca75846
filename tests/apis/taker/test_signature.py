"""What a request's signature is over: the published vectors, and the ways of writing a query (K5, K44)."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import pytest
import requests
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chalicelib.apis.taker import gate
from chalicelib.apis.taker.signature import query_forms, signature_of
from tests.apis.taker.desk import API, NOW_S, Desk, data_of, fault_of

SECRET, TIMESTAMP = "demo-secret-0001", "1737082824000"
LIST, LOCK = "/takers/orders", "/orders/lock"
QUERY = "status=locked,partially_filled&page=1&page_size=20"
BODY = b'{"order_hash":"0x5ec4bac3a43ce9e8785bac8c991bb90f1334909555ad04b4b903e140f9261c11"}'
VECTORS = {
    "list": ("GET", LIST, QUERY.encode(), "X0b2DbWanGa/2rL2H2QHP6moGyc/ZrQ9i1vglOMiTYw="),
    "list without query": ("GET", LIST, b"", "bzMp1ujQHGTWtNLyCni8h+MBqwmO0Ye+s5DdjAciJbo="),
    "lock": ("POST", LOCK, BODY, "4idgIezJ2eqSEfQy4wwR80Lmfzc4ledynzPm6jOPYHQ="),
}
WRONG = (401, 10010008)


@pytest.fixture
def desk(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """The desk at the vectors' time, with their secret."""
    monkeypatch.setattr(gate, "secret_of", lambda _key, _api_key: SECRET)
    return desk


def sent(desk: Desk, method: str, path: str, signature: str, query: Any = None, body: bytes = b"") -> Any:
    headers = {"x-api-timestamp": TIMESTAMP, "x-api-signature": signature}
    return desk.signed(method, path, query=query or "", body=body, headers=headers)


@pytest.mark.parametrize(("method", "path", "content", "signature"), VECTORS.values(), ids=VECTORS)
def test_the_published_signatures_let_their_requests_in(
    desk: Desk, method: str, path: str, content: bytes, signature: str
) -> None:
    assert str(NOW_S * 1000) == TIMESTAMP
    assert signature_of(SECRET, method, API + path, TIMESTAMP, content) == signature
    if method == "GET":
        assert data_of(sent(desk, method, path, signature, content.decode()))["orders"] == []
    else:
        assert fault_of(sent(desk, method, path, signature, body=content)) == (404, 404)


FORMS = {
    "as received": "status=locked,filled&page=1&is_buy=true",
    "percent-encoded": "status=locked%2Cfilled&page=1&is_buy=true",
    "sorted by name": "is_buy=true&page=1&status=locked,filled",
    "sorted and percent-encoded": "is_buy=true&page=1&status=locked%2Cfilled",
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_query_may_be_signed_in_four_forms(desk: Desk, form: str) -> None:
    """K5: of what the gateway has decoded."""
    signature = signature_of(SECRET, "GET", API + LIST, TIMESTAMP, form.encode())
    assert sent(desk, "GET", LIST, signature, FORMS["as received"]).status == 200


@pytest.mark.parametrize(
    "form",
    [
        "page=1&status=locked,filled&is_buy=true",
        "?status=locked,filled&page=1&is_buy=true",
        "status=locked,filled&page=2&is_buy=true",
        "status=locked,filled&page=1",
        "",
    ],
)
def test_another_query_is_another_signature(desk: Desk, form: str) -> None:
    signature = signature_of(SECRET, "GET", API + LIST, TIMESTAMP, form.encode())
    assert fault_of(sent(desk, "GET", LIST, signature, FORMS["as received"])) == WRONG


def test_repeated_parameters_stay_in_their_order_and_values_are_encoded_by_rfc_3986() -> None:
    query = parse_qs("b=2&a=x+y&b=1/~&c=", keep_blank_values=True)
    forms = query_forms(query)
    for form in (
        b"b=2&b=1/~&a=x y&c=",
        b"b=2&b=1%2F~&a=x%20y&c=",
        b"a=x y&b=2&b=1/~&c=",
        b"a=x%20y&b=2&b=1%2F~&c=",
    ):
        assert forms.count(form) == 1
    assert not any(form.index(b"b=1") < form.index(b"b=2") for form in forms)


letters = st.sampled_from("a1&=+%#;,:/?@!$'()*[]~ \u00e9\U0001f600") | st.characters(codec="utf-8")
pairs = st.lists(st.tuples(st.sampled_from("abc"), st.text(letters, max_size=8)), max_size=4)


@settings(max_examples=200, deadline=None)
@given(pairs=pairs)
@example(pairs=[("a", "1& 2=3")])
@example(pairs=[("a", "1+ 2"), ("b", "%41")])
def test_every_form_but_the_undecoded_one_says_the_same(pairs: list[tuple[str, str]]) -> None:
    """K44: so nobody can make a signed text stand for another query."""
    query: dict[str, list[str]] = {}
    for name, value in pairs:
        query.setdefault(name, []).append(value)
    forms = query_forms(query)
    received = [(name, value) for name, values in query.items() for value in values]
    undecoded = {"&".join(f"{n}={v}" for n, v in order).encode() for order in (received, sorted(received, key=_name))}
    assert len(forms) <= 2 + 2 * 4 * 9
    for form in set(forms) - undecoded:
        assert parse_qs(form.decode(), keep_blank_values=True) == query


def _name(pair: tuple[str, str]) -> str:
    return pair[0]


@settings(max_examples=200, deadline=None)
@given(pairs=pairs)
def test_what_pythons_libraries_write_is_among_the_forms(pairs: list[tuple[str, str]]) -> None:
    query: dict[str, list[str]] = {}
    for name, value in pairs:
        query.setdefault(name, []).append(value)
    received = [(name, value) for name, values in query.items() for value in values]
    written = {
        urlencode(received),
        urlencode(received, quote_via=quote, safe=""),
        urlsplit(requests.Request("GET", "https://host/", params=received).prepare().url or "").query,
    }
    forms = query_forms(query)
    assert all(text.encode() in forms for text in written)
