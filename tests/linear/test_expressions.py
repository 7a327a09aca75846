"""Every regular expression of the program takes time linear in the text, whatever repeats in it.

Texts that match are made of each expression, and at each place of them a character, or two, repeat thousands of times,
with an end that does not match.
"""

from __future__ import annotations

import re
import warnings
from functools import partial

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.linear import measuring
from tests.linear.expressions import Expression, expressions
from tests.linear.measuring import TooSlow, assert_linear

FOUND = expressions()
EXAMPLES = 6
PLACES_MAX = 14
BLANKS_AND_MARKS = (" ", "0", "a", "A", '"', "\\", "\\\\", '\\"', " =", "%", ",", "[]", "[0]", "-", ".", ";", '",')
SIZES = (16, 64, 256, 1024, 4096, 16_384)
UNPRINTABLE = "\x00"
BY_UNICODE = re.compile(r"\\[dws]", re.IGNORECASE)
ONLY_OVER_OUR_OWN_TEXT = frozenset(("chalicelib.tables.writes._NAME[0]",))
BLANKS_OF_ANY_SCRIPT = frozenset(
    (
        r"https?://[^\s/]+(/[^\s]*[^\s/])?",
        r"\s",  # no blank of any script may stand in a URL
        r"bearer +(\S+)",
        r"Bearer +(\S+)",
    )
)

named = pytest.mark.parametrize("name", sorted(FOUND))


def matching(pattern: re.Pattern[str]) -> list[str]:
    """Return some texts that match, always the same ones."""
    found: list[str] = []

    @seed(0)
    @settings(max_examples=EXAMPLES, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(st.from_regex(pattern, alphabet=st.characters(codec=None, exclude_categories=[]), fullmatch=True))
    def collect(text: str) -> None:
        found.append(text[:200])

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        collect()
    return sorted(set(found), key=lambda text: (len(text), text))[-EXAMPLES:]


def repeating(start: str, unit: str, end: str, size: int) -> str:
    return start + unit * (size // len(unit)) + end


def assert_expression_linear(expression: Expression) -> None:
    pattern = expression.pattern

    def call(text: str) -> None:
        pattern.fullmatch(text)
        if expression.is_searched:
            pattern.sub("", text)

    for example in matching(pattern):
        step = max(1, len(example) // PLACES_MAX)
        for place in range(0, len(example) + 1, step):
            start, end = example[:place], example[place:]
            repeated = {start[-1:], start[-2:], *BLANKS_AND_MARKS} - {""}
            for unit in sorted(repeated):
                assert_linear(call, partial(repeating, start, unit, end + UNPRINTABLE), SIZES)


@named
def test_an_expression_takes_time_linear_in_the_text(name: str) -> None:
    assert_expression_linear(FOUND[name])


@pytest.mark.parametrize(
    "expression",
    [
        r"\s*wait\s*=\s*\"?([^\";]*)\"?\s*(;.*)?",
        r"\s*=\s*x",
        r"(a|aa)+b",
        r"([0-9]+)*x",
        r"[a-z]+[0-9a-z]+!",
        r'"(?:[^"\\]|\\.)*"',
    ],
)
def test_an_expression_that_is_slower_is_found(monkeypatch: pytest.MonkeyPatch, expression: str) -> None:
    monkeypatch.setattr(measuring, "STOPPED_AFTER_S", 2)
    with pytest.raises(TooSlow):
        assert_expression_linear(Expression(re.compile(expression), True))


@named
def test_an_end_is_the_end(name: str) -> None:
    """``$`` also matches before a last line feed: ``\\Z`` and fullmatch do not."""
    assert not re.search(r"(?<!\\)\$", FOUND[name].pattern.pattern.replace("[$]", ""))


@named
def test_a_class_of_characters_is_that_of_ascii(name: str) -> None:
    r"""``\d`` matches the digits of every script, which int() reads too, and ``\w`` letters of all."""
    pattern = FOUND[name].pattern
    is_free = name in ONLY_OVER_OUR_OWN_TEXT or pattern.pattern in BLANKS_OF_ANY_SCRIPT
    assert is_free or pattern.flags & re.ASCII or not BY_UNICODE.search(pattern.pattern)
