"""Requests for lists: what can be searched and sorted, and the parameters that ask for it (E5, E8, E10). Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Generic, TypeVar

from chalicelib.apis.escrow.bodies import Body
from chalicelib.apis.escrow.envelope import Errors, breaks_rule, is_required
from chalicelib.apis.escrow.kinds import choice, integer, text
from chalicelib.apis.escrow.schema import Kind, Schema, Unfit, refuse
from chalicelib.apis.kit.exact_json import PORTABLE_DIGITS_MAX
from chalicelib.apis.kit.page_bytes import Weight
from chalicelib.apis.kit.times import DAY_S, QUERY_TIME, moment_of
from chalicelib.domain.escrow.order import Json

T = TypeVar("T")

PER_PAGE, PER_PAGE_MAX = 15, 100
PAGE_MAX = 10**PORTABLE_DIGITS_MAX - 1
"""Bound of page numbers. They are in answers, so every client must be able to read them (E30)."""
QUERY_CHARACTERS_MAX = 255
CREATED_AT, ID = "created_at", "id"
METADATA = "metadata."
_DATE_RULE = "must be a date as in 2024-01-31"

Query = Mapping[str, list[str]]
"""A request's parameters, each with all its values."""


class Match(Enum):
    """How a field is searched (E6)."""

    INTEGER = "exactly this integer; a query that is none matches nothing"
    STATUS = "exactly this word, in any letter case"
    CONTAINS = "contains it, in any letter case"


@dataclass(frozen=True, slots=True)
class Searched(Generic[T]):
    """A field that can be searched. values: of a row; None matches nothing."""

    match: Match
    values: Callable[[T], Sequence[str | int | None]]


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    """A kind of list. row_id, created_at_s: of a row.

    sorts: sort keys of a row; None sorts last in both directions, ties by id (E8). metadata: of a row, if it can be
    searched. weight: a row's bytes in an answer; None if 100 rows always fit.
    """

    row_id: Callable[[T], Any]
    created_at_s: Callable[[T], int]
    searches: Mapping[str, Searched[T]]
    sorts: Mapping[str, Callable[[T], Any]]
    metadata: Callable[[T], Mapping[str, Json]] | None = None
    weight: Weight[T] | None = None

    def can_search(self, field: str) -> bool:
        if self.metadata is not None and field.startswith(METADATA):
            return field != METADATA
        return field in self.searches


@dataclass(frozen=True, slots=True)
class Asked:
    """The parameters of a list request. from_s, before_s: Unix seconds, the second one excluded.

    others: parameters that not every list has.
    """

    page: int
    per_page: int
    search: str | None
    query: str | None
    from_s: int | None
    before_s: int | None
    order: str
    is_ascending: bool
    others: Mapping[str, Any]

    @property
    def skipped(self) -> int:
        """Number of rows on earlier pages, if none was cut short (E34)."""
        return (self.page - 1) * self.per_page

    @property
    def is_by_id(self) -> bool:
        """Whether the list is sorted by id or creation time, which is the same."""
        return self.order in (CREATED_AT, ID)

    def is_in_time(self, created_at_s: int) -> bool:
        return (self.from_s is None or created_at_s >= self.from_s) and (
            self.before_s is None or created_at_s < self.before_s
        )

    def is_beyond(self, created_at_s: int) -> bool:
        """Tell whether this row and all after it, in the direction of the list, are outside the dates."""
        if self.is_ascending:
            return self.before_s is not None and created_at_s >= self.before_s
        return self.from_s is not None and created_at_s < self.from_s


def asked_of(
    query: Query,
    listing: Listing[Any],
    others: Mapping[str, Kind] | None = None,
    *,
    has_search: bool = True,
    has_dates: bool = True,
) -> Asked:
    """Return the parsed parameters. others: further parameters of this list. Raises Fault with all bad parameters."""
    kinds: dict[str, Kind] = {
        "page": integer(1, PAGE_MAX),
        "per_page": integer(1, PER_PAGE_MAX),
        "order": choice(*listing.sorts),
        "sort": choice("asc", "desc"),
        **(others or {}),
    }
    if has_search:
        kinds |= {
            "search": _search(listing),
            "query": text(QUERY_CHARACTERS_MAX),
        }
    if has_dates:
        kinds |= {"date_begin": _DATE_KIND, "date_end": _DATE_KIND}
    schema, errors = Schema(kinds), Errors()
    last = {name: values[-1] for name, values in query.items() if values}
    sent = schema.read(last)
    found = schema.checked(sent, Body({}), errors)
    if has_search:
        for one, other in (("search", "query"), ("query", "search")):
            if one in sent and other not in sent:
                errors.setdefault(other, [is_required(other)])
    begin, end = found.get("date_begin"), found.get("date_end")
    if begin is not None and end is not None and end < begin:
        errors["date_end"] = [breaks_rule("date_end", "must not be earlier than date begin")]
    refuse(errors)
    return Asked(
        page=found.get("page", 1),
        per_page=found.get("per_page", PER_PAGE),
        search=found.get("search"),
        query=found.get("query"),
        from_s=begin,
        before_s=None if end is None else end + DAY_S,
        order=found.get("order", CREATED_AT),
        is_ascending=found.get("sort") == "asc",
        others={name: found[name] for name in others or {} if name in found},
    )


def _search(listing: Listing[Any]) -> Kind:
    def check(value: object) -> str:
        if not isinstance(value, str) or not listing.can_search(value):
            raise Unfit(None)
        return value

    return Kind(str, check, {"type": "string"})


def _date(value: object) -> int:
    """Return the first second of a day."""
    try:
        moment = moment_of(str(value), QUERY_TIME)
    except ValueError as error:
        raise Unfit(_DATE_RULE) from error
    if not moment.is_date:
        raise Unfit(_DATE_RULE)
    return moment.at_s


_DATE_KIND = Kind(str, _date, {"type": "string", "format": "date"})
