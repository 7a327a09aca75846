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
from chalicelib.apis.escrow.schema import Schema, canonical
from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.apis.kit.idempotency import KEY_RULE, REPLAYED, KeyRules, answer_once, idempotency_key
from chalicelib.domain.escrow.faults import Forbidden, Invalid
from chalicelib.domain.tenancy.answers import Answer
from chalicelib.services.answers import FINISH_WITHIN_MS, Answers, KeptAnswer, Receipt
from chalicelib.support.canonical import digest
from chalicelib.support.outcomes import OutcomeUnknown, Unavailable
from chalicelib.support.telemetry import logger

T = TypeVar("T")

Record = Callable[[View], Receipt]
"""Makes the receipt of an answer, which is done in the transaction of the command."""
KEY = "idempotency_key"


@dataclass(frozen=True, slots=True)
class RequestFields:
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


def about(record: Record | None, view: Callable[[T], View]) -> Callable[[T], Receipt] | None:
    """Return what makes the write that records how a thing is shown; None where nothing is to be recorded."""
    return None if record is None else lambda thing: record(view(thing))


@dataclass(frozen=True, slots=True)
class Commands:
    answers: Answers

    def once(
        self,
        request: HttpRequest,
        caller: Caller,
        schema: Schema,
        carry_out: Callable[[RequestFields, Record | None], View],
        *,
        is_finished_later: bool = False,
        is_about_hold: bool = False,
    ) -> HttpResponse:
        """Answer a POST with what ``carry_out`` makes of it, or with what it made of it when its key was used before.

        carry_out: raises Fault for bad fields, what the escrow desk raises, and does nothing then.
        is_finished_later: the answer (a balance, a release that follows) is known only when the command is done, or the
        command may have nothing to do: it is kept pending, with what it will be, and finished with what was read.
        is_about_hold: what the desk calls invalid is an amount against the hold, whose answer is kept too.
        """
        key = idempotency_key(request, lambda: _bad_key(KEY_RULE))
        body, sent = _read(request, schema)
        pending_ms = FINISH_WITHIN_MS if is_finished_later else None

        def act(kept: KeptAnswer | None) -> HttpResponse:
            errors: Errors = _in_the_query(request, schema)
            fields = schema.checked(sent, body, errors)
            record = None if kept is None else lambda view: kept.receipt(200, single(view), pending_ms)
            answer = response(200, single(carry_out(RequestFields(fields, errors, sent), record)))
            return answer if kept is None or not is_finished_later else _finished(kept, answer)

        try:
            if key is None:
                return act(None)
            scope = f"{caller.key_scope}/{request.method} {request.path}"
            kept = self.answers.of(scope, key, digest(canonical(sent)))
            kinds = (Forbidden, Invalid) if is_about_hold else (Forbidden,)
            return answer_once(kept, _rules(kinds), lambda: act(kept))
        except (Forbidden, Invalid) as refused:
            raise _fault_of(refused) from refused

    def change(self, request: HttpRequest, schema: Schema, carry_out: Callable[[RequestFields], View]) -> HttpResponse:
        """Answer a PUT, which has no Idempotency-Key."""
        body, sent = _read(request, schema)
        errors: Errors = {}
        fields = schema.checked(sent, body, errors)
        try:
            return response(200, single(carry_out(RequestFields(fields, errors, sent))))
        except (Forbidden, Invalid) as refused:
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


def _fault_of(refused: Forbidden | Invalid) -> Fault:
    if isinstance(refused, Forbidden):
        return invalid_field("status", str(refused))
    return invalid({field: [text] for field, text in refused.errors.items()})


def _bad_key(rule: str) -> Fault:
    return invalid_field(KEY, breaks_rule(KEY, rule))


def _rules(kept: tuple[type[Forbidden] | type[Invalid], ...]) -> KeyRules:
    """kept: the refusals whose answers are kept."""

    def shown(answer: Answer) -> HttpResponse:
        return response(answer.status, answer.body, REPLAYED)

    def refusal(error: Exception) -> HttpResponse | None:
        return failure(_fault_of(error)) if isinstance(error, kept) else None

    return KeyRules(mismatch=lambda: _bad_key("was used with another body"), shown=shown, refusal=refusal)


def _finished(kept: KeptAnswer, answer: HttpResponse) -> HttpResponse:
    """Return the answer that is kept from now on. Whatever fails here, the command is done, and the answer says so."""
    try:
        is_first = kept.record(answer.status, answer.body)
        return answer if is_first else response(answer.status, kept.finish(answer.body).body)
    except (Unavailable, OutcomeUnknown):
        logger.warning("an answer stays pending", exc_info=True)
        return answer
