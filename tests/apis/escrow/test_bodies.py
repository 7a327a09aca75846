"""Bodies: three forms of the same request, and what none can be read of."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.apis.escrow.bodies import BODY_BYTES_MAX, DEPTH_MAX, Body, UnreadableBody, body_of
from tests.apis.escrow.cases import BOUNDARY, FORM, multipart
from tests.apis.escrow.cases import QUOTED_MULTIPART as MULTIPART
from tests.apis.escrow.desk import Desk, errors_of
from tests.case_tables import cases

READABLE = cases(
    ("nothing", b"", "application/json", {}),
    ("blank", b" \r\n ", "text/plain", {}),
    ("no_members_as_php_writes_them", b"[]", "application/json", {}),
    ("no_members_as_php_writes_them_with_blanks", b" [ ]\n", "", {}),
    ("null", b"null", "application/json", {}),
    (
        "json",
        b'{"a":1,"b":[true,null],"c":{"d":"e"}}',
        "application/json",
        {"a": 1, "b": [True, None], "c": {"d": "e"}},
    ),
    ("json_of_no_type", b'{"a":1}', "", {"a": 1}),
    ("json_with_charset", b'{"a":1}', "Application/JSON; charset=utf-8", {"a": 1}),
    (
        "json_exact",
        b'{"a":0.10,"b":12345678901234567890}',
        "application/json",
        {"a": Decimal("0.10"), "b": 12345678901234567890},
    ),
    ("json_last_counts", b'{"a":1,"a":2}', "application/json", {"a": 2}),
    ("form", b"a=1&b=x+y%20z&c=", FORM, {"a": "1", "b": "x y z", "c": ""}),
    ("form_last_counts", b"a=1&a=2", FORM, {"a": "2"}),
    ("form_object", b"a[b]=c&a[d][e]=f", FORM, {"a": {"b": "c", "d": {"e": "f"}}}),
    ("form_list", b"a[]=x&a[]=y", FORM, {"a": ["x", "y"]}),
    ("form_indices", b"a[1]=y&a[0]=x", FORM, {"a": ["x", "y"]}),
    ("form_indices_go_on", b"a[5]=x&a[]=y", FORM, {"a": ["x", "y"]}),
    ("form_index_in_an_object", b"a[0]=x&a[b]=y", FORM, {"a": {"0": "x", "b": "y"}}),
    ("form_objects_in_a_list", b"a[0][b]=x&a[1][b]=y", FORM, {"a": [{"b": "x"}, {"b": "y"}]}),
    ("form_text_gives_way", b"a=1&a[b]=2", FORM, {"a": {"b": "2"}}),
    ("form_odd_brackets", b"a[b=1&[c]=2&a[d]e=3", FORM, {"a[b": "1", "[c]": "2", "a[d]e": "3"}),
    (
        "form_indices_end",
        b"a[999999999]=x&a[]=y&a[]=z",
        FORM,
        {"a": {"999999999": "x", "1000000000": "y", "1000000001": "z"}},
    ),
    ("form_lists_in_lists", b"a[][]=x&a[][]=y", FORM, {"a": [["x"], ["y"]]}),
    ("form_brace_later", b"a=1&{b=2", FORM, {"a": "1", "{b": "2"}),
    ("form_encoded_brackets", b"a%5Bb%5D=c", FORM, {"a": {"b": "c"}}),
    ("multipart", multipart(('name="a"', "x\r\ny"), ('name="b[c]"', "ü")), MULTIPART, {"a": "x\r\ny", "b": {"c": "ü"}}),
    ("multipart_without_parts", f"--{BOUNDARY}--\r\n".encode(), MULTIPART, {}),
    ("multipart_blanks_around", b"\r\n" + multipart(('name="a"', "x")) + b"\r\n", MULTIPART, {"a": "x"}),
    ("multipart_no_file_chosen", multipart(('name="a"; filename=""', "")), MULTIPART, {"a": ""}),
)


@pytest.mark.parametrize(("content", "content_type", "members"), READABLE)
def test_a_body_is_read(content: bytes, content_type: str, members: dict[str, Any]) -> None:
    assert body_of(content, content_type) == Body(members)


def nested(depth: int) -> bytes:
    return b'{"a":' * depth + b"1" + b"}" * depth


UNREADABLE = cases(
    ("no_json", b"{", "application/json"),
    ("no_object", b'["a"]', "application/json"),
    ("no_object_but_false", b"false", "application/json"),
    ("no_object_but_zero", b"0", "application/json"),
    ("no_object_but_a_text", b'""', "application/json"),
    ("a_list_with_something_in_it", b"[null]", "application/json"),
    ("json_as_a_form", b'{"amount":10}', FORM),
    ("json_as_a_form_with_blanks", b' \n{"amount": 10}\n', FORM),
    ("json_as_a_form_percent_encoded", b"%7B%22amount%22%3A10%7D", FORM),
    ("json_as_a_form_with_a_sign_in_it", b'{"name":"a=b&c","amount":10}', FORM),
    ("json_list_as_a_form", b'[{"amount":10}]', FORM),
    ("empty_json_object_as_a_form", b"{}", FORM),
    ("json_as_a_form_after_a_byte_order_mark", '\ufeff{"amount":10}'.encode(), FORM),
    ("json_as_a_form_in_utf_16", '{"amount":10}'.encode("utf-16-be"), FORM),
    ("json_in_a_json_text_as_a_form", b'"{\\"amount\\":10}"', FORM),
    ("form_of_a_list", b"[0][amount]=10", FORM),
    ("multipart_preamble", b"amount=10\r\n" + multipart(('name="a"', "x")), MULTIPART),
    ("multipart_epilogue", multipart(('name="a"', "x")) + b"amount=10", MULTIPART),
    ("multipart_ends_before_it_begins", f"--{BOUNDARY}--\r\n".encode() + multipart(('name="a"', "x")), MULTIPART),
    ("json_as_multipart", b'{"amount":10}', MULTIPART),
    ("no_number", b'{"a":NaN}', "application/json"),
    ("exponent_beyond_bounds", b'{"a":1e99999999999999999999}', "application/json"),
    ("no_utf8", b'{"a":"\xff"}', "application/json"),
    ("no_unicode", b'{"a":"\\ud800"}', "application/json"),
    ("no_unicode_in_a_name", b'{"\\ud800":1}', "application/json"),
    ("too_deep", nested(DEPTH_MAX + 1), "application/json"),
    ("deeper_than_python_goes", b'{"a":' + b"[" * 60_000, "application/json"),
    ("form_no_utf8", b"a=%ff", FORM),
    ("form_too_deep", b"a" + b"[b]" * DEPTH_MAX + b"=1", FORM),
    ("multipart_no_boundary", multipart(('name="a"', "x")), "multipart/form-data"),
    ("multipart_other_boundary", multipart(('name="a"', "x")), "multipart/form-data; boundary=other"),
    ("multipart_cut_short", multipart(('name="a"', "x"))[:-6], MULTIPART),
    ("multipart_no_utf8", multipart(('name="a"', b"\xff")), MULTIPART),
    ("unknown_type", b"<a/>", "application/xml"),
    ("text", b'{"a":1}', "text/plain"),
    ("too_large", b'{"a":"' + b"x" * BODY_BYTES_MAX + b'"}', "application/json"),
)


@pytest.mark.parametrize(("content", "content_type"), UNREADABLE)
def test_a_body_that_cannot_be_read_is_one_error(desk: Desk, content: bytes, content_type: str) -> None:
    """E3"""
    before = desk.tables()
    assert list(errors_of(desk.post("/orders", content, content_type=content_type))) == ["body"]
    assert desk.tables() == before


def test_a_body_may_have_64_kib_and_16_levels(desk: Desk) -> None:
    rest = '{"name":"' + "x" * 8
    body = rest + "x" * (BODY_BYTES_MAX - len(rest) - 2) + '"}'
    assert "body" not in errors_of(desk.post("/orders", body.encode()))
    assert body_of(nested(DEPTH_MAX), "application/json")


def test_a_file_is_an_error_of_its_field_and_of_nothing_else(desk: Desk) -> None:
    body = multipart(
        ('name="name"; filename="a.txt"', "Lamp"),
        ('name="images[]"; filename="b.png"', b"\x89PNG\xff"),
        ('name="value"', "1"),
    )
    errors = errors_of(desk.post("/orders", body, content_type=MULTIPART))
    assert sorted(errors) == ["buyer_id", "images", "name", "seller_id"]
    assert errors["name"] == ["The name must not be a file."]


FORMS_OF_MANY_FIELDS: Any = cases(
    ("list", lambda n: [("a[]", "")] * n),
    ("lists_in_a_list", lambda n: [("a[][]", "")] * n),
    ("list_by_index", lambda n: [(f"a[{number}]", "") for number in range(n)]),
    ("list_backwards", lambda n: [(f"a[{n - number}]", "") for number in range(n)]),
    ("objects", lambda n: [(f"a[{number}][b]", "") for number in range(n)]),
    ("one_name", lambda n: [("a", "")] * n),
    ("names", lambda n: [(f"a{number}", "") for number in range(n)]),
)


@pytest.mark.parametrize("form", ["urlencoded", "multipart"])
@pytest.mark.parametrize("fields", FORMS_OF_MANY_FIELDS)
def test_a_form_of_twice_as_many_fields_takes_twice_the_work(fields: Any, form: str) -> None:
    def steps(count: int) -> int:
        sent = fields(count)
        if form == "urlencoded":
            return steps_of(lambda: body_of("&".join(f"{name}=" for name, _ in sent).encode(), FORM))
        return steps_of(lambda: body_of(multipart(*((f'name="{name}"', "") for name, _ in sent)), MULTIPART))

    few, more, most = (steps(count) for count in (100, 200, 400))
    assert most - more <= 2.2 * (more - few)


def steps_of(call: Callable[[], object]) -> int:
    """Return how many lines of Python a call takes, each turn of a generator counted."""
    steps = 0

    def count(_frame: object, _event: str, _argument: object) -> Any:
        nonlocal steps
        steps += 1
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        call()
    finally:
        sys.settrace(before)
    return steps


SPELLINGS = cases(
    ("number_as_text", {"value": "23.77"}, ("value", Decimal("23.77"))),
    ("number_with_exponent", {"value": Decimal("1.5E+2")}, ("value", 150)),
    ("id_as_text", {"payin_intents": "3"}, ("payin_intents", 3)),
    ("true_as_text", {"auto_settle": "true"}, ("status", "DRAFT")),
    ("zero_as_text", {"auto_settle": "0"}, ("status", "DRAFT")),
    ("trimmed", {"name": "  Lamp \n"}, ("name", "Lamp")),
    ("empty_is_absent", {"description": "  ", "tag": ""}, ("description", None)),
    ("many_zeros_behind", {"value": "1." + "0" * 900}, ("value", 1)),
    ("many_zeros_before", {"value": "0" * 900 + "1.5"}, ("value", Decimal("1.5"))),
    ("null_is_absent", {"fee_value": None}, ("fee_value", None)),
    ("unknown_is_ignored", {"colour": "red"}, ("name", "Road bike")),
    (
        "template",
        {"template": {"expires_in": "5", "password_cvv": "1", "x": [1]}},
        ("template", {"expires_in": 5, "password_cvv": True, "x": [1]}),
    ),
    (
        "template_trimmed",
        {"template": {"expires_in": "", "password_cvv": " ", "iframe_title": " a ", "x": " a ", "y": ""}},
        ("template", {"iframe_title": "a", "x": " a ", "y": ""}),
    ),
)


@pytest.mark.parametrize(("members", "shown"), SPELLINGS)
def test_values_may_be_spelled_as_text(desk: Desk, members: dict[str, Any], shown: tuple[str, Any]) -> None:
    name, value = shown
    assert desk.order(**members)[name] == value


@settings(max_examples=100, deadline=None)
@given(content=st.binary(max_size=300), kind=st.sampled_from(["application/json", FORM, MULTIPART]))
def test_any_bytes_are_a_body_or_an_error(content: bytes, kind: str) -> None:
    with suppress(UnreadableBody):
        assert isinstance(body_of(content, kind), Body)


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@settings(max_examples=60, deadline=None)
@given(value=texts.filter(lambda value: f"--{BOUNDARY}" not in value))
def test_a_text_is_the_same_in_every_form(value: str) -> None:
    assert body_of(urlencode({"a": value}).encode(), FORM).members == {"a": value}
    assert body_of(multipart(('name="a"', value)), MULTIPART).members == {"a": value}
