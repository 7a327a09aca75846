"""The headers of a private route, the window of time and the two forms of a signature (R4 to R8)."""

from __future__ import annotations

import base64
import hmac
import json
from typing import Any

import pytest

from chalicelib.apis.kit.http import HttpRequest
from chalicelib.apis.trade.routes import ROUTES
from chalicelib.apis.trade.signature import messages, signature_of
from chalicelib.domain.tenancy.keys import token_secret_of
from chalicelib.tables.dynamodb import Database
from tests.apis.trade.cases import LIST, invalid, order, outcome_of, placed, unauthorized
from tests.apis.trade.desk import MASTER_KEY, SignedClient, SignedDesk, open_trade_desk
from tests.apis.trade.test_signature import VECTORS
from tests.case_tables import cases
from tests.world import World

NOW_MS = 1_700_000_000_000
UUID = "01563E3A-B5D3-D676-4C61-EFB99302BD5B"
PASSED, NO_ORDER_ID = invalid("body"), invalid("order_id")
"""The endpoint finds no body, or no member in it, so the gate has let the request in."""
WRONG = unauthorized("Signature is invalid.")
OUTSIDE = unauthorized("Timestamp is outside the tolerance window.")
MALFORMED = unauthorized("Timestamp header is invalid.")
TOLERANCE = invalid("timestamp-tolerance")


@pytest.fixture
def still(memory_database: Database) -> SignedDesk:
    """A desk whose time stands still."""
    return open_trade_desk(World(memory_database), clock=lambda: NOW_MS)


def sent_at(desk: SignedDesk, timestamp: str, **headers: str) -> object:
    """Send a PUT, which has one answer when it is let in, signed at this time."""
    signature = signature_of(desk.secret, timestamp, "PUT", LIST, b"")
    usual = {"timestamp": timestamp, "signature": signature}
    return outcome_of(desk.send("PUT", LIST, headers=usual | {n.replace("_", "-"): v for n, v in headers.items()}))


# --- headers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", cases(("upper", str.upper), ("title", str.title), ("lower", str.lower)))
def test_names_of_headers_are_case_insensitive(client: SignedClient, change: Any) -> None:
    timestamp = str(client.desk.clock())
    signature = signature_of(client.desk.secret, timestamp, "PUT", LIST, b"")
    sent = {"authorization": client.desk.token, "timestamp": timestamp, "signature": signature}
    sent |= {"timestamp-tolerance": "10000"}
    response = client.http.put(LIST, headers={change(name): value for name, value in sent.items()})
    assert client.read(response) == PASSED


@pytest.mark.parametrize("word", cases(("Bearer", "Bearer "), ("Token", "Token "), ("a space", " ")))
def test_a_token_comes_bare(still: SignedDesk, word: str) -> None:
    sent = {"authorization": word + still.token}
    assert outcome_of(still.send("PUT", LIST, headers=sent)) == unauthorized("API token is invalid.")


