"""Faults for tests: a DynamoDB client whose n-th call fails, before or after it was done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Died(BaseException):
    """The process is gone; nothing catches this, so nothing tidies up."""


class FaultyClient:
    """Hands calls on to a client, but for one: that raises, before it is done or with its answer lost."""

    def __init__(self, client: Any, error: BaseException, *, after: bool) -> None:
        self._client = client
        self._error = error
        self._after = after
        self._fails_at = 0
        self.calls = 0

    def fail_at(self, call: int) -> None:
        """Fail at this call, counted from now (1 is the next)."""
        self.calls, self._fails_at = 0, call

    def __getattr__(self, name: str) -> Any:
        operation = getattr(self._client, name)
        if name == "get_paginator":
            return lambda *arguments: _FaultyPaginator(self, operation(*arguments))
        return lambda **arguments: self.count(lambda: operation(**arguments))

    def count(self, operation: Callable[[], Any]) -> Any:
        self.calls += 1
        if self.calls != self._fails_at:
            return operation()
        if self._after:
            operation()
        raise self._error


class _FaultyPaginator:
    def __init__(self, client: FaultyClient, paginator: Any) -> None:
        self._client = client
        self._paginator = paginator

    def paginate(self, **arguments: Any) -> Any:
        return self._client.count(lambda: self._paginator.paginate(**arguments))
