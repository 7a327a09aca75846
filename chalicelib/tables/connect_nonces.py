"""Nonces of connect messages (table ``requests``): a wallet can use each nonce once while its row is kept.

A nonce used at one instance is used up at all instances (K37).
"""

from __future__ import annotations

from chalicelib.domain.signed.faults import NonceSpent
from chalicelib.support.clock import new_id
from chalicelib.support.outcomes import Unavailable
from chalicelib.tables.attempts import until_known
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.requests import TABLE
from chalicelib.tables.writes import ConditionFailed, Put

KEPT_S = 86_400
TRIES_MAX = 2
"""The second try finds out whether the first one succeeded if its answer was lost."""


class ConnectNonces:
    def __init__(self, database: Database) -> None:
        self._database = database

    def spend(self, wallet: str, nonce: str, now_s: int) -> None:
        """Record that a wallet has used a nonce. Raises NonceSpent, Unavailable or OutcomeUnknown. wallet: in lower
        case.

        The command id in the row tells this use from others. An expired row counts as gone.
        """
        is_new, has_expired = "attribute_not_exists(#request)", "#expires <= :now"
        row = {"scope": f"connect/{wallet}", "request": nonce, "expires": now_s + KEPT_S}
        row["command"] = new_id("cmd")

        def once(may_be_done: bool) -> None:
            if may_be_done and self._database.get(TABLE, {"scope": row["scope"], "request": nonce}) == row:
                return
            try:
                self._database.write(Put(TABLE, row, f"{is_new} OR {has_expired}", {":now": now_s}))
            except ConditionFailed as error:
                if error.row != row:
                    raise NonceSpent(nonce) from error

        until_known(once, TRIES_MAX, self._database.pause, Unavailable("nonces cannot be noted"))
