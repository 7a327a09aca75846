"""Tickets: a customer who is authenticated over HTTP gets one, and shows it once on another connection."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from typing import NamedTuple

from chalicelib.tables.dynamodb import Database
from chalicelib.tables.writes import ConditionFailed, Delete, Put

TABLE, SCOPE = "requests", "tickets"
LIFE_S = 60
CHARACTERS_MAX = 64


class TicketUnknown(Exception):
    """The ticket does not exist, was used, or is older than LIFE_S."""


class Bearer(NamedTuple):
    """A customer who is authenticated. credential: the id of what it showed."""

    instance: str
    customer: str
    credential: str


class Tickets:
    """Tickets are stored by their digest alone. now_s: Unix seconds."""

    def __init__(self, database: Database, now_s: Callable[[], int]) -> None:
        self._database = database
        self._now_s = now_s

    def issue(self, bearer: Bearer) -> str:
        """Return a new ticket of a customer."""
        ticket = secrets.token_urlsafe(32)
        row = bearer._asdict() | {"expires": self._now_s() + LIFE_S}
        self._database.write(Put(TABLE, _key(ticket) | row))
        return ticket

    def spend(self, ticket: str) -> Bearer:
        """Return whose ticket it is; nobody can use it again. Raises TicketUnknown."""
        row = self._database.get(TABLE, _key(ticket)) if len(ticket) <= CHARACTERS_MAX else None
        if row is None or row["expires"] <= self._now_s():
            raise TicketUnknown
        not_spent = "attribute_exists(#request)"
        try:
            self._database.write(Delete(TABLE, _key(ticket), not_spent))
        except ConditionFailed as error:
            raise TicketUnknown from error
        return Bearer(row["instance"], row["customer"], row["credential"])


def _key(ticket: str) -> dict[str, str]:
    return {"scope": SCOPE, "request": hashlib.sha256(ticket.encode(errors="surrogatepass")).hexdigest()}
