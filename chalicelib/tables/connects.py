"""Nonces of connect messages (table ``requests``): each is good once for a wallet, as long as its row is kept.

A nonce that is spent at one instance is spent at all of them (K37).
"""

from __future__ import annotations

from chalicelib.domain.signed.faults import NonceSpent
from chalicelib.support.clock import new_id
from chalicelib.support.outcomes import OutcomeUnknown, Unavailable
from chalicelib.tables.dynamodb import ConditionFailed, Database, Put, Row
from chalicelib.tables.requests import TABLE

KEPT_S = 86_400


class Connects:
    def __init__(self, database: Database) -> None:
        self._database = database

    def spend(self, wallet: str, nonce: str, now_s: int) -> None:
        """Note that a wallet has used a nonce. Raises NonceSpent, Unavailable or OutcomeUnknown. wallet: in lower case.

        The name of the command on the row tells this use of the nonce from another one. A row whose time is over counts
        as gone, whenever the table drops it.
        """
        is_new, has_expired = "attribute_not_exists(#request)", "#expires <= :now"
        row = {"scope": f"connect/{wallet}", "request": nonce, "expires": now_s + KEPT_S}
        row["command"] = new_id("cmd")
        try:
            self._database.write(Put(TABLE, row, f"{is_new} OR {has_expired}", {":now": now_s}))
        except ConditionFailed as error:
            raise NonceSpent(nonce) from error
        except OutcomeUnknown:
            if not self._is_written(row):
                raise

    def _is_written(self, row: Row) -> bool:
        try:
            return self._database.get(TABLE, {"scope": row["scope"], "request": row["request"]}) == row
        except Unavailable:
            return False
