"""The state machine of escrow orders: which action is allowed in which status, and the next status.

Payin, payout and hold change in the same step as the order's status, and money moves in the same transaction
(``steps``).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum


class Status(StrEnum):
    DRAFT = "DRAFT"
    PENDING_DETAILS = "PENDING_DETAILS"
    PENDING_PUBLISH = "PENDING_PUBLISH"
    FAILURE = "FAILURE"
    PUBLISHED = "PUBLISHED"
    ACCEPTED = "ACCEPTED"
    REJECTED = "REJECTED"
    PENDING_VALIDATE = "PENDING_VALIDATE"
    PENDING_RELEASE = "PENDING_RELEASE"
    BLOCKED_RELEASE = "BLOCKED_RELEASE"
    CANCELLED = "CANCELLED"
    RELEASED = "RELEASED"

    @property
    def nicename(self) -> str:
        return self.value.replace("_", " ").capitalize()


class Action(Enum):
    """An action on an order."""

    FILL_IN_DETAILS = "name its buyer"
    CHANGE_TERMS = "change its value or its buyer"
    OPEN_PAYIN = "open a payin from outside"
    PAY = "pay it"
    FAIL_PAYIN = "deny its payin"
    SETTLE = "accept, validate and release it with its payment"
    ACCEPT = "accept it"
    REJECT = "reject it"
    PAY_OUT = "set its payout"
    FAIL_PAYOUT = "deny its payout"
    VALIDATE = "validate it"
    AUTO_VALIDATE = "validate it, accepting it if need be"
    RELEASE = "release it"
    BLOCK = "block it"
    UNBLOCK = "unblock it"
    CANCEL = "cancel it"
    REIMBURSE = "reimburse a part of it"

    @property
    def participle(self) -> str:
        """The word for it in a refusal (E3)."""
        return _PARTICIPLES[self]


_PARTICIPLES = {
    Action.FILL_IN_DETAILS: "changed",
    Action.CHANGE_TERMS: "changed",
    Action.OPEN_PAYIN: "paid",
    Action.PAY: "paid",
    Action.FAIL_PAYIN: "paid",
    Action.SETTLE: "released",
    Action.ACCEPT: "accepted",
    Action.REJECT: "rejected",
    Action.PAY_OUT: "paid out",
    Action.FAIL_PAYOUT: "paid out",
    Action.VALIDATE: "validated",
    Action.AUTO_VALIDATE: "validated",
    Action.RELEASE: "released",
    Action.BLOCK: "blocked",
    Action.UNBLOCK: "unblocked",
    Action.CANCEL: "cancelled",
    Action.REIMBURSE: "reimbursed",
}

PAYABLE = frozenset({Status.DRAFT, Status.PENDING_PUBLISH, Status.FAILURE})
UNPAID = PAYABLE | {Status.PENDING_DETAILS}
MOVING = frozenset({Status.PUBLISHED, Status.ACCEPTED, Status.PENDING_VALIDATE, Status.PENDING_RELEASE})
"""Paid, under way, and not stopped."""
HOLDING = MOVING | {Status.BLOCKED_RELEASE}
FINAL = frozenset({Status.REJECTED, Status.CANCELLED, Status.RELEASED})


@dataclass(frozen=True, slots=True)
class Transition:
    """target: None where the order itself says which (UNBLOCK: where it was blocked from)."""

    target: Status | None
    event: str


UPDATED, CANCELLED, PAYOUT_CREATED = "EscrowUpdated", "EscrowCancelled", "PayoutCreated"

TRANSITIONS: dict[tuple[Status, Action], Transition] = {
    (Status.PENDING_DETAILS, Action.FILL_IN_DETAILS): Transition(Status.DRAFT, UPDATED),
    (Status.PENDING_PUBLISH, Action.CHANGE_TERMS): Transition(Status.DRAFT, UPDATED),
    **{(status, Action.OPEN_PAYIN): Transition(Status.PENDING_PUBLISH, UPDATED) for status in PAYABLE},
    **{(status, Action.PAY): Transition(Status.PUBLISHED, "EscrowPublished") for status in PAYABLE},
    **{(status, Action.FAIL_PAYIN): Transition(Status.FAILURE, "EscrowFailed") for status in PAYABLE},
    (Status.PUBLISHED, Action.SETTLE): Transition(Status.RELEASED, "EscrowReleased"),
    (Status.PUBLISHED, Action.ACCEPT): Transition(Status.ACCEPTED, "EscrowAccepted"),
    (Status.PUBLISHED, Action.REJECT): Transition(Status.REJECTED, "EscrowRejected"),
    (Status.ACCEPTED, Action.PAY_OUT): Transition(Status.PENDING_VALIDATE, PAYOUT_CREATED),
    (Status.PENDING_VALIDATE, Action.FAIL_PAYOUT): Transition(Status.ACCEPTED, UPDATED),
    (Status.PENDING_RELEASE, Action.FAIL_PAYOUT): Transition(Status.ACCEPTED, UPDATED),
    **{
        (status, action): Transition(Status.PENDING_RELEASE, event)
        for action in (Action.VALIDATE, Action.AUTO_VALIDATE)
        for status, event in ((Status.PENDING_VALIDATE, UPDATED), (Status.ACCEPTED, PAYOUT_CREATED))
    },
    (Status.PUBLISHED, Action.AUTO_VALIDATE): Transition(Status.PENDING_RELEASE, PAYOUT_CREATED),
    (Status.PENDING_RELEASE, Action.RELEASE): Transition(Status.RELEASED, "EscrowReleased"),
    **{(status, Action.BLOCK): Transition(Status.BLOCKED_RELEASE, "EscrowBlocked") for status in MOVING},
    (Status.BLOCKED_RELEASE, Action.UNBLOCK): Transition(None, "EscrowUnblocked"),
    **{(status, Action.CANCEL): Transition(Status.CANCELLED, CANCELLED) for status in UNPAID | HOLDING},
    **{(status, Action.REIMBURSE): Transition(status, UPDATED) for status in HOLDING | {Status.REJECTED}},
}
"""The state machine: what may be done in which status (E3: anything else is refused). A reimbursement of all that is
left is a CANCEL, but of a REJECTED order, which stays so (E21). SETTLE comes with PAY, in one transaction (E20)."""


class Forbidden(Exception):
    """The status of an order, or of its payin or payout, does not let this be done (E3)."""

    def __init__(self, participle: str, status: StrEnum, subject: str = "order") -> None:
        super().__init__(f"The {subject} cannot be {participle} while its status is {status.value}.")


def transition(status: Status, action: Action) -> Transition:
    """Raises Forbidden."""
    found = TRANSITIONS.get((status, action))
    if found is None:
        raise Forbidden(action.participle, status)
    return found
