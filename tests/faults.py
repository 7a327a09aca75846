"""Faults for tests: a DynamoDB client one of whose calls goes wrong, in each way in which it can.

A fault is a function of the operation's name and of the call itself: it decides whether the call is done, and what
becomes of its answer.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any

from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from chalicelib.support.outcomes import Unavailable
from tests.recording import nobody, of_whom

FULL_SWEEP = bool(os.environ.get("TALLYBOOK_FULL_SWEEP"))
"""make sweep: whatever else is drawn or taken in turn is tried at every place."""
ENDPOINT = "http://dynamodb.test"
BATCH = "batch_execute_statement"


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a client, made by calling it."""

    operation: Callable[..., Any]
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self) -> Any:
        return self.operation(**self.arguments)

    def do_statements(self, numbers: Collection[int]) -> list[Any]:
        """Do only these statements of a batch. Return the response to each, in order of their numbers."""
        statements = [self.arguments["Statements"][number] for number in sorted(numbers)]
        return list(self.operation(Statements=statements)["Responses"]) if statements else []


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
    if operation == BATCH:
        return {"Responses": [response("TransactionConflict") for _ in call.arguments["Statements"]]}
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


def response(code: str) -> dict[str, Any]:
    """Return the response to a statement of a batch that is refused with this code."""
    return {"Error": {"Code": code, "Message": "a fault of this test"}}


def unavailable(*_: object) -> Any:
    """Stand for any function that needs a table while none answers."""
    raise Unavailable("throttled")


def losing_answers(operation: str, call: Call) -> Any:
    """Lose the answer to every transaction and all statements: then it is looked whether they were done."""
    answer = call()
    if operation in ("transact_write_items", "batch_execute_statement"):
        raise ReadTimeoutError(endpoint_url=ENDPOINT)
    return answer


FAULTS: dict[str, Fault] = {
    "error before": raising(ConnectionClosedError(endpoint_url=ENDPOINT), after=False),
    "outcome unknown": raising(ReadTimeoutError(endpoint_url=ENDPOINT), after=True),
    "death before": raising(Died(), after=False),
    "death after": raising(Died(), after=True),
    "throttled": throttled,
    "in conflict": in_conflict,
}
"""What can go wrong with one call on its own account."""
WRITES = frozenset(("put_item", "update_item", "delete_item", "transact_write_items", "batch_write_item", BATCH))
"""The operations that change something."""


def parts_of(count: int) -> list[frozenset[int]]:
    """Return the parts of a batch that are tried: none, each beginning, all; every second; all but one."""
    whole = frozenset(range(count))
    parts = [frozenset(range(end)) for end in range(count + 1)]
    parts += [frozenset(range(start, count, 2)) for start in (0, 1)]
    return list(dict.fromkeys([*parts, *(whole - {number} for number in range(count))]))


@dataclass(slots=True)
class InPart:
    """A fault of a batch of statements. number: the part that is done and answered as it should be (``parts_of``).

    rest: what becomes of the others. An exception is raised in place of the answer, and they are not done; a code is
    the answer to each of them, and they are done if ``rest_is_done``. parts: how many there are, once it has struck.
    """

    number: int
    rest: BaseException | str
    rest_is_done: bool = False
    parts: int = field(default=0, init=False)

    def __call__(self, operation: str, call: Call) -> Any:
        assert operation == BATCH
        count = len(call.arguments["Statements"])
        parts = parts_of(count)
        self.parts = len(parts)
        part = parts[self.number]
        answered = iter(call.do_statements(part))
        if not isinstance(self.rest, str):
            raise self.rest
        if self.rest_is_done:
            call.do_statements(frozenset(range(count)) - part)
        return {"Responses": [next(answered) if one in part else response(self.rest) for one in range(count)]}


RESTS: dict[str, Callable[[int], InPart]] = {
    "death": partial(InPart, rest=Died()),
    "outcome unknown": partial(InPart, rest=ReadTimeoutError(endpoint_url=ENDPOINT)),
    "throttled": partial(InPart, rest="ThrottlingError"),
    "out of capacity": partial(InPart, rest="ProvisionedThroughputExceeded"),
    "over the limit": partial(InPart, rest="RequestLimitExceeded"),
    "in conflict": partial(InPart, rest="TransactionConflict"),
    "failed": partial(InPart, rest="InternalServerError"),
    "failed and done": partial(InPart, rest="InternalServerError", rest_is_done=True),
}
"""What can go wrong with a part of a batch, by the number of the part that is done as it should be."""


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
        if name.startswith("_"):
            raise AttributeError(name)
        operation = getattr(self._client, name)
        if name == "get_paginator":
            return lambda kind: _WatchedPaginator(self._watch, kind, operation(kind))
        return lambda **arguments: nobody(self._watch)(name, Call(of_whom(operation), arguments))


class _WatchedPaginator:
    def __init__(self, watch: Fault, operation: str, paginator: Any) -> None:
        self._watch = watch
        self._operation = operation
        self._paginator = paginator

    def paginate(self, **arguments: Any) -> Iterator[Any]:
        pages = iter(self._paginator.paginate(**arguments))
        page: dict[str, Any] = {"LastEvaluatedKey": None}
        while "LastEvaluatedKey" in page:
            page = nobody(self._watch)(self._operation, Call(of_whom(lambda: next(pages))))
            yield page


class FaultyClient(WatchedClient):
    """A client at one of whose calls the fault strikes. operation: the one, or those, whose calls count; None: all."""

    def __init__(
        self, client: Any, fault: Fault, *, at: int = 0, operation: str | frozenset[str] | None = None
    ) -> None:
        super().__init__(client, self._count)
        self.fault = fault
        self.at = at
        self._counted = frozenset((operation,)) if isinstance(operation, str) else operation
        self.calls = 0

    def strike_at(self, call: int) -> None:
        """Strike at this call, counted from now (1 is the next)."""
        self.calls, self.at = 0, call

    def stop(self) -> None:
        """Strike no more; ``has_struck`` stays."""
        if not self.has_struck:
            self.at = 0

    @property
    def has_struck(self) -> bool:
        return 0 < self.at <= self.calls

    def _count(self, operation: str, call: Call) -> Any:
        if self._counted is not None and operation not in self._counted:
            return call()
        self.calls += 1
        return self.fault(operation, call) if self.calls == self.at else call()
