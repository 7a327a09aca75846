"""API tokens of the trade desk (table ``tenants``): one row a token, found by its digest with one read (R9).

The row stands under a partition of its own, "api-token/<token_id>". Beside the instance's own row stands a pointer to
it, so that an operator lists an instance's tokens without a scan. Neither tokens nor secrets are stored.
"""

from __future__ import annotations

from chalicelib.domain.tenancy.api_tokens import (
    ApiToken,
    ApiTokenExists,
    Permission,
    TokenStatus,
    UnknownApiToken,
    token_id_of,
)
from chalicelib.domain.tenancy.rate_limit import RateLimit
from chalicelib.tables.dynamodb import ConditionFailed, Database, Put, Row, TransactionRefused, Update

TABLE = "tenants"
_POINTER = "api-token/"


class ApiTokens:
    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, token: ApiToken) -> None:
        """Store a new token, for an instance that there is. Raises ApiTokenExists; nothing is changed then."""
        token_not_exists = "attribute_not_exists(#credential)"
        pointer = {"instance": token.instance, "credential": f"{_POINTER}{token.token_id}"}
        try:
            writes = [Put(TABLE, _row_of(token), token_not_exists), Put(TABLE, pointer)]
            self._database.transact(writes, lambda: self._get(token.token_id) == token)
        except TransactionRefused as error:
            raise ApiTokenExists(token.token_id) from error

    def accept(self, token: str) -> ApiToken | None:
        """Return what the token stands for, whatever its status; None where there is no such token."""
        return self._get(token_id_of(token))

    def get(self, token_id: str) -> ApiToken:
        """Raises UnknownApiToken."""
        token = self._get(token_id)
        if token is None:
            raise UnknownApiToken(token_id)
        return token

    def of_instance(self, instance: str) -> list[ApiToken]:
        """Return an instance's tokens, oldest first."""
        condition, values = (
            "#instance = :instance AND begins_with(#credential, :start)",
            {":instance": instance, ":start": _POINTER},
        )
        pointers = self._database.query(TABLE, condition, values)
        keys = [_key_of(row["credential"].removeprefix(_POINTER)) for row in pointers]
        tokens = map(_token_of, self._database.get_many(TABLE, keys))
        return sorted(tokens, key=lambda token: (token.made_s, token.token_id))

    def change_status(self, token_id: str, status: TokenStatus) -> ApiToken:
        """Block a token, or let it in again; return it as it is then. Raises UnknownApiToken."""
        token_exists = "attribute_exists(#credential)"
        update = Update(TABLE, _key_of(token_id), "SET #status = :status", token_exists, {":status": status.value})
        try:
            return _token_of(self._database.write(update))
        except ConditionFailed as error:
            raise UnknownApiToken(token_id) from error

    def _get(self, token_id: str) -> ApiToken | None:
        row = self._database.get(TABLE, _key_of(token_id))
        return None if row is None else _token_of(row)


def _key_of(token_id: str) -> Row:
    return {"instance": f"{_POINTER}{token_id}", "credential": "api-token"}


def _row_of(token: ApiToken) -> Row:
    return _key_of(token.token_id) | {
        "owner_instance": token.instance,
        "customer": token.customer,
        "permission": token.permission.value,
        "status": token.status.value,
        "made_s": token.made_s,
        "bucket": token.allowance.bucket,
        "refill_per_1000_s": token.allowance.refill_per_1000_s,
        "per_day": token.allowance.per_day,
    }


def _token_of(row: Row) -> ApiToken:
    return ApiToken(
        token_id=row["instance"].removeprefix(_POINTER),
        instance=row["owner_instance"],
        customer=row["customer"],
        permission=Permission(row["permission"]),
        made_s=row["made_s"],
        allowance=RateLimit(row["bucket"], row["refill_per_1000_s"], row["per_day"]),
        status=TokenStatus(row["status"]),
    )
