"""JSON texts: equal values have equal texts, and numbers are exact."""

from __future__ import annotations

import json

import pytest

from chalicelib.support.canonical import canonical, digest, exact, exact_object


def test_an_exact_text_is_json_as_python_writes_it() -> None:
    value = {
        "data": [{"price": 42600, "name": 'é"\n', "none": None, "is": False}],
        "empty": [],
        "none": {},
        "pair": ("a", 1),
    }
    assert exact(value) == json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@pytest.mark.parametrize("value", [1.5, object(), {"a": [1.5]}, {1: "a"}])
def test_a_float_is_never_written(value: object) -> None:
    with pytest.raises(TypeError):
        exact(value)


@pytest.mark.parametrize(
    "text",
    [
        '{"weight":0.10,"big":12345678901234567890.5,"n":{"of":[1,true,null,"é \\"x\\""]}}',
        '{"a":' + "1" * 5000 + ',"b":-' + "2" * 38 + ',"c":' + "3" * 64 + "}",
    ],
)
def test_numbers_stay_as_they_came(text: str) -> None:
    assert exact(exact_object(text)) == text


def test_the_order_of_members_does_not_change_the_canonical_text() -> None:
    one, other = {"b": [1, {"d": "é", "c": 2}], "a": None}, {"a": None, "b": [1, {"c": 2, "d": "é"}]}
    assert canonical(one) == canonical(other) == '{"a":null,"b":[1,{"c":2,"d":"é"}]}'


def test_a_digest_is_the_sha_256_of_the_text_in_utf_8() -> None:
    assert digest("é") == "4a99557e4033c3539de2eb65472017cad5f9557f7a0625a09f1c3f6e2ba69c4c"
    assert digest("\ud800") != digest("\ud801")
