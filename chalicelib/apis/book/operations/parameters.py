"""Parameters of the book desk's operations, and what several of their examples name."""

from __future__ import annotations

from chalicelib.apis.book import book_schema, export_schema, ledger_schema
from chalicelib.apis.book.schema import ID_CHARACTERS_MAX, LIMIT_DEFAULT, LIMIT_MAX, OFFSET_MAX, REF_CHARACTERS_MAX
from chalicelib.apis.kit import events
from chalicelib.apis.kit.description import Parameter, integer, text, words
from chalicelib.apis.kit.tabular import Format
from chalicelib.domain.ledger.transactions import TransactionType
from chalicelib.domain.tenancy.answers import KEY
from chalicelib.services.feed.types import INSTANCE_TYPES

IN_BOOK, OF_ANN = {"orderBookId": "{orderBookId}"}, {"customerRef": "cust_ann"}
_ONE_TYPE = "|".join(sorted(INSTANCE_TYPES)).replace(".", r"\.")
_MOMENT = r"\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d([.,]\d{1,9})?)?(Z|[+-]\d\d(:?\d\d)?)?)?"
_PRINTABLE = r"[^\x00-\x1f\x7f]"
LIMIT_ABOVE = "Above {most} counts as {most}."


def limit(default: int, most: int) -> Parameter:
    return Parameter(f"How many rows at most. {LIMIT_ABOVE.format(most=most)}", integer(1, default=default))


def _moment(says: str) -> Parameter:
    form = "ISO 8601; UTC where there is no zone"
    return Parameter(f"{says} {form}.", text(_MOMENT))


CUSTOMER = text(f"{_PRINTABLE}{{1,{REF_CHARACTERS_MAX}}}")
ID = text(f"{_PRINTABLE}{{1,{ID_CHARACTERS_MAX}}}")
OF_LEDGER = {"limit": limit(ledger_schema.LIMIT_DEFAULT, ledger_schema.LIMIT_MAX)}
OF_EXPORT = {
    "limit": limit(export_schema.LIMIT_DEFAULT, export_schema.LIMIT_MAX),
}
OF_ONE_CUSTOMER = {"customerRef": Parameter("Whose rows.", CUSTOMER, is_required=True)}


def rows(cursor: str) -> dict[str, Parameter]:
    """Return the parameters of an export. cursor: the form of its rows' ids."""
    says = "The `X-Next-Cursor` of the page before; without it, the first page."
    return OF_EXPORT | {"after": Parameter(says, text(cursor))}


PARAMETERS = {
    "orderId": Parameter("Id of the order.", ID),
    "orderBookId": Parameter("Id of the order book.", ID),
    "webhookId": Parameter("Id of the webhook endpoint.", ID),
    "deliveryId": Parameter("Id of the delivery.", ID),
    "customerRef": Parameter("Your own name for the customer.", CUSTOMER),
    "tokenAddress": Parameter("Address of the token, in any case.", text("0x[0-9a-fA-F]{40}")),
    "limit": limit(LIMIT_DEFAULT, LIMIT_MAX),
    "offset": Parameter("How many rows are left out before the page.", integer(0, OFFSET_MAX, default=0)),
    "levels": Parameter(
        f"How many levels of each side. {LIMIT_ABOVE.format(most=book_schema.LEVELS_MAX)}",
        integer(1, default=book_schema.LEVELS_DEFAULT),
    ),
    "bookId": Parameter("Events of this book alone.", ID),
    "types": Parameter(
        "A comma list of types of events (T90).",
        text(f"(?:{_ONE_TYPE})(?:,(?:{_ONE_TYPE})){{0,{events.TYPES_MAX - 1}}}"),
    ),
    "after": Parameter(
        "The cursor of an earlier answer, or `start` for the oldest events kept; without it, now (T87).",
        text("[A-Za-z0-9_-]+"),
    ),
    "activeOnly": Parameter("`false` shows inactive tokens too.", words(("true", "false")) | {"default": "true"}),
    "type": Parameter("Rows of this type alone.", words(TransactionType)),
    "from": _moment("From this time on."),
    "to": _moment("Until this time, included; a date is its whole day."),
    "at": _moment("As of the end of this time; without it, as of now."),
    "format": Parameter("JSON lines or CSV.", words(Format) | {"default": Format.JSON_LINES.value}),
    "Idempotency-Key": Parameter(
        "Makes the request safe to repeat for a day: the same key with the same body gets the first answer again (T12 "
        "to T14).",
        text(KEY.pattern),
    ),
    "Prefer": Parameter(
        "`wait=n`: wait up to n seconds for the result, at most 10; for events 20 (T19, T21). Anything else is ignored."
        "",
        text() | {"examples": ["wait=10"]},
    ),
}
