"""Requests are read the same wherever packets end; tampered bytes are read or refused, and nothing else."""

from __future__ import annotations

from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra import http_reading
from infra.http_reading import RequestReader, RequestRefused
from tests.infra.serving import CHUNKED, post

STREAM = (
    post("Content-Length: 2", body=b"{}")
    + b"\r\n"
    + post("Transfer-Encoding: chunked", body=CHUNKED)
    + post()
    + b"GET http://here/a HTTP/1.1\nHost: here\n\n"
)


@given(st.sets(st.integers(1, len(STREAM) - 1)))
@settings(max_examples=60, deadline=None)
def test_where_packets_end_changes_nothing(ends: set[int]) -> None:
    places = [0, *sorted(ends), len(STREAM)]
    parts = [STREAM[first:last] for first, last in pairwise(places)]
    read, reader = [], RequestReader(Parts(parts))  # type: ignore[arg-type]
    for _ in range(4):
        request = reader.read()
        read.append((request.method, request.target, request.body))
    assert read == [
        ("POST", "/refunds", b"{}"),
        ("POST", "/refunds", b'{"amount":10}'),
        ("POST", "/refunds", b""),
        ("GET", "/a", b""),
    ]
    with pytest.raises(http_reading.ConnectionEnded):
        reader.read()


@given(st.binary(max_size=200), st.integers(0, len(STREAM)), st.integers(0, 40))
@settings(max_examples=300, deadline=None)
def test_bytes_that_were_tampered_with_are_read_or_refused_and_nothing_else(
    noise: bytes, place: int, dropped: int
) -> None:
    reader = RequestReader(Parts([STREAM[:place] + noise + STREAM[place + dropped :]]))  # type: ignore[arg-type]
    with suppress(RequestRefused, http_reading.ConnectionEnded):
        for _ in range(100):
            reader.read()
        raise AssertionError("more requests than bytes")


class Parts:
    """Stands for a socket: what arrives, packet by packet."""

    def __init__(self, parts: list[bytes]) -> None:
        self._parts = parts

    def settimeout(self, _seconds: float) -> None: ...

    def recv(self, _size: int) -> bytes:
        return self._parts.pop(0) if self._parts else b""

    def sendall(self, _content: bytes) -> None: ...
