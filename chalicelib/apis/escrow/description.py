"""What the escrow desk says of itself (``kit/description``): its keys, answers and errors.

``operations`` has its operations, ``answers`` the schemas of its answers.
"""

from __future__ import annotations

from collections.abc import Sequence

from chalicelib.apis.escrow.answers import ANSWERS, MEMBERS, PAGES
from chalicelib.apis.escrow.bodies import JSON, MULTIPART, URLENCODED
from chalicelib.apis.escrow.envelope import MESSAGES
from chalicelib.apis.escrow.operations import OPERATIONS, PARAMETERS
from chalicelib.apis.escrow.routes import PREFIX, ROUTES, Auth
from chalicelib.apis.kit.description import (
    URL,
    Description,
    Failure,
    Header,
    Maybe,
    Schema,
    array,
    constant,
    event_types,
    integer,
    members,
    said,
    text,
)
from chalicelib.services.feed.types import ESCROW_TYPES

SAYS = {
    401: "No key, or one that is malformed, unknown, deleted or of an archived instance; no good signature (E2, E45).",
    403: "The key is disabled, may only read, or is not for this path.",
    404: "There is no such path, or nothing of this id that the key may see.",
    410: "The cursor is older than 30 days, or of other tables; `cursor` is that of now (T92).",
    422: "Fields are faulty, or the order's status forbids it; `errors` has texts for people by field (E3, E4).",
    429: "Too many requests; wait as `Retry-After` says.",
    500: "A fault of the service; it is not known whether something was changed.",
}


def _success(data: Schema) -> Schema:
    return data if data.get("$ref") in PAGES else members(data=data)


def _failure(names: Sequence[str]) -> Schema:
    (status,) = map(int, names)
    more: dict[str, Schema | Maybe] = {}
    if status == 422:
        texts: Schema = {"type": "object", "additionalProperties": array(text())}
        more["errors"] = said("By field, texts for people.", texts)
    if status == 410:
        more["cursor"] = text(says="The cursor of now.")
    return members(message=constant(MESSAGES[status], "The status's message."), **more)


_TYPES = event_types(ESCROW_TYPES)


def _bearer(says: str) -> Schema:
    return {"type": "http", "scheme": "bearer", "description": says}


def _in_header(name: str, says: str) -> Schema:
    return {"type": "apiKey", "in": "header", "name": name, "description": says}


DESCRIPTION = Description(
    table=ROUTES,
    title="Escrow desk",
    says="Escrow orders: a buyer pays, the seller accepts, somebody validates, and the money goes to the seller less a "
    "fee; until then it is held. It speaks the Truust orders API; docs/escrow-desk.md defines the rules (E1, E2, ...). "
    "Amounts are exact decimals of whole currency units. A body may be JSON or a form, in which `a[b]=c` makes an "
    "object and `a[]=c` a list (E3, E28). With a key of the bare profile, or asked for as "
    "`application/json;profile=bare`, a single object stands without `data` around it (E47).",
    prefixes=(PREFIX,),
    schemes={
        "merchantKey": _bearer("A merchant's secret key, `sk_stage_...` or `sk_production_...` (E2)."),
        "operatorKey": _bearer("The operator's key, `op_stage_...` or `op_production_...` (E2)."),
        "webhookId": _in_header("webhook-id", "Id of the callback, by the Standard Webhooks specification (E45)."),
        "webhookTimestamp": _in_header("webhook-timestamp", "Unix time in seconds, at most five minutes off."),
        "webhookSignature": _in_header("webhook-signature", "The signature under the type's secret (E45)."),
    },
    security={
        Auth.MERCHANT: (("merchantKey",),),
        Auth.OPERATOR: (("operatorKey",),),
        Auth.SIGNATURE: (("webhookId", "webhookTimestamp", "webhookSignature"),),
    },
    operations=OPERATIONS,
    parameters=PARAMETERS,
    answers=ANSWERS,
    errors={str(status): Failure(status, MESSAGES[status], says) for status, says in SAYS.items()},
    members=MEMBERS,
    success=_success,
    failure=_failure,
    narrowed={form: {"url": URL, "types": {"items": _TYPES}} for form in ("WEBHOOK", "CHANGE")},
    headers={
        "Idempotent-Replay": Header("The stored answer of an earlier request with this key.", constant("true")),
        "Preference-Applied": Header("The wait, if the result came in time.", text("wait=[0-9]+")),
        "Retry-After": Header("Seconds to wait before the request is repeated.", integer(1)),
    },
    of_errors={429: ("Retry-After",)},
    body_types=(JSON, URLENCODED, MULTIPART),
    alone="application/json;profile=bare",
)
