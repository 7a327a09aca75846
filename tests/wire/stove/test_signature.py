"""What a request's signature is over: the published vectors, and the four ways of writing a query (K5)."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs

import pytest

from chalicelib.wire.http import HttpRequest
from chalicelib.wire.stove import gate
from chalicelib.wire.stove.signature import is_signed, query_forms, signature_of
from tests.wire.stove.desk import API, NOW_S, Desk, data_of, fault_of

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
        "status=locked%2cfilled&page=1&is_buy=true",
        "",
    ],
)
def test_another_query_is_another_signature(desk: Desk, form: str) -> None:
    signature = signature_of(SECRET, "GET", API + LIST, TIMESTAMP, form.encode())
    assert fault_of(sent(desk, "GET", LIST, signature, FORMS["as received"])) == WRONG


def test_repeated_parameters_stay_in_their_order_and_values_are_encoded_by_rfc_3986() -> None:
    query = parse_qs("b=2&a=x+y&b=1/~&c=", keep_blank_values=True)
    assert query_forms(query) == [
        b"b=2&b=1/~&a=x y&c=",
        b"b=2&b=1%2F~&a=x%20y&c=",
        b"a=x y&b=2&b=1/~&c=",
        b"a=x%20y&b=2&b=1%2F~&c=",
    ]


CHANGED: dict[str, dict[str, Any]] = {
    "secret": {"secret": "demo-secret-0002"},
    "method": {"method": "GET"},
    "path": {"path": API + "/orders/unlock"},
    "alias": {"path": API + "/takers/orders/lock"},
    "slash": {"path": API + LOCK + "/"},
    "timestamp": {"timestamp": "1737082824001"},
    "body": {"content": BODY + b" "},
    "compact body": {"content": json.dumps(json.loads(BODY)).encode()},
    "no body": {"content": b""},
}


@pytest.mark.parametrize("changed", CHANGED.values(), ids=CHANGED)
def test_a_signature_of_anything_else_does_not_match(desk: Desk, changed: dict[str, Any]) -> None:
    """The body counts as its bytes, and a path as it was sent."""
    facts: dict[str, Any] = {"secret": SECRET, "method": "POST", "path": API + LOCK, "timestamp": TIMESTAMP}
    signature = signature_of(**facts | {"content": BODY} | changed)
    assert fault_of(sent(desk, "POST", LOCK, signature, body=BODY)) == WRONG


@pytest.mark.parametrize("signature", ["x", VECTORS["lock"][3][:-1], VECTORS["lock"][3].lower(), "\u00e9" * 44])
def test_a_signature_is_padded_base64(desk: Desk, signature: str) -> None:
    assert fault_of(sent(desk, "POST", LOCK, signature, body=BODY)) == WRONG


def test_the_alias_paths_are_signed_as_they_are_sent(desk: Desk) -> None:
    """K3"""
    path = "/takers/orders/lock"
    signature = signature_of(SECRET, "POST", API + path, TIMESTAMP, BODY)
    assert fault_of(sent(desk, "POST", path, signature, body=BODY)) == (404, 404)


def test_a_get_signs_its_query_and_no_body() -> None:
    request = HttpRequest("GET", None, {}, {}, {}, b"body", API + LIST)
    assert is_signed(VECTORS["list without query"][3], SECRET, TIMESTAMP, request)
