"""Prefer: wait=N (RFC 7240): which seconds are read of a header, in one pass whatever it holds."""

from __future__ import annotations

import pytest

from chalicelib.apis.kit.preference import declines_to_wait, wait_preference


@pytest.mark.parametrize(
    ("header", "wait_s"),
    [
        ("wait=5", 5), ("wait=10", 10), ("wait=11", 10), ("wait=" + "9" * 5000, 10), ("wait=0", None),
        ("wait=-1", None),
        ("wait=1.5", None), ("wait=", None), ("respond-async", None), ("", None), ("foo, wait=3", 3), ("Wait = 3", 3),
        ("wait=3; foo=bar", 3), ('wait="4"', 4), ("wait=x, wait=5", None), ("wait=2, wait=5", 2), ("await=5", None),
        ('foo="a, wait=9", wait=4', 4), ('foo="\\", wait=9", wait=4', 4), ('foo="open, wait=9', None), ("wait=5\n", 5),
        ("wait" + " " * 8192 + "x", None), ("wait=" + " " * 8192 + "7" + " " * 8192, 7), ("wait=\u0665", None),
    ],
)  # fmt: skip
def test_the_wait_preference_is_read_as_documented(header: str, wait_s: int | None) -> None:
    """T19"""
    assert wait_preference(header) == wait_s
    assert declines_to_wait(header) == (header == "wait=0")
