"""Who is calling: takers' API keys and their signatures (K4, K5), makers' JWTs."""

from __future__ import annotations

import base64
import json
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jwt
import pytest

from chalicelib.apis.kit.auth import is_signed
from chalicelib.apis.kit.http import HttpRequest
from chalicelib.apis.taker.signature import messages, signature_of
from chalicelib.domain.tenancy.credentials import digest_of
from chalicelib.domain.tenancy.keys import TAKER_KEYS, jwt_secret_of, taker_secret_of
from chalicelib.support.clock import now_ms
from chalicelib.tables.credentials import Credentials
from tests.apis.taker.cases import (
    AVAILABLE,
    BAD_SIGNATURE,
    BAD_TIME,
    FILLS,
    FORBIDDEN,
    KEY_ENDED,
    KEY_UNKNOWN,
    LIST,
    NO_KEY,
    NO_SESSION,
    UNKNOWN_HASH,
    HttpClient,
    Outcome,
    listed_hashes,
    locked,
    nothing_changes,
    outcome_of,
)
from tests.apis.taker.desk import (
    API,
    API_KEY,
    INSTANCE,
    MASTER_KEY,
    NOW_S,
    OTHER_INSTANCE,
    TAKER,
    Desk,
    connect_body,
    data_of,
    make_key,
    open_instance,
)
from tests.case_tables import cases

# --- K4: headers of a taker --------------------------------------------------------------------------------------

HEADERS: Any = cases(
    ("all of them",            {},                                               200),
    ("the key alone",          {"x-api-timestamp": ..., "x-api-signature": ...}, 200),
    ("empty ones are missing", {"x-api-timestamp": "", "x-api-signature": ""},   200),
    ("no key",                 {"x-api-key": ...},                               NO_KEY),
    ("an empty key",           {"x-api-key": ""},                                NO_KEY),
    ("no timestamp",           {"x-api-timestamp": ...},                         NO_KEY),
    ("no signature",           {"x-api-signature": ...},                         NO_KEY),
    ("an unknown key",         {"x-api-key": "nobody"},                          KEY_UNKNOWN),
    ("a key in another case",  {"x-api-key": API_KEY.upper()},                   KEY_UNKNOWN),
    ("its digest as the key",  {"x-api-key": digest_of(API_KEY)},                KEY_UNKNOWN),
    ("a blank behind a key",   {"x-api-key": API_KEY + " "},                     KEY_UNKNOWN),
    ("half a letter as a key", {"x-api-key": "\ud800"},                          KEY_UNKNOWN),
    ("another signature",      {"x-api-signature": "A" * 43 + "="},              BAD_SIGNATURE),
    ("no signature at all",    {"x-api-signature": "é"},                         BAD_SIGNATURE),
    ("a JWT is not looked at", {"authorization": "Bearer x"},                    200),
    ("a JWT is no key",        {"x-api-key": ..., "authorization": "Bearer x"},  NO_KEY),
)  # fmt: skip


@pytest.mark.parametrize(("headers", "outcome"), HEADERS)
def test_k4_headers_of_a_taker(shared: Desk, headers: dict[str, Any], outcome: Outcome) -> None:
    for path in (LIST, AVAILABLE, FILLS):
        assert outcome_of(shared.signed("GET", path, query="page=1", headers=headers)) == outcome
    with nothing_changes(shared):
        answer = shared.signed("POST", "/orders/unlock", body={"order_hash": UNKNOWN_HASH}, headers=headers)
        assert outcome_of(answer) == ((404, 404) if outcome == 200 else outcome)


