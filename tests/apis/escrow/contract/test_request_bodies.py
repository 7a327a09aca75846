"""Bodies of all requests: three forms, what is absent, how texts are converted, numbers."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from tests.apis.escrow.cases import (
    COMMANDS,
    FORM,
    MULTIPART,
    PUTS,
    QUOTED_MULTIPART,
    Request,
    as_multipart,
    as_urlencoded,
    copied,
    every_command,
    multipart,
    outcome,
    shown,
)
from tests.apis.escrow.desk import Desk, data_of, errors_of
from tests.case_tables import cases


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
    for name, make in COMMANDS.items():
        request = make()
        assert request.method == ("PUT" if name in PUTS else "POST")
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
