"""Exact numbers (R14, R37): the text is the value, and no digit of it is lost on any way."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.apis.trade.decimals import NotAnAmount, dec, parse, units_of
from chalicelib.domain.ledger.amounts import AMOUNT_MAX
from chalicelib.support.canonical import Number, exact

NINES = "99999999999999999999.999999999999999999"
amounts = st.integers(0, AMOUNT_MAX) | st.integers(0, 10**20)


@pytest.mark.parametrize(
    ("units", "decimals", "text"),
    [
        (2347418, 8, "0.02347418"),
        (1, 8, "0.00000001"),
        (4260000, 2, "42600"),
        (1, 18, "0.000000000000000001"),
        (1635212, 2, "16352.12"),
        (AMOUNT_MAX, 18, NINES),
        (12345, 0, "12345"),
        (0, 8, "0"),
        (0, 0, "0"),
        (10, 0, "10"),
        (-150, 2, "-1.5"),
    ],
)
def test_base_units_are_written_with_exactly_the_digits_that_they_need(units: int, decimals: int, text: str) -> None:
    assert dec(units, decimals) == Number(text)


@given(amounts, st.integers(0, 18))
def test_an_amount_that_was_written_is_read_back_to_the_last_unit(units: int, decimals: int) -> None:
    number = dec(units, decimals)
    assert units_of(number, decimals) == units_of(number.text, decimals) == units
    assert Fraction(number.text) == Fraction(units, 10**decimals)
    assert parse(exact(number).encode()) == number
    assert not number.text.endswith(".")
    assert "." not in number.text or number.text[-1] != "0"


@pytest.mark.parametrize(
    ("value", "decimals", "units"),
    [
        (Number("1e-7"), 8, 10),
        (Number("1E3"), 2, 100_000),
        (Number("1.0"), 0, 1),
        (Number("0.1500000000000000000000000000000"), 2, 15),
        ("0.0100", 2, 1),
        ("0", 8, 0),
        (Number("0e999999999"), 8, 0),
        (Number("-0"), 8, 0),
        (Number("99999999999999999999.999999999999999999"), 18, AMOUNT_MAX),
        (NINES, 18, AMOUNT_MAX),
        (Number("100e-2"), 0, 1),
        ("0." + "0" * 78, 8, 0),
        (Number("0.0234741800"), 8, 2347418),
    ],
)
def test_an_amount_is_the_decimal_that_was_sent(value: object, decimals: int, units: int) -> None:
    assert units_of(value, decimals) == units


@pytest.mark.parametrize(
    ("value", "decimals"),
    [
        (Number("-1"), 8),
        (Number("0.001"), 2),
        (Number("1e-9"), 8),
        (Number("1e20"), 18),
        (Number("1" + "0" * 38), 0),
        (Number("1e999999999"), 8),
        (Number("1e-999999999"), 8),
        (Number("1e9999999999999999999999"), 8),
        (Number("1e-9999999999999999999999"), 8),
        (Number("0." + "0" * 79), 8),
        (Number("1." + "0" * 79), 8),
        *(
            (text, 8)
            for text in ("", "1e3", "+1", "-1", "01", ".5", "5.", "1,5", " 1", "1 ", "1\n", "0x1", "NaN", "\u0661")
        ),
        ("0." + "0" * 79, 8),
        ("0.001", 2),
        (True, 8),
        (None, 8),
        (1, 8),
        (1.5, 8),
        ([], 8),
        ({}, 8),
    ],
)
def test_what_is_no_amount_of_the_asset_is_refused(value: object, decimals: int) -> None:
    with pytest.raises(NotAnAmount):
        units_of(value, decimals)


@given(st.integers(0, 10**30), st.integers(0, 18), st.integers(1, 6))
def test_one_decimal_too_many_is_refused_however_long_the_number_is(units: int, decimals: int, extra: int) -> None:
    text = dec(units * 10**extra + 1, decimals + extra)
    with pytest.raises(NotAnAmount):
        units_of(text, decimals)


@given(
    st.text()
    | st.builds(Number, st.from_regex(r"-?(0|[1-9][0-9]{0,50})(\.[0-9]{1,50})?([eE][+-]?[0-9]{1,12})?", fullmatch=True))
)
def test_whatever_is_sent_is_an_amount_in_the_ledgers_bounds_or_none(value: object) -> None:
    try:
        units = units_of(value, 8)
    except NotAnAmount:
        return
    assert 0 <= units <= AMOUNT_MAX


def test_numbers_keep_their_digits_from_the_text_to_the_text() -> None:
    text = '{"a":[1.10,1E3,123456789012345678901234567890.5],"b":{"é":"\\u0001\\"","c":null,"d":true}}'
    assert exact(parse(text.encode())) == text


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", '{"a":-Infinity}', "", "{", "01", "1."])
def test_what_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whichever it is
        parse(text.encode())
