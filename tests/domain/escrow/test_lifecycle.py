"""The table of an escrow order's life, row by row, and nothing besides."""

from __future__ import annotations

import pytest

from chalicelib.domain.escrow.lifecycle import Action, Forbidden, Status, transition
from tests.diagrams import START, edges_of

UNPAID = "DRAFT PENDING_DETAILS PENDING_PUBLISH FAILURE"
PAYABLE = "DRAFT PENDING_PUBLISH FAILURE"
MOVING = "PUBLISHED ACCEPTED PENDING_VALIDATE PENDING_RELEASE"

ROWS: list[tuple[str, Action, str | None, str]] = [
    ("PENDING_DETAILS", Action.FILL_IN_DETAILS, "DRAFT", "EscrowUpdated"),
    (PAYABLE, Action.OPEN_PAYIN, "PENDING_PUBLISH", "EscrowUpdated"),
    ("PENDING_PUBLISH", Action.CHANGE_TERMS, "DRAFT", "EscrowUpdated"),
    (PAYABLE, Action.PAY, "PUBLISHED", "EscrowPublished"),
    (PAYABLE, Action.FAIL_PAYIN, "FAILURE", "EscrowFailed"),
    ("PUBLISHED", Action.ACCEPT, "ACCEPTED", "EscrowAccepted"),
    ("PUBLISHED", Action.REJECT, "REJECTED", "EscrowRejected"),
    ("ACCEPTED", Action.PAY_OUT, "PENDING_VALIDATE", "PayoutCreated"),
    ("PENDING_VALIDATE PENDING_RELEASE", Action.FAIL_PAYOUT, "ACCEPTED", "EscrowUpdated"),
    ("PENDING_VALIDATE", Action.VALIDATE, "PENDING_RELEASE", "EscrowUpdated"),
    ("ACCEPTED", Action.VALIDATE, "PENDING_RELEASE", "PayoutCreated"),
    ("PENDING_VALIDATE", Action.AUTO_VALIDATE, "PENDING_RELEASE", "EscrowUpdated"),
    ("ACCEPTED PUBLISHED", Action.AUTO_VALIDATE, "PENDING_RELEASE", "PayoutCreated"),
    ("PENDING_RELEASE", Action.RELEASE, "RELEASED", "EscrowReleased"),
    ("PUBLISHED", Action.SETTLE, "RELEASED", "EscrowReleased"),
    (MOVING, Action.BLOCK, "BLOCKED_RELEASE", "EscrowBlocked"),
    ("BLOCKED_RELEASE", Action.UNBLOCK, None, "EscrowUnblocked"),
    (f"{UNPAID} {MOVING} BLOCKED_RELEASE", Action.CANCEL, "CANCELLED", "EscrowCancelled"),
    ("PUBLISHED", Action.REIMBURSE, "PUBLISHED", "EscrowUpdated"),
    ("ACCEPTED", Action.REIMBURSE, "ACCEPTED", "EscrowUpdated"),
    ("PENDING_VALIDATE", Action.REIMBURSE, "PENDING_VALIDATE", "EscrowUpdated"),
    ("PENDING_RELEASE", Action.REIMBURSE, "PENDING_RELEASE", "EscrowUpdated"),
    ("BLOCKED_RELEASE", Action.REIMBURSE, "BLOCKED_RELEASE", "EscrowUpdated"),
    ("REJECTED", Action.REIMBURSE, "REJECTED", "EscrowUpdated"),
]
LISTED = {
    (Status(status), action): (None if target is None else Status(target), event)
    for statuses, action, target, event in ROWS
    for status in statuses.split()
}


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("status", Status)
def test_what_is_listed_is_done_and_all_else_is_refused(status: Status, action: Action) -> None:
    listed = LISTED.get((status, action))
    if listed is None:
        with pytest.raises(Forbidden):
            transition(status, action)
    else:
        found = transition(status, action)
        assert (found.target, found.event) == listed


@pytest.mark.parametrize(
    ("action", "participle"),
    [
        (Action.ACCEPT, "accepted"),
        (Action.REJECT, "rejected"),
        (Action.CANCEL, "cancelled"),
        (Action.VALIDATE, "validated"),
        (Action.AUTO_VALIDATE, "validated"),
        (Action.REIMBURSE, "reimbursed"),
        (Action.PAY, "paid"),
        (Action.OPEN_PAYIN, "paid"),
        (Action.PAY_OUT, "paid out"),
        (Action.FAIL_PAYOUT, "paid out"),
        (Action.BLOCK, "blocked"),
        (Action.UNBLOCK, "unblocked"),
    ],
)
def test_a_refusal_says_what_cannot_be_done_and_why(action: Action, participle: str) -> None:
    """E3"""
    with pytest.raises(Forbidden) as refused:
        transition(Status.RELEASED, action)
    assert str(refused.value) == f"The order cannot be {participle} while its status is RELEASED."


@pytest.mark.parametrize(
    ("status", "nicename"),
    [
        ("DRAFT", "Draft"),
        ("PENDING_DETAILS", "Pending details"),
        ("PENDING_PUBLISH", "Pending publish"),
        ("FAILURE", "Failure"),
        ("PUBLISHED", "Published"),
        ("ACCEPTED", "Accepted"),
        ("REJECTED", "Rejected"),
        ("PENDING_VALIDATE", "Pending validate"),
        ("PENDING_RELEASE", "Pending release"),
        ("BLOCKED_RELEASE", "Blocked release"),
        ("CANCELLED", "Cancelled"),
        ("RELEASED", "Released"),
    ],
)
def test_each_of_the_twelve_statuses_has_a_nicename(status: str, nicename: str) -> None:
    assert Status(status).nicename == nicename
    assert len(Status) == 12


def test_the_diagram_of_escrow_orders_has_each_change_but_cancelling_and_blocking() -> None:
    listed = {
        (status.value, target.value)
        for (status, action), (target, _) in LISTED.items()
        if target not in (None, status) and action not in (Action.CANCEL, Action.BLOCK)
    }
    assert edges_of("An escrow order") == listed | {(START, "DRAFT"), (START, "PENDING_DETAILS")}
