"""Rules of all requests and answers: bodies, values, times, numbers, presence, and the Idempotency-Key."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from tests.apis.escrow.cases import (
    COMMANDS,
    FORM,
    MULTIPART,
    QUOTED_MULTIPART,
    READS,
    Request,
    as_multipart,
    as_urlencoded,
    at,
    copied,
    multipart,
    outcome,
    part,
    shown,
)
from tests.apis.escrow.desk import (
    OPERATOR_KEY,
    OPERATOR_PRODUCTION_KEY,
    OTHER_KEY,
    PRODUCTION_KEY,
    Desk,
    data_of,
    errors_of,
    page_of,
    parsed,
)
from tests.case_tables import cases

every_command = pytest.mark.parametrize("make", COMMANDS.values(), ids=list(COMMANDS))
every_post = pytest.mark.parametrize(
    "make", [make for make in COMMANDS.values() if make().method == "POST"],
    ids=[name for name, make in COMMANDS.items() if make().method == "POST"],
)  # fmt: skip
MADE_KEY = {"idempotency-key": "made-for:this_case.1"}


# --- bodies


@every_command
def test_a_body_comes_in_three_forms_on_every_post_and_put(make: Callable[[], Request]) -> None:
    request = make()
    others = [copied(request.desk) for _ in range(2)]
    first = shown(request.send())
    for desk, content, content_type in zip(
        others, (as_urlencoded(request.body), as_multipart(request.body)), (FORM, MULTIPART), strict=True
    ):
        assert shown(request.send(content, desk=desk, content_type=content_type)) == first


UNREADABLE = cases(
    ("e3 no json",              b"{",                       "application/json"),
    ("e3 no object",            b"[1]",                     "application/json"),
    ("e28 json as a form",      b'{"amount":10}',           FORM),
    ("e28 a list as a form",    b'[{"amount":10}]',         FORM),
    ("e28 json percent-encoded", b"%7B%22amount%22%3A10%7D", FORM),
    ("e28 behind the last part", b"--part--\r\namount=10",  MULTIPART),
    ("e30 too deep",            b'{"a":' + b"[" * 17 + b"]" * 17 + b"}", "application/json"),
    ("e3 a form as json",       b"a=1",                     "application/json"),
    ("e3 unknown content type", b"a: 1",                    "application/yaml"),
    ("e3 no boundary",          b"--x--",                   "multipart/form-data"),
    ("e3 too large",            b'{"a":"' + b"x" * 65_536 + b'"}', "application/json"),
    ("e3 too large, a form",    b"a=" + b"x" * 65_536,      FORM),
)  # fmt: skip


@pytest.mark.parametrize(("content", "content_type"), UNREADABLE)
def test_e3_a_body_that_cannot_be_read_is_an_error_on_body(content: bytes, content_type: str) -> None:
    for make in COMMANDS.values():
        request = make()
        before = request.desk.tables()
        assert outcome(request.send(content, content_type=content_type)) == ["body"], request.route
        assert request.desk.tables() == before


@every_command
def test_a_body_of_64_kib_is_read(make: Callable[[], Request]) -> None:
    request = make()
    is_closed = request.route.endswith("reimburse")
    content = json.dumps((request.body or {}) | {"unknown": ""}).encode()
    padded = content.replace(b'"unknown": ""', b'"unknown": "' + b"x" * (65_536 - len(content)) + b'"')
    assert len(padded) == 65_536
    assert outcome(request.send(padded)) == (["unknown"] if is_closed else 200)


@every_command
def test_e28_no_body_is_an_empty_object(make: Callable[[], Request]) -> None:
    """E28: nor is null, or an empty list, which PHP makes of an empty map."""
    request = make()
    first, *others = [
        outcome(request.send(body, desk=copied(request.desk))) for body in ({}, None, b"[]", b" [ ] ", b"null")
    ]
    assert others == [first] * 4


@every_command
def test_unknown_fields_are_ignored(make: Callable[[], Request]) -> None:
    """But by the one command whose amount, when it is missing, means all (E29)."""
    request = make()
    other = copied(request.desk)
    unknown = {"unknown": {"a": [1]}, "status": "RELEASED", "id": 5, "gateway_id": "x"}
    if request.route.endswith("reimburse"):
        assert outcome(request.send((request.body or {}) | unknown)) == sorted(unknown)
        return
    assert shown(request.send((request.body or {}) | unknown)) == shown(request.send(desk=other))


@every_command
def test_an_empty_text_and_null_count_as_absent(make: Callable[[], Request]) -> None:
    """Null of a field that it clears aside (E13); there is no such field in these bodies. Nor is the amount that means
    all when it is missing (E29)."""
    request = make()
    if request.route.endswith("reimburse"):
        request = replace(request, body={"wallet_id": request.desk.buyer_wallet["id"]})
    empty = dict.fromkeys(request.body or {}, "  ")
    nulls, nothing = copied(request.desk), copied(request.desk)
    answers = [request.send(empty), request.send(dict.fromkeys(empty), desk=nulls), request.send({}, desk=nothing)]
    first, *others = [shown(one) if one.status == 200 else errors_of(one) for one in answers]
    assert others == [first, first]


CONVERTED = cases(
    ("number",                  b"value=23.77",             "value",        Decimal("23.77")),
    ("whole number",            b"value=23",                "value",        23),
    ("zeros",                   b"value=023.50",            "value",        Decimal("23.5")),
    ("boolean true",            b"template[password_cvv]=true",  "template", {"password_cvv": True}),
    ("boolean 1",               b"template[password_cvv]=1",     "template", {"password_cvv": True}),
    ("boolean false",           b"template[password_cvv]=false", "template", {"password_cvv": False}),
    ("boolean 0",               b"template[hide_cardholder]=0",  "template", {"hide_cardholder": False}),
    ("object",                  b"metadata[a][b]=c",        "metadata",     {"a": {"b": "c"}}),
    ("list",                    b"images[]=https://x.test/1&images[]=https://x.test/2", "images",
     ["https://x.test/1", "https://x.test/2"]),
    ("list by index",           b"payin_types[1]=B&payin_types[0]=A", "payin_types", ["A", "B"]),
    ("trimmed",                 b"tag=++x+y++",             "tag",          "x y"),
    ("empty text",              b"tag=",                    "tag",          None),
    ("blank text",              b"description=+++",         "description",  None),
    ("last one counts",         b"tag=a&tag=b",             "tag",          "b"),
    ("text stays text",         b"tag=5",                   "tag",          "5"),
    ("metadata stays text",     b"metadata[n]=5",           "metadata",     {"n": "5"}),
)  # fmt: skip


@pytest.mark.parametrize(("form", "field", "value"), CONVERTED)
def test_a_forms_text_is_converted(shared: Desk, form: bytes, field: str, value: object) -> None:
    usual = {name: text for name, text in shared.usual_order().items() if name != field}
    answer = shared.post("/orders", as_urlencoded(usual) + b"&" + form, content_type=FORM)
    assert data_of(answer)[field] == value


NO_NUMBERS = cases(
    *((text, text) for text in ("+5", "5.", ".5", "1e2", "0x10", "1,5", "1 000", "५", "--1", "Infinity", "NaN"))
)


@pytest.mark.parametrize("text", NO_NUMBERS)
def test_another_text_is_no_number(shared: Desk, text: str) -> None:
    body = shared.usual_order(value=text)
    assert outcome(shared.post("/orders", body)) == ["value"]
    assert outcome(shared.post("/orders", as_urlencoded(body), content_type=FORM)) == ["value"]


@pytest.mark.parametrize("text", ["True", "TRUE", "yes", "on", "2", "-1", "1.0", "00"])
def test_another_text_is_no_boolean(shared: Desk, text: str) -> None:
    assert outcome(shared.post("/orders", shared.usual_order(auto_settle=text))) == ["auto_settle"]


FIELDS_OF_COMMANDS = cases(
    ("A1",      "A1 orders",        "images"),
    ("A3",      "A3 orders",        "name"),
    ("A8",      "A8 cancel",        "tag"),
    ("A9",      "A9 validate",      "auto_accept"),
    ("A10",     "A10 reimburse",    "amount"),
    ("A11",     "A11 payins by wallet", "wallet_id"),
    ("A12",     "A12 payouts",      "wallet_id"),
    ("A13",     "A13 customers",    "email"),
    ("O1",      "O1 confirm",       "amount"),
    ("O2",      "O2 deny",          "reason"),
    ("O5",      "O5 deposit",       "reference"),
)  # fmt: skip


@pytest.mark.parametrize(("name", "field"), FIELDS_OF_COMMANDS)
def test_a_file_is_an_error_on_its_field(name: str, field: str) -> None:
    request = COMMANDS[name]()
    fields = [(f'name="{member}"', str(value)) for member, value in (request.body or {}).items() if member != field]
    content = multipart(*fields, (f'name="{field}"; filename="a.png"', b"\x89PNG"))
    before = request.desk.tables()
    answer = request.send(content, content_type=QUOTED_MULTIPART)
    assert field in errors_of(answer)
    assert "body" not in errors_of(answer)
    assert request.desk.tables() == before


@pytest.mark.parametrize("digits", [39, 300])
def test_e30_a_number_in_metadata_is_kept_exactly(desk: Desk, digits: int) -> None:
    number = "9" * digits
    body = json.dumps(desk.usual_order(metadata="METADATA", template="TEMPLATE"))
    body = body.replace('"METADATA"', f'{{"n":{number},"f":0.10,"e":1e200}}').replace('"TEMPLATE"', f"[{number}]")
    assert outcome(desk.post("/orders", body.encode())) == ["template"]
    body = body.replace(f"[{number}]", f'{{"n":{number}}}')
    answer = desk.post("/orders", body.encode())
    assert answer.status == 200
    for again in (answer, desk.get("/orders"), desk.get("/orders", "search=metadata.n&query=99")):
        assert f'"metadata":{{"n":{number},"f":0.10,"e":1E+200}},"template":{{"n":{number}}}' in again.body


@pytest.mark.parametrize("number", ["9" * 301, "-" + "9" * 4500, "1e300", "1e-300", "0." + "1" * 301, "0e999999999999"])
def test_e30_a_number_that_not_every_client_can_read_is_refused(desk: Desk, number: str) -> None:
    for field in ("metadata", "template"):
        body = json.dumps(desk.usual_order(**{field: "MAP"})).replace('"MAP"', f'{{"a":[{{"n":{number}}}]}}')
        assert outcome(desk.post("/orders", body.encode())) == [field]


# --- money that is not asked for


NO_AMOUNTS = cases(
    *((repr(value), {"amount": value}, ["amount"]) for value in ("", "  ", None, [], {}, 0, False, "all")),
    ("misspelt",            {"ammount": 10},                    ["ammount"]),
    ("in another case",     {"Amount": 10},                     ["Amount"]),
    ("nested",              {"data": {"amount": 10}},           ["data"]),
    ("in brackets",         {"amount": {"value": 10}},          ["amount"]),
    ("beside a good one",   {"amount": 10, "ammount": 20},      ["ammount"]),
    ("unknown and null",    {"ammount": None},                  ["ammount"]),
    ("the vendor's other",  {"multipayin": 0},                  ["multipayin"]),
)  # fmt: skip


@pytest.mark.parametrize(("body", "fields"), NO_AMOUNTS)
def test_e29_a_refund_of_all_is_asked_for_by_leaving_the_amount_out(body: dict[str, Any], fields: list[str]) -> None:
    desk, order = at("PUBLISHED")
    before, path = desk.tables(), f"/orders/{order['id']}/reimburse"
    assert outcome(desk.post(path, body)) == fields
    if all(isinstance(value, str | int) for value in body.values()):  # what a form can say, too
        assert outcome(desk.post(path, as_urlencoded(body), content_type=FORM)) == fields
        assert outcome(desk.post(path, as_multipart(body), content_type=MULTIPART)) == fields
    assert desk.tables() == before


@pytest.mark.parametrize("content", [b"amount", b"<amount>10</amount>", b"10", b"amount:10", b"data[amount]=10"])
def test_e29_a_form_that_is_none_refunds_nothing(content: bytes) -> None:
    desk, order = at("PUBLISHED")
    before = desk.tables()
    assert desk.post(f"/orders/{order['id']}/reimburse", content, content_type=FORM).status == 422
    assert desk.tables() == before


@pytest.mark.parametrize("name", ["amount", "ammount", "amount[]", "data[amount]", "wallet_id", "utm_source"])
def test_e29_what_stands_in_the_query_refunds_nothing(name: str) -> None:
    desk, order = at("PUBLISHED")
    before, path = desk.tables(), f"/orders/{order['id']}/reimburse"
    assert outcome(desk.send("POST", f"/2.0{path}", query=f"{name}=10")) == [name]
    assert desk.tables() == before


def test_e29_an_amount_as_a_file_that_was_not_chosen_refunds_nothing() -> None:
    desk, order = at("PUBLISHED")
    before = desk.tables()
    content = b'--part\r\nContent-Disposition: form-data; name="amount"; filename=""\r\n\r\n\r\n--part--\r\n'
    assert outcome(desk.post(f"/orders/{order['id']}/reimburse", content, content_type=MULTIPART)) == ["amount"]
    assert desk.tables() == before


UNSERVED: Any = cases(
    *((f"{route} {field}", route, field) for route in ("A1 orders", "A3 orders") for field in (
        "discount_amount", "discount_coupon_id", "discount_wallet_id", "discount_percent", "discount", "coupon",
        "coupon_code", "subscription_id", "bundle", "value_shipping", "shipping_amount")),
    ("A8 cancel",       "A8 cancel",            "amount"),
    ("A11 payins",      "A11 payins by wallet", "amount"),
    ("A12 payouts",     "A12 payouts",          "amount"),
    ("A12 to a bank",   "A12 payouts",          "bankaccount_id"),
)  # fmt: skip


@pytest.mark.parametrize(("name", "field"), UNSERVED)
def test_e31_money_that_the_vendor_documents_and_nobody_moves_is_refused(name: str, field: str) -> None:
    request = COMMANDS[name]()
    body, before = request.body or {}, request.desk.tables()
    for value in (40, "40", 0.01, "0.01", True, "SUMMER", [1], {"id": 7}, -1):
        assert outcome(request.send(body | {field: value})) == [field], value
    assert outcome(request.send(as_urlencoded(body | {field: "40"}), content_type=FORM)) == [field]
    assert request.desk.tables() == before


NEUTRAL = (None, 0, "0", "0.00", "", "  ", False, "false", [], {}, {"amount": "0"}, [None])


@pytest.mark.parametrize(("name", "field"), UNSERVED)
def test_e31_a_neutral_value_of_it_passes(name: str, field: str) -> None:
    request = COMMANDS[name]()
    same = shown(request.send(desk=copied(request.desk)))
    for value in NEUTRAL if field in ("amount", "coupon") else ("0.00", None):
        answer = request.send((request.body or {}) | {field: value}, desk=copied(request.desk))
        assert shown(answer) == same, value


# --- queries


QUERIES = cases(
    ("trimmed",             "status=%20DRAFT%20",               1),
    ("empty is absent",     "status=&search=&query=",           1),
    ("last one counts",     "status=NOPE&status=DRAFT",         1),
    ("last one is empty",   "status=RELEASED&status=",          1),
    ("unknown",             "nothing=x&page[a]=0",              1),
    ("number as text",      "per_page=%2015",                   1),
    ("sandbox true",        "sandbox=true",                     1),
    ("sandbox 0",           "sandbox=0",                        0),
)  # fmt: skip


@pytest.mark.parametrize(("query", "rows"), QUERIES)
def test_a_querys_texts(desk: Desk, query: str, rows: int) -> None:
    desk.order()
    assert page_of(desk.get("/orders", query))["total"] == rows


# --- answers


@pytest.mark.parametrize("name", [*COMMANDS, *READS])
def test_one_thing_is_wrapped_in_data_and_a_list_is_flat(name: str) -> None:
    answer = parsed((COMMANDS | READS)[name]().send())
    if isinstance(answer["data"], list):
        assert list(answer) == ["current_page", "last_page", "per_page", "total", "from", "to", "data"]
    else:
        assert list(answer) == ["data"]


def test_times_are_utc_in_whole_seconds() -> None:
    for make in COMMANDS.values():
        told = data_of(make().send())
        times = [value for field, value in told.items() if field.endswith("_at") and value is not None]
        assert times
        assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", str(time)) for time in times)


MONEY_OUT = cases(
    *((text, text, shown) for text, shown in (("150", "150"), ("150.00", "150"), ("150.50", "150.5"),
                                              ("23.77", "23.77"), ("0.01", "0.01"), ("0", "0"),
                                              ("999999999.99", "999999999.99"))),
)  # fmt: skip


@pytest.mark.parametrize(("sent", "shown"), MONEY_OUT)
def test_money_numbers_have_as_many_decimals_as_needed(desk: Desk, sent: str, shown: str) -> None:
    order = desk.post("/orders", desk.usual_order(value=sent, fee_value=sent))
    assert f'"value":{shown},"fee_value":{shown},' in order.body
    if sent not in ("0",):
        path = f"/wallets/{desk.buyer_wallet['uuid']}/deposit"
        assert f'"balance":{shown},' in desk.operate(path, {"amount": sent, "reference": "r"}).body


# --- the Idempotency-Key


@every_post
def test_a_request_under_its_key_again_has_its_answer_and_no_effect(make: Callable[[], Request]) -> None:
    request = make()
    first = request.send(headers=MADE_KEY)
    assert first.status == 200
    before = request.desk.tables()
    for body, content_type in (
        (request.body, "application/json"),
        (as_urlencoded(request.body), FORM),
        (as_multipart(request.body), MULTIPART),
    ):
        again = request.send(body, headers=MADE_KEY, content_type=content_type)
        assert (again.status, again.body) == (200, first.body)
    assert request.desk.tables() == before
    request.desk.check_money()


OTHER_BODIES: dict[str, dict[str, Any]] = {
    "A1 orders": {"name": "Other"},
    "A8 cancel": {"tag": "other"},
    "A9 validate": {"auto_accept": "0"},
    "A10 reimburse": {"amount": "30.51"},
    "A11 payins by wallet": {"type": "BANKWIRE"},
    "A11 payins by bank wire": {"type": "WALLET"},
    "A12 payouts": {"wallet_id": 1},
    "A13 customers": {"email": "other@y.test"},
    "O1 confirm": {"amount": "150.01"},
    "O2 deny": {"reason": "other"},
    "O5 deposit": {"amount": "12.51"},
}


@pytest.mark.parametrize("name", OTHER_BODIES)
def test_another_body_under_a_used_key_is_an_error_on_it(name: str) -> None:
    request = COMMANDS[name]()
    assert request.send(headers=MADE_KEY).status == 200
    before = request.desk.tables()
    other = (request.body or {}) | OTHER_BODIES[name]
    assert outcome(request.send(other, headers=MADE_KEY)) == ["idempotency_key"]
    assert request.desk.tables() == before


KEYS = cases(
    ("8 characters",        "a" * 8,            200),
    ("200 characters",      "a" * 200,          200),
    ("all characters",      "AZaz09_-:.",       200),
    ("7 characters",        "a" * 7,            ["idempotency_key"]),
    ("201 characters",      "a" * 201,          ["idempotency_key"]),
    ("blank",               "aaaa aaaa",        ["idempotency_key"]),
    ("slash",               "aaaa/aaaa",        ["idempotency_key"]),
    ("other digits",        "aaaaaaa५",         ["idempotency_key"]),
    ("line end",            "aaaaaaaa\n",       ["idempotency_key"]),
    ("empty",               "",                 ["idempotency_key"]),
)  # fmt: skip


@pytest.mark.parametrize(("key", "expected"), KEYS)
def test_a_key_is_8_to_200_characters(key: str, expected: int | list[str]) -> None:
    for name in ("A1 orders", "A6 accept", "O3 block"):
        request = COMMANDS[name]()
        before = request.desk.tables()
        assert outcome(request.send(headers={"idempotency-key": key})) == expected
        assert (request.desk.tables() == before) is (expected != 200)


def test_a_put_and_a_get_have_no_key() -> None:
    for make in (COMMANDS["A3 orders"], *READS.values()):
        request = make()
        assert request.send(headers={"idempotency-key": "short"}).status == 200


@every_post
def test_a_key_is_kept_for_24_hours(make: Callable[[], Request]) -> None:
    request = make()
    first = request.send(headers=MADE_KEY)
    later = copied(request.desk)
    later.now_s += 86_399
    assert request.send(desk=later.over(later.database), headers=MADE_KEY).body == first.body
    later.now_s += 1
    again = request.send(desk=later.over(later.database), headers=MADE_KEY)
    same_again = ("/customers", "/operator/wallets/{uuid}/deposit", "/orders/{id}/receipt", "/payouts/{id}/update")
    assert again.body != first.body or request.route.removeprefix("POST ") in same_again


def test_a_key_counts_on_one_path(desk: Desk) -> None:
    first, second = desk.paid(), desk.paid()
    assert data_of(desk.post(f"/orders/{first['id']}/accept", headers=MADE_KEY))["id"] == first["id"]
    assert data_of(desk.post(f"/orders/{second['id']}/accept", headers=MADE_KEY))["id"] == second["id"]
    with_slash = desk.send("POST", f"/orders/{first['id']}/accept/", headers=MADE_KEY)
    assert data_of(with_slash)["status"] == "ACCEPTED", "it is the same path, without the prefix too"


def test_the_same_body_is_the_same_however_it_is_spelled(desk: Desk) -> None:
    first = desk.post("/orders", desk.usual_order(metadata={"a": "1", "b": {"c": "2", "d": "3"}}), headers=MADE_KEY)
    form = as_urlencoded(desk.usual_order(value="150.00") | {"unknown": "x"})
    form += b"&metadata[b][d]=3&metadata[b][c]=2&metadata[a]=1"
    assert desk.post("/orders", form, content_type=FORM, headers=MADE_KEY).body == first.body
    body = desk.usual_order(metadata={"b": {"d": "3", "c": "2"}, "a": "1"}, value=Decimal("150.0"))
    assert desk.post("/orders", dict(reversed(body.items())), headers=MADE_KEY).body == first.body


def test_a_key_counts_for_one_merchant_in_one_world(desk: Desk) -> None:
    body = {"email": "zoe@y.test"}
    shops = (desk, desk.as_key(PRODUCTION_KEY), desk.as_key(OTHER_KEY))
    made = {data_of(shop.post("/customers", body, headers=MADE_KEY))["id"] for shop in shops}
    assert len(made) == 3
    path = f"/operator/wallets/{desk.buyer_wallet['uuid']}/deposit"
    for key, status in ((OPERATOR_KEY, 200), (OPERATOR_PRODUCTION_KEY, 404)):
        deposit = {"amount": 1, "reference": "r"}
        assert desk.as_key(key).post(path, deposit, headers=MADE_KEY).status == status


REFUSALS = cases(
    ("step 8, accept",      "POST /orders/{id}/accept",     None,               ["status"],     True),
    ("step 8, validate",    "POST /orders/{id}/validate",   None,               ["status"],     True),
    ("step 9, reimburse",   "POST /orders/{id}/reimburse",  {"amount": 151},    ["amount"],     True),
    ("step 7, reimburse",   "POST /orders/{id}/reimburse",  {"amount": 0},      ["amount"],     False),
    ("step 7, validate",    "POST /orders/{id}/validate",   {"auto_accept": 5}, ["auto_accept"], False),
)  # fmt: skip


@pytest.mark.parametrize(("route", "body", "fields", "is_kept"), REFUSALS)
def test_refusals_of_steps_8_and_9_are_kept_and_of_step_7_are_not(
    desk: Desk, route: str, body: dict[str, Any] | None, fields: list[str], is_kept: bool
) -> None:
    order = desk.paid()
    if "accept" in route:
        desk.do(order, "accept")
    request = Request(desk, route, order["id"], body)
    first = request.send(headers=MADE_KEY)
    assert outcome(first) == fields
    again = request.send(headers=MADE_KEY)
    assert (again.body == first.body, "Idempotent-Replay" in again.headers) == (True, is_kept)
    others = {"amount": 1} if "reimburse" in route else {"auto_accept": "1", "x": 1}
    other = request.send(others, headers=MADE_KEY)
    if is_kept and "accept" not in route:
        assert outcome(other) == ["idempotency_key"]
    elif not is_kept:
        assert other.status == 200


def test_what_is_answered_again_is_what_was_recorded_with_the_command() -> None:
    """Also when the order went on meanwhile."""
    request = COMMANDS["A6 accept"]()
    first = request.send(headers=MADE_KEY)
    order = data_of(first)
    assert request.desk.do(order, "validate")["status"] == "RELEASED"
    assert part(request.desk, order, "payout")["status"] == "CONFIRMED"
    assert request.send(headers=MADE_KEY).body == first.body
