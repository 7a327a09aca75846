"""Times in requests: which second or millisecond a text names, rounded towards the inside of a span."""

from __future__ import annotations

import pytest

from chalicelib.apis.kit.times import MS, QUERY_TIME, SECONDS, moment_of, time_form

LIBERAL = time_form(r"[.,]\d{1,9}", r"Z|[+-]\d\d(?::?\d\d)?")
NOON_S = 1_737_115_200
"""2025-01-17T12:00:00Z"""


@pytest.mark.parametrize(
    "text",
    [
        "2025-01-17T12:00",
        "2025-01-17T12:00:00",
        "2025-01-17T12:00:00.000Z",
        "2025-01-17T09:00:00-03:00",
        "2025-01-17T17:30+05:30",
        "2025-01-17T17:30 05:30",
    ],
)
def test_a_time_without_a_zone_is_in_utc(text: str) -> None:
    assert moment_of(text, QUERY_TIME).at_s == NOON_S


@pytest.mark.parametrize(
    ("fraction", "first_s", "last_s", "first_ms", "last_ms"),
    [
        ("", 0, 0, 0, 0),
        (".000000000", 0, 0, 0, 0),
        (".5", 1, 0, 500, 500),
        (".0001", 1, 0, 1, 0),
        (".0000001", 1, 0, 1, 0),
        (".123456", 1, 0, 124, 123),
    ],
)
def test_a_fraction_rounds_to_the_inside_to_the_last_digit(
    fraction: str, first_s: int, last_s: int, first_ms: int, last_ms: int
) -> None:
    moment = moment_of(f"2025-01-17T12:00:00{fraction}Z", QUERY_TIME)
    assert (moment.first(SECONDS) - NOON_S, moment.last(SECONDS) - NOON_S) == (first_s, last_s)
    assert (moment.first(MS) - NOON_S * 1000, moment.last(MS) - NOON_S * 1000) == (first_ms, last_ms)


def test_a_date_is_all_of_its_day() -> None:
    day = moment_of("2025-01-17", QUERY_TIME)
    midnight_s = NOON_S - 12 * 3600
    assert (day.first(SECONDS), day.last(SECONDS)) == (midnight_s, midnight_s + 86_399)
    assert (day.first(MS), day.last(MS)) == (midnight_s * 1000, midnight_s * 1000 + 86_399_999)


@pytest.mark.parametrize("zone", ["+05", "+0530", "+05:30", ""])
def test_a_form_says_how_a_zone_may_be_written(zone: str) -> None:
    assert moment_of(f"2025-01-17T12:00:00,5{zone}", LIBERAL).fraction == "5"


@pytest.mark.parametrize(
    "text",
    [
        *("", "2025", "2025-02-30", "0000-01-01", "2025-01-17T", "2025-01-17T24:00", "2025-01-17T12:00:60"),
        *("2025-01-17T12:00+24:00", "2025-01-17T12:00+05:60", "2025-01-17 12:00", "2025-01-17T12:00:00."),
        "\u0662025-01-17",
    ],
)
@pytest.mark.parametrize("form", [QUERY_TIME, LIBERAL])
def test_what_names_no_moment_is_refused(text: str, form: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whichever it is
        moment_of(text, form)  # type: ignore[arg-type]


def test_beyond_the_years_that_there_are_a_moment_has_seconds_and_no_date() -> None:
    moment = moment_of("9999-12-31T23:59-01:00", QUERY_TIME)
    assert moment.at_s == 253_402_304_340
    with pytest.raises(OverflowError):
        _ = moment.at
