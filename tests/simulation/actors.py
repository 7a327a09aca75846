"""Actors: code that stops before each of its store calls until the scheduler resumes it.

Each actor runs in its own greenlet, so only the scheduler decides the order of store calls: no threads, no clock. The
scheduler also decides the outcome of a call: a fault of ``tests.faults``, or None.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from typing import Any

from botocore.exceptions import ClientError
from greenlet import GreenletExit, getcurrent, greenlet

from chalicelib.tables.dynamodb import Database
from chalicelib.tables.parallel import Runner, sequentially
from tests.faults import BATCH, Call, Died, Fault, WatchedClient, response
from tests.memory import MemoryDynamoDB


class _ActorGreenlet(greenlet):
    actor: Actor


class Actor:
    """Code that runs call by call. ``waits_for``: its next operation; None when it is done."""

    def __init__(self, name: str, work: Callable[[], Any]) -> None:
        self.name = name
        self.died = False
        self.result: Any = None
        self.error: Exception | None = None
        self.waits_for: str | None = None
        self.seen = b""
        """Digest of all answers so far: two actors with the same code and digest are in the same state."""
        self._work = work
        self._greenlet = _ActorGreenlet(self._run)
        self._greenlet.actor = self
        self.resume()

    @property
    def is_done(self) -> bool:
        return bool(self._greenlet.dead)

    def resume(self, fault: Fault | None = None) -> None:
        """Make the pending call, or inject the fault, and run to the next call."""
        self.waits_for = self._greenlet.switch(fault)

    def end(self) -> None:
        """Unwind the code where it stands. A suspended greenlet that is only dropped is never freed."""
        if not self.is_done:
            self._greenlet.throw(GreenletExit)

    def note(self, what: str) -> None:
        self.seen = hashlib.sha256(self.seen + what.encode()).digest()

    def _run(self, _fault: Fault | None) -> None:
        try:
            self.result = self._work()
        except Died:
            self.died = True
        except Exception as error:
            self.error = error


def stepped_database(
    client: MemoryDynamoDB, prefix: str, together: Runner = sequentially, *, parts_batches: bool = True
) -> Database:
    """Return a database whose calls by actors wait for the scheduler; other callers' calls go through.

    parts_batches: whether each statement of a batch is a call of its own, or the batch is one call.
    """
    watched: Any = WatchedClient(client, partial(_step, together, parts_batches))
    return Database(watched, prefix, pause=lambda _seconds: None, together=together)


def _step(together: Runner, parts_batches: bool, operation: str, call: Call) -> Any:
    current = getcurrent()
    if not isinstance(current, _ActorGreenlet):
        return call()
    if operation == BATCH and parts_batches:
        return _statement_by_statement(current, together, call)
    return _one_step(current, operation, call)


def _statement_by_statement(current: _ActorGreenlet, together: Runner, call: Call) -> Any:
    """Do each statement of a batch as a step of its own, for they are independent of each other on DynamoDB."""
    statements, responses = call.arguments["Statements"], {}

    def do(number: int) -> None:
        one = Call(call.operation, {"Statements": [statements[number]]})
        try:
            (responses[number],) = _one_step(current, BATCH, one)["Responses"]
        except ClientError as error:
            if error.response["Error"]["Code"] != "ThrottlingException":
                raise
            responses[number] = response("ThrottlingError")

    together([partial(do, number) for number in range(len(statements))])
    return {"Responses": [responses[number] for number in range(len(statements))]}


def _one_step(current: _ActorGreenlet, operation: str, call: Call) -> Any:
    assert current.parent is not None
    fault: Fault | None = current.parent.switch(operation)
    try:
        answer = call() if fault is None else fault(operation, call)
    except BaseException as error:
        current.actor.note(f"{operation} {error!r}")
        raise
    current.actor.note(f"{operation} {answer!r}")
    return answer