TIMESTAMPS = cases(
    ("now",              str(NOW_MS),           PASSED),
    ("with zeros ahead", "00" + str(NOW_MS),    PASSED),
    ("15 digits",        "9" * 15,              OUTSIDE),
    ("1 digit",          "0",                   OUTSIDE),
    ("seconds",          str(NOW_MS // 1000),   OUTSIDE),
    *((repr(text), text, MALFORMED) for text in (
        "9" * 16, "-1", "+1", "1.7e12", "1700000000000.0", "12a", " ", "1,700", "0x18BCFE56800", "\u0661")),
)  # fmt: skip


@pytest.mark.parametrize(("timestamp", "outcome"), TIMESTAMPS)
def test_a_timestamp_is_1_to_15_digits(still: SignedDesk, timestamp: str, outcome: object) -> None:
    assert sent_at(still, timestamp) == outcome


TOLERANCES = cases(
    ("0",              "0",           PASSED),
    ("the maximum",    "60000",       PASSED),
    ("9 digits",       "000060000",   PASSED),
    ("above it",       "60001",       TOLERANCE),
    ("10 digits",      "0000060000",  TOLERANCE),
    *((repr(text), text, TOLERANCE) for text in ("999999999", "abc", "-1", "+1", "1.5", "1e3", " 1", "")),
)  # fmt: skip


@pytest.mark.parametrize(("tolerance", "outcome"), TOLERANCES)
def test_r4_a_tolerance_comes_in_either_spelling(still: SignedDesk, tolerance: str, outcome: object) -> None:
    for name in ("timestamp-tolerance", "timstamp-tolerance"):
        assert sent_at(still, str(NOW_MS), **{name: tolerance}) == outcome


BOTH = cases(
    ("the first is wider",    "7000", "1000", PASSED),
    ("the first is narrower", "1000", "7000", OUTSIDE),
    ("the second is faulty",  "7000", "abc",  PASSED),
    ("the first is faulty",   "abc",  "7000", TOLERANCE),
)  # fmt: skip


@pytest.mark.parametrize(("first", "second", "outcome"), BOTH)
def test_r4_of_both_spellings_the_first_counts(still: SignedDesk, first: str, second: str, outcome: object) -> None:
    sent = {"timestamp-tolerance": first, "timstamp-tolerance": second}
    assert sent_at(still, str(NOW_MS - 6000), **sent) == outcome


@pytest.mark.parametrize("tolerance_ms", cases(*((str(ms), ms) for ms in (None, 0, 1, 1000, 59_999, 60_000))))
def test_r5_the_window_is_symmetric_and_inclusive(still: SignedDesk, tolerance_ms: int | None) -> None:
    sent = {} if tolerance_ms is None else {"timestamp-tolerance": str(tolerance_ms)}
    most = 5000 if tolerance_ms is None else tolerance_ms
    assert {sent_at(still, str(NOW_MS + way * most), **sent) for way in (-1, 1)} == {PASSED}
    assert {sent_at(still, str(NOW_MS + way * (most + 1)), **sent) for way in (-1, 1)} == {OUTSIDE}


def test_r6_a_signature_may_be_used_again_inside_its_window(memory_database: Database) -> None:
    now = [NOW_MS]
    desk = open_trade_desk(World(memory_database), clock=lambda: now[0])
    seen = []
    for later_ms in (0, 1, 4999, 5000, 5001):
        now[0] = NOW_MS + later_ms
        seen.append(sent_at(desk, str(NOW_MS)))
    assert seen == [PASSED] * 4 + [OUTSIDE]


def test_r6_what_protects_from_a_doubled_order_is_its_external_id(desk: SignedDesk) -> None:
    timestamp, body = str(desk.clock()), json.dumps(order(external_id="once")).encode()
    sent = {"timestamp": timestamp, "signature": signature_of(desk.secret, timestamp, "POST", LIST, body)}
    assert [outcome_of(desk.post(LIST, body, sent)) for _ in range(2)] == [200, invalid("external_id")]


# --- what is signed ----------------------------------------------------------------------------------------------

# what the signature is over, in place of (secret, timestamp, METHOD, path, body) of PUT /trade/orders
SIGNED: list[Any] = cases(
    ("the request",               lambda s, t: (s, t, "PUT", LIST, b"{}"),                     NO_ORDER_ID),
    ("the secret's bytes",        lambda s, t: (bytes.fromhex(s), t, "PUT", LIST, b"{}"),      WRONG),
    ("another secret",            lambda _, t: (token_secret_of(MASTER_KEY, "x"), t, "PUT", LIST, b"{}"), WRONG),
    ("the token as secret",       lambda _, t: ("token-of-ann", t, "PUT", LIST, b"{}"),        WRONG),
    ("the time in seconds",       lambda s, t: (s, t[:-3], "PUT", LIST, b"{}"),                WRONG),
    ("no time",                   lambda s, _: (s, "", "PUT", LIST, b"{}"),                    WRONG),
    ("the method in lower case",  lambda s, t: (s, t, "put", LIST, b"{}"),                     WRONG),
    ("another method",            lambda s, t: (s, t, "POST", LIST, b"{}"),                    WRONG),
    ("no prefix",                 lambda s, t: (s, t, "PUT", "/orders", b"{}"),                WRONG),
    ("the other mount",           lambda s, t: (s, t, "PUT", "/v4/orders", b"{}"),             WRONG),
    ("a trailing slash",          lambda s, t: (s, t, "PUT", LIST + "/", b"{}"),               WRONG),
    ("the query too",             lambda s, t: (s, t, "PUT", LIST + "?a=b", b"{}"),            WRONG),
    ("no body",                   lambda s, t: (s, t, "PUT", LIST, b""),                       WRONG),
    ("another body",              lambda s, t: (s, t, "PUT", LIST, b"[]"),                     WRONG),
    ("commas between the parts",  lambda s, t: (s, t + ",", "PUT,", LIST + ",", b"{}"),        WRONG),
)  # fmt: skip


@pytest.mark.parametrize(("parts", "outcome"), SIGNED)
def test_a_signature_is_over_time_method_path_and_body_and_nothing_else(
    still: SignedDesk, parts: Any, outcome: object
) -> None:
    secret, timestamp, method, path, body = parts(still.secret, str(NOW_MS))
    key = secret if isinstance(secret, bytes) else secret.encode()
    digest = hmac.digest(key, f"{timestamp}{method}{path}".encode() + body, "sha256")
    sent = {"signature": base64.b64encode(digest).decode()}
    assert outcome_of(still.send("PUT", LIST + "/", query="a=b", body=b"{}", headers=sent)) == outcome


def test_a_path_is_signed_with_its_parameters_and_its_encoding_as_sent(client: SignedClient) -> None:
    placed(client.desk, external_id="order~42")
    paths = [f"/trade/orders/by-external-id/{name}" for name in ("order~42", "order%7E42", "order%7e42")]
    assert [client.outcome("GET", path) for path in paths] == [200, 200, 200]
    timestamp = str(client.desk.clock())
    sent = {"timestamp": timestamp}
    for path in paths[:2]:
        sent["signature"] = signature_of(client.desk.secret, timestamp, "GET", path, b"")
        assert client.outcome("GET", paths[2], headers=sent) == WRONG


TEMPLATES = cases(
    *((template, template, concrete) for template, concrete in (
        ("/orders/{id}",                          f"/orders/{UUID}"),
        ("/orders/by-external-id/{external_id}",  "/orders/by-external-id/order%2042"),
        ("/orders/estimate-price/{pair}",         "/orders/estimate-price/B_Q"),
        ("/ticker/{pair}",                        "/ticker/B_Q"),
        ("/user/balances/{date}",                 "/user/balances/2023-11-01"),
        ("/user/statement/{currency_code}",       "/user/statement/B"),
    ))
)  # fmt: skip


@pytest.mark.parametrize("mount", cases(("trade", "/trade"), ("v4", "/v4")))
@pytest.mark.parametrize(("template", "concrete"), TEMPLATES)
def test_r61_a_get_may_be_signed_over_its_documented_path(
    still: SignedDesk, mount: str, template: str, concrete: str
) -> None:
    other = {"/trade": "/v4", "/v4": "/trade"}[mount]
    right, path = (f"{mount}{template}", f"{mount}{concrete}"), f"{mount}{concrete}/"
    wrong = (template, concrete, f"{other}{template}", f"{mount}{template}/", right[0].replace("{", ":"), mount)
    for signed in (*right, *wrong):
        sent = {"signature": signature_of(still.secret, str(NOW_MS), "GET", signed, b"")}
        assert (outcome_of(still.send("GET", path, headers=sent)) != WRONG) is (signed in right), signed


def test_r61_a_shortened_path_never_counts(still: SignedDesk) -> None:
    for signed in ("/trade/orders", "/trade/orders/", "/trade/orders/{external_id}", "/trade", "/orders/{id}"):
        sent = {"signature": signature_of(still.secret, str(NOW_MS), "GET", signed, b"")}
        assert outcome_of(still.send("GET", f"/trade/orders/{UUID}", headers=sent)) == WRONG


def test_r61_a_write_is_signed_over_its_concrete_path() -> None:
    """None has a parameter today; so one is asked as if it had."""
    request = HttpRequest("PUT", "/trade/orders/{id}", {}, {}, {}, b"", f"/trade/orders/{UUID}")
    assert set(messages("1", request)) == {f"1PUT/trade/orders/{UUID}".encode()}
    assert not any("{" in route.path for route in ROUTES if route.method != "GET")


def test_a_get_signs_the_empty_string_whatever_its_body_is(still: SignedDesk) -> None:
    signature = signature_of(still.secret, str(NOW_MS), "GET", "/trade/user/balances", b"")
    for body in (b"", b"{}", b"no json"):
        assert still.send("GET", "/trade/user/balances", body=body, headers={"signature": signature}).status == 200
    with_body = signature_of(still.secret, str(NOW_MS), "GET", "/trade/user/balances", b"{}")
    sent = {"signature": with_body}
    assert outcome_of(still.send("GET", "/trade/user/balances", body=b"{}", headers=sent)) == WRONG


# --- R7: the two forms of a body ---------------------------------------------------------------------------------

# body as sent, and what JSON.stringify makes of it
FORMS = cases(
    ("members in their order",     '{ "b" : 1, "a" : 2 }',            '{"b":1,"a":2}'),
    ("indented",                   '{\n    "a": [\n 1\n]\n}',         '{"a":[1]}'),
    ("1.0",                        '{"a": 1.0}',                      '{"a":1}'),
    ("42600.50",                   '{"a": 42600.50}',                 '{"a":42600.5}'),
    ("1E3",                        '{"a": 1E3}',                      '{"a":1000}'),
    ("1e-7",                       '{"a": 0.0000001}',                '{"a":1e-7}'),
    ("1e21",                       '{"a": 1000000000000000000000}',   '{"a":1e+21}'),
    ("minus zero",                 '{"a": -0.0}',                     '{"a":0}'),
    ("more digits than a double",  '{"a": 0.1000000000000000055}',    '{"a":0.1}'),
    ("non-ASCII unescaped",        '{"a": "\\u00e9\\u20ac"}',         '{"a":"é€"}'),
    ("a solidus",                  '{"a": "\\/"}',                    '{"a":"/"}'),
    ("a control character",        '{"a": "\\u0007\\u000A"}',         '{"a":"\\u0007\\n"}'),
    ("numbers in texts stay",      '{"a": "1.0"}',                    '{"a":"1.0"}'),
    ("words",                      '{"a": [true, false, null]}',      '{"a":[true,false,null]}'),
    ("a doubled member",           '{"a": 1, "b": 2, "a": 3}',        '{"a":3,"b":2}'),
)  # fmt: skip


@pytest.mark.parametrize(("body", "compact"), FORMS)
def test_r7_a_body_may_be_signed_raw_or_compact(still: SignedDesk, body: str, compact: str) -> None:
    for signed, outcome in ((body, NO_ORDER_ID), (compact, NO_ORDER_ID), (body + " ", WRONG), (compact + "x", WRONG)):
        signature = signature_of(still.secret, str(NOW_MS), "PUT", LIST, signed.encode())
        answer = still.send("PUT", LIST, body=body.encode(), headers={"signature": signature})
        assert outcome_of(answer) == outcome


NO_JSON = cases(*((repr(body)[:20], body) for body in (
    b"not json", b'{"a": 1,}', b"{'a': 1}", b'{"a": NaN}', b"\xff{}", b'{"a": 01}', b'{"a": 1} x',
)))  # fmt: skip


@pytest.mark.parametrize("body", NO_JSON)
def test_r7_what_is_no_json_is_signed_raw(still: SignedDesk, body: bytes) -> None:
    for signed, outcome in ((body, PASSED), (body.replace(b" ", b"") + b" ", WRONG)):
        signature = signature_of(still.secret, str(NOW_MS), "PUT", LIST, signed)
        assert outcome_of(still.send("PUT", LIST, body=body, headers={"signature": signature})) == outcome


# --- R8: comparing -----------------------------------------------------------------------------------------------


def test_r8_both_forms_are_computed_and_compared_in_constant_time(
    still: SignedDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever form is right, and whether one is."""
    compared = counting(monkeypatch)
    for body in (b'{"a": 1}', b'{"a":1}', b"[]"):
        compared.clear()
        signature = signature_of(still.secret, str(NOW_MS), "PUT", LIST, b'{"a": 1}')
        still.send("PUT", LIST, body=body, headers={"signature": signature})
        assert [len(one) for one in compared] == [44, 44]


@pytest.mark.parametrize("signed", cases(("as sent", "/v4/ticker/B_Q"), ("as documented", "/v4/ticker/{pair}"),
                                         ("neither", "/v4/ticker"), ("without parameters", "/v4/pairs")))  # fmt: skip
def test_r61_both_paths_are_computed_and_compared_in_constant_time(
    still: SignedDesk, monkeypatch: pytest.MonkeyPatch, signed: str
) -> None:
    compared = counting(monkeypatch)
    sent = {"signature": signature_of(still.secret, str(NOW_MS), "GET", signed, b"")}
    still.send("GET", "/v4/pairs" if signed == "/v4/pairs" else "/v4/ticker/B_Q", headers=sent)
    assert [len(one) for one in compared] == [44, 44]


def counting(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Return the signatures that are compared from now on."""
    compared: list[bytes] = []
    compare = hmac.compare_digest

    def counted(one: Any, other: Any) -> bool:
        compared.append(other)
        return compare(one, other)

    monkeypatch.setattr(hmac, "compare_digest", counted)
    return compared


LENGTHS = cases(*((repr(text)[:12], text) for text in ("x", "x" * 43, "x" * 45, VECTORS[1][3] + "=", "é" * 44)))


@pytest.mark.parametrize("signature", LENGTHS)
def test_r8_a_header_of_another_length_is_a_wrong_signature(still: SignedDesk, signature: str) -> None:
    assert outcome_of(still.send("PUT", LIST, headers={"signature": signature})) == WRONG
