"""Faults for tests: a DynamoDB client one of whose calls goes wrong, in each way in which it can.

A fault is a function of the operation's name and of the call itself: it decides whether the call is done, and what
becomes of its answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any

from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from tests.recording import nobody, of_whom

ENDPOINT = "http://dynamodb.test"
Call = Callable[[], Any]
Fault = Callable[[str, Call], Any]


class Died(BaseException):
    """The process is gone; nothing catches this, so nothing tidies up."""


def raising(error: BaseException, *, after: bool) -> Fault:
    """Return a fault that raises the error, before the call is done or with its answer lost."""

    def fault(_operation: str, call: Call) -> Any:
        if after:
            call()
        raise error

    return fault


def throttled(operation: str, call: Call) -> Any:  # noqa: ARG001 - refused before it is done
    """The table has no capacity left for this call."""
    raise refusal("ThrottlingException", operation)


def in_conflict(operation: str, call: Call) -> Any:
    """A transaction that runs at this moment has one of the call's rows; reads are not concerned."""
    if operation == "transact_write_items":
        reasons = [{"Code": "TransactionConflict"}]
        raise refusal("TransactionCanceledException", operation, CancellationReasons=reasons)
    if operation in ("put_item", "update_item", "delete_item"):
        raise refusal("TransactionConflictException", operation)
    return call()


def after_another(work: Callable[[], None]) -> Fault:
    """Return a fault in which somebody else does some work right before the call."""

    def fault(_operation: str, call: Call) -> Any:
        work()
        return call()

    return fault


def refusal(code: str, operation: str, **more: Any) -> ClientError:
    answer: Any = {
        "Error": {"Code": code, "Message": "a fault of this test"},
        "ResponseMetadata": {"HTTPStatusCode": 400},
    }
    return ClientError(answer | more, operation)


FAULTS: dict[str, Fault] = {
    "error before": raising(ConnectionClosedError(endpoint_url=ENDPOINT), after=False),
    "outcome unknown": raising(ReadTimeoutError(endpoint_url=ENDPOINT), after=True),
    "death before": raising(Died(), after=False),
    "death after": raising(Died(), after=True),
    "throttled": throttled,
    "in conflict": in_conflict,
}
"""What can go wrong with one call on its own account."""


class CutShort:
    """Makes calls that are made at once in any order; at one such set it makes a part of them, and the process dies.

    at: the set, 1 is the first.
    """

    def __init__(self, draw: Random, at: int) -> None:
        self._draw = draw
        self._sets_left = at
        self.has_struck = False

    def __call__(self, calls: Sequence[Callable[[], None]]) -> None:
        if not calls:
            return
        self._sets_left -= 1
        self.has_struck = self._sets_left == 0
        for call in self._draw.sample(calls, self._draw.randrange(len(calls)) if self.has_struck else len(calls)):
            call()
        if self.has_struck:
            raise Died


class WatchedClient:
    """Hands each call on to a client through ``watch``, which may do it or not. A page of a query is a call."""

    def __init__(self, client: Any, watch: Fault) -> None:
        self._client = client
        self._watch = watch

    def __getattr__(self, name: str) -> Any:
        operation = getattr(self._client, name)
        if name == "get_paginator":
            return lambda kind: _WatchedPaginator(self._watch, kind, operation(kind))
        return lambda **arguments: nobody(self._watch)(name, of_whom(lambda: operation(**arguments)))


class _WatchedPaginator:
    def __init__(self, watch: Fault, operation: str, paginator: Any) -> None:
        self._watch = watch
        self._operation = operation
        self._paginator = paginator

    def paginate(self, **arguments: Any) -> Iterator[Any]:
        pages = iter(self._paginator.paginate(**arguments))
        page: dict[str, Any] = {"LastEvaluatedKey": None}
        while "LastEvaluatedKey" in page:
            page = nobody(self._watch)(self._operation, of_whom(lambda: next(pages)))
            yield page


class FaultyClient(WatchedClient):
    """A client at one of whose calls the fault strikes."""

    def __init__(self, client: Any, fault: Fault, *, at: int = 0) -> None:
        super().__init__(client, self._count)
        self._fault = fault
        self._strikes_at = at
        self.calls = 0

    def strike_at(self, call: int) -> None:
        """Strike at this call, counted from now (1 is the next)."""
        self.calls, self._strikes_at = 0, call

    @property
    def has_struck(self) -> bool:
        return 0 < self._strikes_at <= self.calls

    def _count(self, operation: str, call: Call) -> Any:
        self.calls += 1
        return self._fault(operation, call) if self.calls == self._strikes_at else call()
