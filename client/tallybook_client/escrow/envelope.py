"""What all calls of the escrow desk share: keys of writes, lists, errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from operator import attrgetter
from typing import Any, TypedDict, TypeVar

from msgspec import Struct

from tallybook_client.errors import Unreadable
from tallybook_client.escrow.errors import BY_CODE, EscrowError
from tallybook_client.paging import by_page
from tallybook_client.transport import Answer, Repeat, Request, Session, keyed, not_the_desks, query_of, retry_after_s
from tallybook_client.wire import Members, json_with_numbers, member_of, value_of

T = TypeVar("T")
Row = TypeVar("Row")
MOUNT = "/2.0"
PAGE_SIZE_MAX = 100


class Listed(TypedDict, total=False):
    """How a list is sorted; docs/escrow-desk.md says by what (Lists). sort: ``asc`` or ``desc``."""

    order: str
    sort: str


class Dated(Listed, total=False):
    """The days that a list covers, both included."""

    date_begin: date
    date_end: date


class Searched(Dated, total=False):
    """search: the field to search by; query: for what."""

    search: str
    query: str


class OrderSearch(Searched, total=False):
    status: str
    sandbox: bool


class _Failure(Struct):
    message: str
    errors: dict[str, list[str]] = {}
    cursor: str | None = None


def authorization(key: str) -> Mapping[str, str]:
    return {"Authorization": f"Bearer {key}"}


def posted(session: Session, path: str, members: Mapping[str, Any], kind: type[T], key: str | None = None) -> T:
    """POST under an ``Idempotency-Key``. Return the answer's data."""
    return session.send(keyed("POST", MOUNT + path, json_with_numbers(members), key)).data(kind)


def written(session: Session, method: str, path: str, kind: type[T], members: Mapping[str, Any] | None = None) -> T:
    """Send a write that takes no key. Return the answer's data."""
    body = b"" if members is None else json_with_numbers(members)
    return session.send(Request(method, MOUNT + path, body=body, repeat=Repeat.IF_NOTHING_WAS_DONE)).data(kind)


def rows_of(
    session: Session, path: str, kind: type[list[Row]], asked: Mapping[str, Any], limit: int | None
) -> Iterator[Row]:
    """Yield the rows of a list. A page may be short, so its answer says whether it is the last one (E34)."""

    def page(number: int, size: int) -> tuple[list[Row], bool]:
        query = query_of(**asked, page=number, per_page=size)
        answer = value_of(session.send(Request("GET", MOUNT + path, query)).body, Members)
        return member_of(answer, "data", kind), number >= member_of(answer, "last_page", int)

    return by_page(page, attrgetter("id"), PAGE_SIZE_MAX, limit)


def error_of(answer: Answer) -> EscrowError:
    """Return the error of an answer. Its code is its status; one that is not the desk's own, as of a gateway, has none.

    fields: the faulty fields, each with its texts.
    """
    try:
        found = value_of(answer.body, _Failure)
    except Unreadable:
        return not_the_desks(EscrowError, answer)
    return BY_CODE.get(str(answer.status), EscrowError)(
        answer.status,
        str(answer.status),
        found.message,
        fields={name: " ".join(texts) for name, texts in found.errors.items()},
        retry_after_s=retry_after_s(answer),
        cursor=found.cursor,
    )
