"""Amounts: their texts, their decimals, and the fee."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.escrow.money import (
    Currency,
    FeeTerms,
    base_units,
    has_decimals,
    major_units,
    money_text,
    rounded_down,
)
from tests.services.escrow.world import EUR, JPY, eur, fee

USD = Currency("USD", 2, "0x" + "d" * 40)


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        ("150", EUR, "150.00 €"),
        ("0.59", EUR, "0.59 €"),
        ("1234567.8", EUR, "1234567.80 €"),
        ("150", USD, "150.00 USD"),
        ("150", JPY, "150 JPY"),
        ("0", EUR, "0.00 €"),
        ("0.05", EUR, "0.05 €"),
        ("999999999.99", EUR, "999999999.99 €"),
    ],
)
def test_money_is_written_as_people_write_it(amount: str, currency: Currency, text: str) -> None:
    assert money_text(base_units(Decimal(amount)), currency) == text


@pytest.mark.parametrize(
    ("value", "terms", "reimbursed", "taken", "paid"),
    [
        ("150", fee("3", "2.5"), "0", "3.75", "146.25"),
        ("150", fee("5", "2.5"), "0", "5", "145"),
        ("23.77", fee(None, "2.5"), "0", "0.59", "23.18"),
        ("2", fee("2", "100"), "0", "2", "0"),
        ("150", fee("10"), "145", "5", "0"),
        ("150", fee(), "0", "0", "150"),
        ("0", fee(None, "10"), "0", "0", "0"),
    ],
)
def test_the_fee_is_that_of_the_contract(value: str, terms: FeeTerms, reimbursed: str, taken: str, paid: str) -> None:
    """E25"""
    left = eur(value) - eur(reimbursed)
    assert terms.fee(EUR).of(left) == eur(taken)
    assert left - terms.fee(EUR).of(left) == eur(paid)


@given(
    st.integers(0, 10**11),
    st.integers(0, 10**11) | st.none(),
    st.integers(0, 10**6) | st.none(),
    st.sampled_from([0, 2]),
)
def test_the_fee_is_whole_minor_units_and_never_more_than_there_is(
    cents: int, value: int | None, percent: int | None, decimals: int
) -> None:
    currency = Currency("XXX", decimals, "0x")
    amount = cents * currency.minor_unit
    terms = FeeTerms(None if value is None else value * currency.minor_unit, percent)
    taken = terms.fee(currency).of(amount)
    assert 0 <= taken <= amount
    assert taken % currency.minor_unit == 0
    share = Decimal(cents) * (percent or 0) / 10**6
    assert taken == min(cents, max(value or 0, int(share))) * currency.minor_unit


@pytest.mark.parametrize(
    "amount", ["150", "150.5", "23.77", "0", "0.000000000000000001", "12345678901234567890.123456789"]
)
def test_a_number_is_the_same_after_the_ledger(amount: str) -> None:
    assert f"{major_units(base_units(Decimal(amount))):f}" == amount


def test_numbers_of_38_digits_are_exact() -> None:
    """The default of decimal arithmetic has 28 digits."""
    most = 10**38 - 1
    assert str(major_units(most)) == "99999999999999999999.999999999999999999"
    assert base_units(major_units(most)) == most


def test_more_decimals_than_base_units_have_is_an_error() -> None:
    with pytest.raises(ValueError, match="18 decimals"):
        base_units(Decimal("0.0000000000000000001"))


@pytest.mark.parametrize(
    ("amount", "decimals", "has"),
    [
        ("1.005", 2, False),
        ("1.50", 1, True),
        ("150", 0, True),
        ("1E+2", 0, True),
        ("0.00", 0, True),
        ("1.00000000000000000000000000000000001", 2, False),
        ("NaN", 2, False),
        ("Infinity", 2, False),
    ],
)
def test_decimals_are_counted_exactly(amount: str, decimals: int, has: bool) -> None:
    assert has_decimals(Decimal(amount), decimals) is has


def test_a_balance_is_shown_in_whole_minor_units() -> None:
    assert rounded_down(eur("1.999"), EUR) == eur("1.99")
    assert rounded_down(eur("1.999"), JPY) == eur("1")
