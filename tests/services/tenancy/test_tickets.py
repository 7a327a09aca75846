"""A ticket is spent once, whichever attempt at spending it was answered."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.services.tenancy.tickets import Bearer, Tickets, TicketUnknown
from tests.faults import Call, FaultyClient, refusal
from tests.in_memory import database_of, empty_tables

BEARER = Bearer("inst_1", "ann", "token-1")
NOW_S = 1_736_937_000


def tickets_over(client: Any) -> Tickets:
    return Tickets(database_of(client), lambda: NOW_S)


def test_t157_a_ticket_that_another_spends_between_two_attempts_is_not_spent_again() -> None:
    """The first attempt is neither carried out nor answered, so the SDK makes a second one, which finds no ticket."""
    client = empty_tables()
    others = tickets_over(client)
    ticket = others.issue(BEARER)

    def tried_twice(operation: str, _call: Call) -> Any:
        assert others.spend(ticket) == BEARER
        metadata = {"HTTPStatusCode": 400, "RetryAttempts": 1}
        raise refusal("ConditionalCheckFailedException", operation, ResponseMetadata=metadata)

    late = tickets_over(FaultyClient(client, tried_twice, at=1, operation="delete_item"))
    with pytest.raises(TicketUnknown):
        late.spend(ticket)
