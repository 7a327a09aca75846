"""Commands: read, carry out once and answer a POST or PUT.

Order of checks (E3): the resource in the path, which the endpoint reads first, then the Idempotency-Key, the fields,
the order's status, amounts against the hold.
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
from chalicelib.apis.kit.idempotency import REPLAYED, KeyRules, answer_once, idempotency_key
from chalicelib.domain.escrow.faults import Forbidden, Invalid
from chalicelib.domain.tenancy.answers import KEY_RULE, Answer
from chalicelib.services.answers import FINISH_WITHIN_MS, Answers, KeptAnswer, Receipt
from chalicelib.support.canonical import digest
from chalicelib.support.outcomes import OutcomeUnknown, Unavailable
from chalicelib.support.telemetry import logger

T = TypeVar("T")

Record = Callable[[View], Receipt]
"""Returns the write that keeps an answer, for the transaction of the command."""
KEY = "idempotency_key"


@dataclass(frozen=True, slots=True)
class RequestFields:
    """A body after the check of its form.

    fields: the valid ones. errors: of the others. sent: all fields as read, null ones too.
    """

    fields: dict[str, Any]
    errors: Errors
    sent: Mapping[str, Any]

    def note(self, errors: Mapping[str, str]) -> None:
        """Add errors beyond the fields' form; a field keeps its first error."""
        for field, text in errors.items():
            self.errors.setdefault(field, [text])

    def refuse_faulty(self) -> None:
        """Raise Fault if there are errors."""
        if self.errors:
            raise invalid(self.errors)


def about(record: Record | None, view: Callable[[T], View]) -> Callable[[T], Receipt] | None:
    """Return the function from a thing to the receipt of its view; None without a key."""
    return None if record is None else lambda thing: record(view(thing))


@dataclass(frozen=True, slots=True)
class Commands:
    """Carries out POST and PUT requests."""

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
        """Answer a POST with the view that ``carry_out`` returns, or with the kept answer of its Idempotency-Key.

        carry_out: raises Fault for bad fields, or what the escrow desk raises; changes nothing then.
        is_finished_later: the final answer (with a balance, or after a release) is known only after the command. The
        expected answer is kept as pending in the command's transaction, and finished afterwards.
        is_about_hold: keep the answer of Invalid too: it is about an amount against the hold.
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
    """Return the body and its fields as read. Raises Fault for an unreadable body (E3)."""
    try:
        body = body_of(request.body, request.headers.get("content-type", ""))
    except UnreadableBody as unreadable:
        raise invalid_field("body", breaks_rule("body", str(unreadable))) from unreadable
    return body, schema.read(body.members)


def _in_the_query(request: HttpRequest, schema: Schema) -> Errors:
    """Return the errors of fields in the query, for commands that refuse unknown fields."""
    sent = request.query.keys() if schema.is_closed else ()
    return {name: [breaks_rule(name, "must not be in the query")] for name in sent}


def _fault_of(refused: Forbidden | Invalid) -> Fault:
    if isinstance(refused, Forbidden):
        return invalid_field("status", str(refused))
    return invalid({field: [text] for field, text in refused.errors.items()})


def _bad_key(rule: str) -> Fault:
    return invalid_field(KEY, breaks_rule(KEY, rule))


def _rules(kept: tuple[type[Forbidden] | type[Invalid], ...]) -> KeyRules:
    """Return the rules of the escrow desk's keys. kept: refusals whose answers are kept."""

    def shown(answer: Answer) -> HttpResponse:
        return response(answer.status, answer.body, REPLAYED)

    def refusal(error: Exception) -> HttpResponse | None:
        return failure(_fault_of(error)) if isinstance(error, kept) else None

    return KeyRules(mismatch=lambda: _bad_key("was used with another body"), shown=shown, refusal=refusal)


def _finished(kept: KeptAnswer, answer: HttpResponse) -> HttpResponse:
    """Finish the pending answer and return the kept one. A failure is only logged: the command is done."""
    try:
        is_first = kept.record(answer.status, answer.body)
        return answer if is_first else response(answer.status, kept.finish(answer.body).body)
    except (Unavailable, OutcomeUnknown):
        logger.warning("an answer stays pending", exc_info=True)
        return answer
