"""Reading JSON: what is read exactly, and what is beyond the bounds."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.apis.kit.exact_json import (
    DEPTH_MAX,
    PORTABLE_DIGITS_MAX,
    PORTABLE_EXPONENT_MAX,
    UnreadableJson,
    is_portable,
    parts,
    read_json,
)

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=10,
)


@given(value=values)
def test_what_is_written_is_read(value: object) -> None:
    assert read_json(json.dumps(value).encode()) == value


def nested(opening: str, closing: str, levels: int, innermost: str = "1") -> bytes:
    return (opening * levels + innermost + closing * levels).encode()


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}"), ('[{"a":', "}]")])
def test_depth_is_bounded_however_deep_it_is(opening: str, closing: str) -> None:
    a_time = opening.count("[") + opening.count("{")
    assert read_json(nested(opening, closing, DEPTH_MAX // a_time))
    for levels in (DEPTH_MAX // a_time + 1, 300, 900, 966, 1000, 60_000):
        for innermost in ("1", "[]", "{}"):
            with pytest.raises(UnreadableJson, match=f"deeper than {DEPTH_MAX} levels"):
                read_json(nested(opening, closing, levels, innermost))


@pytest.mark.parametrize("innermost", ["[]", "{}"])
def test_an_empty_list_or_object_is_a_level_too(innermost: str) -> None:
    assert read_json(nested("[", "]", DEPTH_MAX - 1, innermost))
    with pytest.raises(UnreadableJson, match="nested deeper"):
        read_json(nested("[", "]", DEPTH_MAX, innermost))


@pytest.mark.parametrize("content", [b"", b"{", b"NaN", b"[Infinity]", b"\xff", b"{}{}", b"1e99999999999999999999"])
def test_what_is_no_json_is_refused(content: bytes) -> None:
    with pytest.raises(UnreadableJson, match="must be readable JSON"):
        read_json(content)


@pytest.mark.parametrize(
    "text", ["0", "-0", "7", "-7", "9" * 38, "0.10", "1e2", "-1.5E-3", "9" * 5000, "-" + "9" * 60_000]
)
def test_a_number_is_exact_however_long_it_is(text: str) -> None:
    assert read_json(text.encode()) == Decimal(text)


def test_every_part_is_seen_once_with_its_depth() -> None:
    value: Any = {"a": [1, {"b": 2}]}
    assert sorted(map(repr, parts(value))) == sorted(
        map(repr, [(0, value), (1, "a"), (1, value["a"]), (2, 1), (2, {"b": 2}), (3, "b"), (3, 2)])
    )


@pytest.mark.parametrize("number", [0, -1, 10**299, Decimal("0.10"), Decimal("0E-299"), Decimal("-1E-299"), True])
def test_what_is_portable_is_read_by_libraries_that_know_floats_alone(number: Any) -> None:
    assert is_portable({"a": [number]})
    assert abs(float(number)) < float("inf")


@pytest.mark.parametrize(
    "number",
    [
        10**PORTABLE_DIGITS_MAX,
        Decimal("-1" + "0" * 4499),
        Decimal("9" * 4500),
        Decimal("0." + "1" * (PORTABLE_DIGITS_MAX + 1)),
        Decimal(f"1E{PORTABLE_EXPONENT_MAX}"),
        Decimal(f"1E-{PORTABLE_EXPONENT_MAX}"),
        Decimal("0E+999999999999999999"),
        Decimal("0E-999999999999999999"),
    ],
)
def test_what_is_not_portable_is_told(number: Any) -> None:
    assert not is_portable(number)
    assert not is_portable([{"a": number}])