TIMESTAMPS: Any = cases(
    ("now",                    lambda now_ms: str(now_ms),           200),
    ("300 seconds old",        lambda now_ms: str(now_ms - 300_000), 200),
    ("300 seconds ahead",      lambda now_ms: str(now_ms + 300_000), 200),
    ("a millisecond more",     lambda now_ms: str(now_ms - 300_001), BAD_TIME),
    ("a millisecond too far",  lambda now_ms: str(now_ms + 300_001), BAD_TIME),
    ("seconds",                lambda now_ms: str(now_ms // 1000),   BAD_TIME),
    ("a fraction",             lambda now_ms: f"{now_ms}.0",         BAD_TIME),
    ("a sign",                 lambda now_ms: f"+{now_ms}",          BAD_TIME),
    ("words",                  lambda _: "now",                      BAD_TIME),
    ("digits of another kind", lambda _: "\u0661\u0662",             BAD_TIME),
    ("16 digits",              lambda _: "1" * 16,                   BAD_TIME),
    ("hundreds of digits",     lambda _: "9" * 500,                  BAD_TIME),
)  # fmt: skip


@pytest.mark.parametrize(("timestamp", "outcome"), TIMESTAMPS)
def test_a_timestamp_is_in_milliseconds_and_of_about_now(
    shared: Desk, timestamp: Callable[[int], str], outcome: Outcome
) -> None:
    sent = timestamp(shared.clock())
    signature = signature_of(shared.secret, "GET", API + LIST, sent, b"")
    headers = {"x-api-timestamp": sent, "x-api-signature": signature}
    assert outcome_of(shared.signed("GET", LIST, headers=headers)) == outcome


def test_auth_window_ms_is_a_setting(desk: Desk) -> None:
    desk = desk.change_settings(auth_window_ms=1000)
    sent = {"x-api-timestamp": str(desk.clock() - 1001)}
    assert outcome_of(desk.signed("GET", LIST, headers=sent)) == BAD_TIME
    assert outcome_of(desk.signed("GET", LIST)) == 200


# --- what is signed ----------------------------------------------------------------------------------------------

VECTORS = cases(
    ("GET with a query",     "GET",  "/api/v1/takers/orders", b"status=locked,partially_filled&page=1&page_size=20",
     "X0b2DbWanGa/2rL2H2QHP6moGyc/ZrQ9i1vglOMiTYw="),
    ("GET without one",      "GET",  "/api/v1/takers/orders", b"",
     "bzMp1ujQHGTWtNLyCni8h+MBqwmO0Ye+s5DdjAciJbo="),
    ("POST",                 "POST", "/api/v1/orders/lock",
     b'{"order_hash":"0x5ec4bac3a43ce9e8785bac8c991bb90f1334909555ad04b4b903e140f9261c11"}',
     "4idgIezJ2eqSEfQy4wwR80Lmfzc4ledynzPm6jOPYHQ="),
)  # fmt: skip


@pytest.mark.parametrize(("method", "path", "content", "signature"), VECTORS)
def test_signatures_of_the_vectors(method: str, path: str, content: bytes, signature: str) -> None:
    secret, timestamp = "demo-secret-0001", "1737082824000"
    assert signature_of(secret, method, path, timestamp, content) == signature
    query = {} if method == "POST" else _decoded(content.decode())
    request = HttpRequest(method, None, {}, query, {}, content if method == "POST" else b"", path)
    assert is_signed(signature, messages(timestamp, request), [secret])
    assert is_signed(signature, messages(timestamp, request), ["of the newest master key", secret])
    assert not is_signed(signature, messages(timestamp, request), [secret + "x"])
    assert not is_signed(signature, messages("1737082824001", request), [secret])
    assert not is_signed(signature, messages(timestamp, replace(request, path=path + "/")), [secret])


def _decoded(query: str) -> dict[str, list[str]]:
    return {name: [value] for name, _, value in (pair.partition("=") for pair in query.split("&") if pair)}


QUERIES: Any = cases(
    ("as it is",                   "status=locked,filled&page=1",   200),
    ("percent-encoded",            "status=locked%2Cfilled&page=1", 200),
    ("sorted by name",             "page=1&status=locked,filled",   200),
    ("sorted and percent-encoded", "page=1&status=locked%2Cfilled", 200),
    ("encoded in lower case",      "status=locked%2cfilled&page=1", 200),
    ("in some other order",        "status=filled,locked&page=1",   BAD_SIGNATURE),
    ("with the question mark",     "?status=locked,filled&page=1",  BAD_SIGNATURE),
    ("a part of it",               "status=locked,filled",          BAD_SIGNATURE),
    ("none of it",                 "",                              BAD_SIGNATURE),
)  # fmt: skip


@pytest.mark.parametrize(("signed", "outcome"), QUERIES)
def test_k5_a_query_may_be_signed_in_these_ways(shared: Desk, signed: str, outcome: Outcome) -> None:
    """Sent is always the same; the gateway hands it over decoded."""
    timestamp = str(shared.clock())
    signature = signature_of(shared.secret, "GET", API + LIST, timestamp, signed.encode())
    answer = shared.signed("GET", LIST, query="status=locked%2Cfilled&page=1", headers={"x-api-signature": signature})
    assert outcome_of(answer) == outcome


WRITTEN: Any = cases(
    ("Python, requests",        "status=locked%2C+filled&page=1"),
    ("Python, quote",           "status=locked%2C%20filled&page=1"),
    (".NET, HttpUtility",       "status=locked%2c+filled&page=1"),
    (".NET, in lower case",     "status=locked%2c%20filled&page=1"),
    ("a URL that was written",  "status=locked,%20filled&page=1"),
    ("axios",                   "status=locked,+filled&page=1"),
    ("Go, which sorts",         "page=1&status=locked%2C+filled"),
    ("not encoded at all",      "status=locked, filled&page=1"),
)  # fmt: skip


@pytest.mark.parametrize("written", WRITTEN)
def test_k44_a_query_may_be_signed_as_libraries_write_it(shared: Desk, written: str) -> None:
    signature = signature_of(shared.secret, "GET", API + LIST, str(shared.clock()), written.encode())
    sent = "status=locked%2C%20filled&page=1"
    assert outcome_of(shared.signed("GET", LIST, query=sent, headers={"x-api-signature": signature})) == 200
    for other in (
        "status=locked%2Cfilled&page=1",
        "status=locked%2C%20filled&page=2",
        "status=filled&page=1",
        "page=1",
    ):
        answer = shared.signed("GET", LIST, query=other, headers={"x-api-signature": signature})
        assert outcome_of(answer) == BAD_SIGNATURE, other


def test_k44_a_value_never_stands_for_more_parameters(shared: Desk) -> None:
    """Signed were two parameters; sent is one, whose value reads like both."""
    signature = signature_of(shared.secret, "GET", API + LIST, str(shared.clock()), b"ticker=A&page_size=2")
    headers = {"x-api-signature": signature}
    assert outcome_of(shared.signed("GET", LIST, query="ticker=A&page_size=2", headers=headers)) == 200
    assert outcome_of(shared.signed("GET", LIST, query="ticker=A%26page_size%3D2", headers=headers)) == BAD_SIGNATURE


def test_k5_names_that_come_twice_stay_in_their_order(shared: Desk) -> None:
    for signed, outcome in (("page=2&page=1", 200), ("page=1&page=2", BAD_SIGNATURE)):
        signature = signature_of(shared.secret, "GET", API + LIST, str(shared.clock()), signed.encode())
        headers = {"x-api-signature": signature}
        assert outcome_of(shared.signed("GET", LIST, query="page=2&page=1", headers=headers)) == outcome


def test_a_signed_query_through_the_app_is_signed_as_it_was_sent(client: HttpClient) -> None:
    for query in ("status=locked,filled&page=1", "status=locked%2Cfilled", "ticker=A.B-C&created_after=0"):
        timestamp = str(now_ms())
        signature = signature_of(client.desk.secret, "GET", API + LIST, timestamp, query.encode())
        headers = {"X-API-Key": API_KEY, "X-API-Timestamp": timestamp, "X-API-Signature": signature}
        assert client.outcome("GET", f"{API}{LIST}?{query}", headers=headers) == 200
        assert client.outcome("GET", f"{API}{LIST}?{query}&page=1", headers=headers) == BAD_SIGNATURE


SIGNED: Any = cases(
    ("another method",         ("GET", "/orders/unlock", b"{}")),
    ("a method in lower case", ("post", "/orders/unlock", b"{}")),
    ("another path",           ("POST", "/orders/lock", b"{}")),
    ("the alias of the path",  ("POST", "/takers/orders/unlock", b"{}")),
    ("another body",           ("POST", "/orders/unlock", b"{ }")),
    ("no body",                ("POST", "/orders/unlock", b"")),
)  # fmt: skip


@pytest.mark.parametrize("parts", SIGNED)
def test_method_path_and_body_are_signed(shared: Desk, parts: tuple[str, str, bytes]) -> None:
    """The text is METHOD|path|timestamp|X, the method in upper case: so the second one is the right signature."""
    method, path, body = parts
    signature = signature_of(shared.secret, method, API + path, str(shared.clock()), body)
    answer = shared.signed("POST", "/orders/unlock", body=b"{}", headers={"x-api-signature": signature})
    assert outcome_of(answer) == ((400, 400001) if method == "post" else BAD_SIGNATURE)


def test_a_signature_is_standard_base64_with_padding(shared: Desk) -> None:
    """One whose standard and other alphabets differ is looked for among some timestamps."""
    for timestamp in range(shared.clock(), shared.clock() + 1000):
        signature = signature_of(shared.secret, "GET", API + LIST, str(timestamp), b"")
        if "+" in signature and "/" in signature:
            break
    url_safe = base64.urlsafe_b64encode(base64.b64decode(signature)).decode()
    hexadecimal = base64.b64decode(signature).hex()
    for text in (signature, url_safe, signature.rstrip("="), hexadecimal, signature + " "):
        headers = {"x-api-timestamp": str(timestamp), "x-api-signature": text}
        assert outcome_of(shared.signed("GET", LIST, headers=headers)) == (200 if text == signature else BAD_SIGNATURE)


# --- key records -------------------------------------------------------------------------------------------------


def _key(desk: Desk, name: str, **options: Any) -> Desk:
    make_key(desk.database, name, TAKER, **options)
    return replace(desk, api_key=name)


def test_k4_a_key_that_must_sign_is_refused_without_a_signature(shared: Desk) -> None:
    signing = _key(shared, "key-that-signs", requires_signature=True)
    assert outcome_of(signing.get(LIST)) == NO_KEY
    assert outcome_of(signing.signed("GET", LIST)) == 200


def test_secrets_are_derived_for_good() -> None:
    """Another derivation would make every secret that was given out worthless."""
    derived = taker_secret_of(MASTER_KEY, API_KEY)
    assert derived == "c75bebbf71416021cc95b1c5d4c6d4d79749263eae60e3d264b83b59de836e68"
    of_jwts = jwt_secret_of(MASTER_KEY, INSTANCE).hex()
    assert of_jwts == "14e3a8a9e079e1cd5e93d97c6858adb9c5577eafcac29caf68b962b9143dc432"


def test_a_key_ends_at_its_second(shared: Desk) -> None:
    assert outcome_of(_key(shared, "ends-next-second", expires_s=NOW_S + 1).get(LIST)) == 200
    assert outcome_of(_key(shared, "ends-now", expires_s=NOW_S).get(LIST)) == KEY_ENDED
    assert outcome_of(_key(shared, "ended", expires_s=NOW_S - 1).get(LIST)) == KEY_ENDED


def test_a_key_that_is_switched_off_is_forbidden_until_it_is_on_again(shared: Desk) -> None:
    switched, keys = _key(shared, "switched"), Credentials(shared.database, TAKER_KEYS)
    for is_enabled in (False, True):
        keys.change(digest_of("switched"), is_enabled=is_enabled)
        assert outcome_of(switched.get(LIST)) == (200 if is_enabled else FORBIDDEN)


def test_several_keys_of_one_taker_share_its_address(shared: Desk) -> None:
    order_hash = locked(shared)
    second = _key(shared, "second-key")
    assert order_hash in listed_hashes(second)
    assert outcome_of(second.unlock(order_hash)) == 200


def test_what_is_stored_of_a_key_is_its_digest(shared: Desk) -> None:
    shared.signed("GET", LIST)
    stored = repr(shared.tables())
    assert digest_of(API_KEY) in stored
    assert f"'{API_KEY}'" not in stored
    assert shared.secret not in stored


REQUEST_IDS: Any = cases(
    ("letters and digits", "REF-1",        True),
    ("blanks inside",      "a b",          True),
    ("128 characters",     "x" * 128,      True),
    ("129 characters",     "x" * 129,      False),
    ("none",               "",             False),
    ("a line break",       "a\nX-Evil: 1", False),
    ("a zero byte",        "\x00",         False),
    ("not ASCII",          "é",            False),
)  # fmt: skip


@pytest.mark.parametrize(("request_id", "comes_back"), REQUEST_IDS)
def test_a_request_id_comes_back_with_every_answer(shared: Desk, request_id: str, comes_back: bool) -> None:
    sent = {"x-request-id": request_id}
    key, session = {"x-api-key": API_KEY}, {"authorization": f"Bearer {shared.jwt}"}
    answers = [
        shared.send("GET", LIST, headers=sent | key),
        shared.send("GET", LIST, headers=sent),
        shared.send("GET", "/orders", headers=sent | session),
        shared.send("POST", "/orders", headers=sent | session),
        shared.send("POST", "/makers/connect", headers=sent),
        shared.send("GET", "/nowhere", headers=sent),
    ]
    for answer in answers:
        assert answer.headers.get("X-REQUEST-ID") == (request_id if comes_back else None)


# --- makers' JWTs ------------------------------------------------------------------------------------------------

DAY_S = 86_400
WALLET = "0x19e7e376e7c213b7e7e7e46cc70a5dd086daff2a"
CLAIMS = {"sub": WALLET, "iss": INSTANCE, "iat": NOW_S, "exp": NOW_S + DAY_S}


def _signed_by(instance: str, **claims: Any) -> str:
    kept = {name: value for name, value in (CLAIMS | claims).items() if value is not ...}
    return jwt.PyJWS().encode(json.dumps(kept).encode(), jwt_secret_of(MASTER_KEY, instance), "HS256")


def _unsigned() -> str:
    return jwt.encode(CLAIMS, "", "none")


def _of_another_kind() -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the secret is made for HS256
        return jwt.encode(CLAIMS, jwt_secret_of(MASTER_KEY, INSTANCE), "HS512")


AUTHORIZATIONS: Any = cases(
    ("a JWT",                     f"Bearer {_signed_by(INSTANCE)}",                         200),
    ("until its last second",     f"Bearer {_signed_by(INSTANCE, exp=NOW_S + 1)}",          200),
    ("the scheme in lower case",  f"bearer {_signed_by(INSTANCE)}",                         200),
    ("missing",                   ...,                                                      NO_SESSION),
    ("empty",                     "",                                                       NO_SESSION),
    ("without the word",          _signed_by(INSTANCE),                                     NO_SESSION),
    ("another scheme",            f"Basic {_signed_by(INSTANCE)}",                          NO_SESSION),
    ("no JWT",                    "Bearer x",                                               NO_SESSION),
    ("parts of none",             "Bearer a.b.c",                                           NO_SESSION),
    ("another secret",            f"Bearer {jwt.encode(CLAIMS, b'x' * 32, 'HS256')}",       NO_SESSION),
    ("not signed",                f"Bearer {_unsigned()}",                                  NO_SESSION),
    ("signed in another way",     f"Bearer {_of_another_kind()}",                           NO_SESSION),
    ("another instance's secret", f"Bearer {_signed_by(OTHER_INSTANCE)}",                   NO_SESSION),
    ("another instance's name",   f"Bearer {_signed_by(INSTANCE, iss=OTHER_INSTANCE)}",     NO_SESSION),
    ("of an instance not there",  f"Bearer {_signed_by('inst_nobody', iss='inst_nobody')}", NO_SESSION),
    ("over",                      f"Bearer {_signed_by(INSTANCE, exp=NOW_S)}",              NO_SESSION),
    ("without an end",            f"Bearer {_signed_by(INSTANCE, exp=...)}",                NO_SESSION),
    ("of nobody",                 f"Bearer {_signed_by(INSTANCE, sub=...)}",                NO_SESSION),
    ("of something else",         f"Bearer {_signed_by(INSTANCE, sub='ann')}",              NO_SESSION),
    ("of a wallet in upper case", f"Bearer {_signed_by(INSTANCE, sub='0x' + 'A' * 40)}",    NO_SESSION),
    ("an end that is a text",     f"Bearer {_signed_by(INSTANCE, exp='4102444800')}",       NO_SESSION),
    ("an end that is true",       f"Bearer {_signed_by(INSTANCE, exp=True)}",               NO_SESSION),
    ("of no instance",            f"Bearer {_signed_by(INSTANCE, iss=...)}",                NO_SESSION),
    ("of an instance by number",  f"Bearer {_signed_by('1', iss=1)}",                       NO_SESSION),
    ("of an instance as a path",  f"Bearer {_signed_by('../inst', iss='../inst')}",           NO_SESSION),
    ("for somebody else",         f"Bearer {_signed_by(INSTANCE, aud='others')}",           NO_SESSION),
    ("cut short",                 f"Bearer {_signed_by(INSTANCE)[:-2]}",                    NO_SESSION),
)  # fmt: skip


@pytest.mark.parametrize(("authorization", "outcome"), AUTHORIZATIONS)
def test_a_jwt_is_good_for_a_maker(shared: Desk, authorization: Any, outcome: Outcome) -> None:
    headers = {"authorization": authorization, "x-api-key": "nobody"}
    with nothing_changes(shared):
        for path in ("/orders", "/orders/maker/next-nonce"):
            assert outcome_of(shared.send("GET", path, headers=headers)) == outcome
        for path in ("/orders", f"/orders/{UNKNOWN_HASH}/cancel"):
            answer = outcome_of(shared.send("POST", path, headers=headers))
            assert answer == outcome or (outcome == 200 and answer in ((400, 400001), (404, 404)))


def test_connecting_gives_such_a_jwt_and_its_time_is_a_setting(desk: Desk) -> None:
    for ttl_s in (DAY_S, 60):
        desk.change_settings(jwt_ttl_seconds=ttl_s)
        token = data_of(desk.send("POST", "/makers/connect", body=connect_body(desk, Nonce=ttl_s)))["jwt"]
        assert jwt.get_unverified_header(token)["alg"] == "HS256"
        claims = jwt.decode(token, jwt_secret_of(MASTER_KEY, INSTANCE), ["HS256"], {"verify_exp": False})
        assert claims == CLAIMS | {"exp": NOW_S + ttl_s}
        headers = {"authorization": f"Bearer {token}"}
        assert outcome_of(desk.send("GET", "/orders", headers=headers)) == 200
    desk.clock.advance(60)
    assert outcome_of(desk.send("GET", "/orders", headers=headers)) == NO_SESSION


def test_the_same_wallet_in_another_instance_is_somebody_else(desk: Desk) -> None:
    open_instance(desk.database, OTHER_INSTANCE)
    elsewhere = {"authorization": f"Bearer {_signed_by(OTHER_INSTANCE, iss=OTHER_INSTANCE)}"}
    order_hash = locked(desk)
    with nothing_changes(desk):
        assert json.loads(desk.send("GET", "/orders", headers=elsewhere).body)["data"]["total"] == 0
        assert outcome_of(desk.send("POST", f"/orders/{order_hash}/cancel", headers=elsewhere)) == (404, 404)
