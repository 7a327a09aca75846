"""How a command is read, carried out once and answered: what all POST and PUT endpoints share.

The order of checks is the desk's: the resource in the path, which an endpoint looks up first; then the Idempotency-Key,
the fields, the order's status, amounts against what is held (E3).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from chalicelib.apis.escrow.bodies import Body, UnreadableBody, body_of
from chalicelib.apis.escrow.envelope import (
    Errors,
    Fault,
    breaks_rule,
    failure,
    invalid,
    invalid_field,
    response,
    single,
)
from chalicelib.apis.escrow.gate import Caller
from chalicelib.apis.escrow.objects import View
from chalicelib.apis.escrow.replay import Replay, digest_of, idempotency_key
from chalicelib.apis.escrow.schema import Schema, canonical
from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.domain.escrow.faults import Forbidden, Invalid
from chalicelib.support.consistency import Inconsistent
from chalicelib.tables.dynamodb import Write
from chalicelib.tables.requests import ReceiptExists, Requests

T = TypeVar("T")

Record = Callable[[View], Write]
"""Makes the write that records an answer; part of the transaction of the command."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What came in: the good fields, and what is wrong with the others; sent: as they were read, null ones too."""

    fields: dict[str, Any]
    errors: Errors
    sent: Mapping[str, Any]

    def note(self, errors: Mapping[str, str]) -> None:
        """Note what is wrong beyond a field's form; the first thing that is said of a field stays."""
        for field, text in errors.items():
            self.errors.setdefault(field, [text])

    def refuse_faulty(self) -> None:
        """Raise Fault where anything is wrong."""
        if self.errors:
            raise invalid(self.errors)


def about(record: Record | None, view: Callable[[T], View]) -> Callable[[T], Write] | None:
    """Return what makes the write that records how a thing is shown; None where nothing is to be recorded."""
    return None if record is None else lambda thing: record(view(thing))


@dataclass(frozen=True, slots=True)
class Commanding:
    """clock: the time in ms."""

    requests: Requests
    clock: Callable[[], int]

    def once(
        self,
        request: HttpRequest,
        caller: Caller,
        schema: Schema,
        carry_out: Callable[[Sent, Record | None], View],
        *,
        is_finished_later: bool = False,
        is_about_hold: bool = False,
    ) -> HttpResponse:
        """Answer a POST with what ``carry_out`` makes of it, or with what it made of it when its key was used before.

        carry_out: raises Fault for bad fields, what the escrow desk raises, and does nothing then.
        is_finished_later: see Replay. is_about_hold: what the desk calls invalid is an amount against the hold, whose
        answer is kept too.
        """
        key = idempotency_key(request)
        body, sent = _read(request, schema)
        replay = None
        if key is not None:
            scope = f"{caller.scope}/{request.method} {request.path}"
            replay = Replay(self.requests, scope, key, digest_of(canonical(sent)), self.clock, is_finished_later)
            earlier = replay.earlier()
            if earlier is not None:
                return earlier
        errors: Errors = _in_the_query(request, schema)
        fields = schema.checked(sent, body, errors)
        try:
            shown = carry_out(Sent(fields, errors, sent), None if replay is None else _recorder(replay))
        except ReceiptExists as error:
            if replay is None:
                raise Inconsistent("a receipt is for a key") from error
            return replay.joined()
        except Forbidden as refused:
            return _kept(replay, invalid_field("status", str(refused)))
        except Invalid as refused:
            return _kept(replay if is_about_hold else None, _fault_of(refused))
        answer = response(200, single(shown))
        return answer if replay is None else replay.finished(answer)

    def change(self, request: HttpRequest, schema: Schema, carry_out: Callable[[Sent], View]) -> HttpResponse:
        """Answer a PUT, which has no Idempotency-Key."""
        body, sent = _read(request, schema)
        errors: Errors = {}
        fields = schema.checked(sent, body, errors)
        try:
            return response(200, single(carry_out(Sent(fields, errors, sent))))
        except Forbidden as refused:
            raise invalid_field("status", str(refused)) from refused
        except Invalid as refused:
            raise _fault_of(refused) from refused


def _read(request: HttpRequest, schema: Schema) -> tuple[Body, dict[str, Any]]:
    """Return the body, and its fields as they were read. Raises Fault for an unreadable one (E3)."""
    try:
        body = body_of(request.body, request.headers.get("content-type", ""))
    except UnreadableBody as unreadable:
        raise invalid_field("body", breaks_rule("body", str(unreadable))) from unreadable
    return body, schema.read(body.members)


def _in_the_query(request: HttpRequest, schema: Schema) -> Errors:
    """Return the errors of a command that ignores no field, and was sent some in the query, where nobody reads them."""
    sent = request.query.keys() if schema.is_closed else ()
    return {name: [breaks_rule(name, "must not be in the query")] for name in sent}


def _recorder(replay: Replay) -> Record:
    return lambda view: replay.recording(single(view))


def _fault_of(refused: Invalid) -> Fault:
    return invalid({field: [text] for field, text in refused.errors.items()})


def _kept(replay: Replay | None, fault: Fault) -> HttpResponse:
    """Return the answer of a refusal; recorded, where it is to be."""
    return failure(fault) if replay is None else replay.record(failure(fault))
