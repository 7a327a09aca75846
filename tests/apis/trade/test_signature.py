"""Signatures (R7, R8): what they are over, which forms of a body they may be of, and how ECMAScript writes numbers."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.apis.kit.auth import is_signed
from chalicelib.apis.kit.exact_json import TooDeep
from chalicelib.apis.kit.http import HttpRequest
from chalicelib.apis.trade.routes import ROUTES
from chalicelib.apis.trade.signature import compact_form, ecmascript_number, messages, signature_of

SECRET, TIMESTAMP = "test-secret", "1700000000000"
UUID = "01563E3A-B5D3-D676-4C61-EFB99302BD5B"
ABC = '{"amount":0.01,"pair":"ABC_DEF","price":300000,"side":"buy","type":"limit"}'
ABC_SPACED = '{"amount": 0.01, "pair": "ABC_DEF", "price": 300000, "side": "buy", "type": "limit"}'
TEXTS = '{"amount":"0.01","pair":"BTC_BRL","price":"300000","side":"buy","type":"limit"}'
ZEROS = '{"pair":"BTC_BRL","side":"sell","type":"limit","amount":1.0,"price":42600.50}'
NO_ZEROS = '{"pair":"BTC_BRL","side":"sell","type":"limit","amount":1,"price":42600.5}'
SMALL = '{"pair":"BTC_BRL","side":"sell","type":"limit","amount":1e-7,"price":1000}'
VECTORS = {
    1: ("GET", "/trade/orders", "", "P+0efEIRSm+3+CfjGqDdYmxG5QfeHVBM6sTeky0qdRY="),
    2: ("GET", "/v4/orders", "", "0AVCr3myBWqC8qNZX1u4ZROFBZhjtiKJGihM082O+Yg="),
    3: ("POST", "/trade/orders", ABC, "mE9RgPEAPH0wu6H/flWpGX9G3efcSfEqjTsUf2vy6Qw="),
    4: ("POST", "/v4/orders", ABC, "qJ6kC8KXBU+I05goXwmj6FfvBVSXOipwPiqHrNvXITc="),
    5: ("POST", "/trade/orders", ABC_SPACED, "o8ZyM118XDvFD6RoKYl6CRXQ+3mAh8tFgJN10Vcs4Ec="),
    6: ("POST", "/trade/orders", TEXTS, "XCg+se0Vr18TR4jQlkgfDiOXDHhLBTLZYiAk2rbJOZs="),
    7: ("POST", "/trade/orders", ZEROS, "wKX396Xw+NNPAXzyU0lctnafkBxTaGxoQtp0xgBsGP0="),
    8: ("POST", "/trade/orders", NO_ZEROS, "L9TFSxZkLM9BhqzhgVTwLGeDJ6OjtFjcQcQWPDPLYvU="),
    9: ("POST", "/trade/orders", SMALL, "Gau8MqClMO5tO5TmZGT/oD+V2iJksaC6Dtuk4rIKFlQ="),
    10: ("GET", f"/trade/orders/{UUID}", "", "Kery6BQHFozpogt3wNDca5V8jie9ehAwZNnh4l1ixrw="),
    11: ("DELETE", "/trade/orders", f'{{"id":"{UUID}"}}', "TvoM+o0sRRORn1aZEe7A7nbxrJx0C/RxKg0ESaVsJKs="),
    12: ("DELETE", "/trade/orders/all", "", "s0Kyih0Emd9TZ3Ap4xEcOWLK1nEntpVuIY83kUKyrU0="),
    13: ("GET", "/trade/orders/by-external-id/order%2042", "", "DbLDPhGvQSjG0EwFmtWCecLyuaslD3jwqWiHV+Engb0="),
}
"""Signatures of SECRET at TIMESTAMP, by their numbers in the documentation: method, path, body, signature."""


def signature(number: int) -> str:
    return VECTORS[number][3]


def is_accepted(method: str, path: str, body: str, signature: str) -> bool:
    route, _ = ROUTES.find(method, path)
    request = HttpRequest(method, route.path, {}, {}, {}, body.encode(), path)
    return is_signed(signature, messages(TIMESTAMP, request), [SECRET])


@pytest.mark.parametrize(("method", "path", "body", "expected"), VECTORS.values(), ids=VECTORS)
def test_each_published_signature_is_made_and_accepted(method: str, path: str, body: str, expected: str) -> None:
    assert signature_of(SECRET, TIMESTAMP, method, path, body.encode()) == expected
    assert is_accepted(method, path, body, expected)


@pytest.mark.parametrize(
    ("body", "accepted"),
    [
        (json.dumps(json.loads(ABC), indent=4), [3]),
        (ABC_SPACED, [5, 3]),
        (ABC, [3]),
        (ZEROS, [7, 8]),
        (NO_ZEROS, [8]),
        ('{"pair": "BTC_BRL", "side": "sell", "type": "limit", "amount": 1e-7, "price": 1E3}', [9]),
    ],
    ids=["indented", "spaced", "compact", "with zeros", "without zeros", "with exponents"],
)
def test_a_body_may_be_signed_as_sent_or_in_its_compact_form_and_in_no_other(body: str, accepted: list[int]) -> None:
    """R7"""
    posted = [number for number, (method, path, *_) in VECTORS.items() if (method, path) == ("POST", "/trade/orders")]
    assert [number for number in posted if is_accepted("POST", "/trade/orders", body, signature(number))] == sorted(
        accepted
    )


def test_a_signature_is_of_one_mount_only() -> None:
    assert not is_accepted("GET", "/v4/orders", "", signature(1))
    assert not is_accepted("POST", "/v4/orders", ABC, signature(3))


@pytest.mark.parametrize(
    "wrong",
    [
        "nTQ5nt/V7s7LwQARSnHj2NTnjMd7N03evJbvn8gI81U=",
        "5OO4b9ZHx14Y8N2aD0IhyJ9XVheCJ+l8kmBp9lMnc4I=",
        "5jCMS4ZkKmJ9KKfO3VDfv8FEoENd2xEveSBC35Fafeo=",
        "zpydvQixMyQap0L4gb2W/15FMUrbF2tWSaMD4czb0FE=",
        signature(1)[:-1],
        signature(1) + "=",
        signature(1).swapcase(),
        "é" * 44,
        "\ud800" * 44,
        "",
    ],
    ids=[
        "with query",
        "method get",
        "no mount",
        "other secret",
        "cut",
        "longer",
        "case",
        "accent",
        "surrogate",
        "none",
    ],
)
def test_anything_else_is_no_signature(wrong: str) -> None:
    assert not is_accepted("GET", "/trade/orders", "", wrong)


def test_the_wrong_signatures_are_wrong_for_the_reasons_they_are_named_by() -> None:
    def of(method: str, path: str, secret: str = SECRET) -> str:
        message = f"{TIMESTAMP}{method}{path}"
        return signature_of(secret, "", "", "", message.encode())

    assert of("GET", "/trade/orders") == signature(1)
    assert of("GET", "/trade/orders?pair=BTC_BRL") == "nTQ5nt/V7s7LwQARSnHj2NTnjMd7N03evJbvn8gI81U="
    assert of("get", "/trade/orders") == "5OO4b9ZHx14Y8N2aD0IhyJ9XVheCJ+l8kmBp9lMnc4I="
    assert of("GET", "/orders") == "5jCMS4ZkKmJ9KKfO3VDfv8FEoENd2xEveSBC35Fafeo="
    assert of("GET", "/trade/orders", "other-secret") == "zpydvQixMyQap0L4gb2W/15FMUrbF2tWSaMD4czb0FE="


def test_a_get_signs_no_body_even_where_it_sends_one() -> None:
    assert is_accepted("GET", "/trade/orders", ABC, signature(1))
    signed_with_it = signature_of(SECRET, TIMESTAMP, "GET", "/trade/orders", ABC.encode())
    assert not is_accepted("GET", "/trade/orders", ABC, signed_with_it)


@pytest.mark.parametrize(
    ("body", "compact"),
    [
        ('{"a" : [1.0, true, null, false] }', '{"a":[1,true,null,false]}'),
        ('{"b":1,"a":2,"b":3}', '{"b":3,"a":2}'),
        ('{"a":"\\u00e9\\u2028\\ud83d\\ude00/\\/"}', '{"a":"é\u2028😀//"}'),
        ('{"a":"\\ud800 \\u001f\\b\\f\\n\\r\\t\\"\\\\\\u007f"}', '{"a":"\\ud800 \\u001f\\b\\f\\n\\r\\t\\"\\\\\x7f"}'),
        (' "text" ', '"text"'),
        ("-0", "0"),
        ("1e400", "null"),
        ("12345678901234567890123", "1.2345678901234568e+22"),
    ],
)
def test_the_compact_form_is_what_json_stringify_writes(body: str, compact: str) -> None:
    assert compact_form(body.encode()) == compact.encode()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b'{"a":1',
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":01}',
        b'{"a":1.}',
        b"\xff\xfe",
        b'{"a":1}x',
        b'\xef\xbb\xbf{"a": 1}',
    ],
)
def test_what_is_no_json_has_no_other_form(body: bytes) -> None:
    assert compact_form(body) == body


@pytest.mark.parametrize("body", [b"[" * 60_000, b"[" * 966 + b"]" * 966])
def test_what_is_nested_too_deeply_has_no_compact_form(body: bytes) -> None:
    """R44"""
    with pytest.raises(TooDeep):
        compact_form(body)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("0", "0"),
        ("-0.0", "0"),
        ("1", "1"),
        ("1.0", "1"),
        ("42600.50", "42600.5"),
        ("1E3", "1000"),
        ("-1.50", "-1.5"),
        ("0.000001", "0.000001"),
        ("0.0000001", "1e-7"),
        ("0.00000123", "0.00000123"),
        ("0.000000123", "1.23e-7"),
        ("100000000000000000000", "100000000000000000000"),
        ("123456789012345678901", "123456789012345680000"),
        ("999999999999999999999", "1e+21"),
        ("1e21", "1e+21"),
        ("1.5e300", "1.5e+300"),
        ("-1e-300", "-1e-300"),
        ("0.1", "0.1"),
        ("0.30000000000000004", "0.30000000000000004"),
        ("9007199254740993", "9007199254740992"),
        ("5e-324", "5e-324"),
        ("1e-400", "0"),
        ("1.7976931348623157e308", "1.7976931348623157e+308"),
        ("-1e309", "null"),
        ("0." + "3" * 400, "0.3333333333333333"),
        ("1" * 400, "null"),
    ],
)
def test_numbers_are_written_as_ecmascript_writes_them(text: str, shown: str) -> None:
    assert ecmascript_number(text) == shown


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_that_was_written_is_read_back_as_the_same_double_and_written_the_same(double: float) -> None:
    shown = ecmascript_number(repr(double))
    assert float(shown) == double
    assert ecmascript_number(shown) == shown


json_values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.integers() | st.text(),
    lambda values: st.lists(values, max_size=4) | st.dictionaries(st.text(), values, max_size=4),
)


@given(json_values, st.sampled_from([None, 1, 4]), st.booleans())
def test_however_a_value_is_laid_out_its_compact_form_is_the_same_and_has_no_other(
    value: object, indent: int | None, ascii_only: bool
) -> None:
    laid_out = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    compact = compact_form(laid_out.encode(errors="surrogatepass"))
    assert compact_form(json.dumps(value).encode()) == compact_form(compact) == compact
