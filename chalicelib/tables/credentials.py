"""Credentials (table ``tenants``): one row each, found by digest with one read.

The row has a partition of its own, such as "api-token/<key_id>". A pointer beside the instance's row lets an operator
list an instance's credentials without a scan. Neither tokens nor secrets are stored in clear.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from enum import Enum
from typing import Any, Generic

from chalicelib.domain.tenancy.credentials import C, CredentialExists, Kind, UnknownCredential, digest_of
from chalicelib.domain.tenancy.rate_limit import RateLimit
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.read_ahead import RowAt, row_at
from chalicelib.tables.rows import Row
from chalicelib.tables.writes import ConditionFailed, Delete, Put, TransactionRefused, Update

TABLE = "tenants"
_ANY_KIND = ("key_id", "instance", "rate_limit")
"""Members that a row stores in its key, under another name, or in parts."""


class Credentials(Generic[C]):
    def __init__(self, database: Database, kind: Kind[C]) -> None:
        self._database = database
        self._kind = kind

    def create(self, credential: C) -> None:
        """Store a new credential of an existing instance. Raises CredentialExists; nothing is changed then."""
        not_exists = "attribute_not_exists(#credential)"
        writes = [Put(TABLE, self._row_of(credential), not_exists), Put(TABLE, self._pointer(credential))]
        try:
            self._database.transact(writes, lambda: self.get(credential.key_id) == credential)
        except TransactionRefused as error:
            raise CredentialExists(credential.key_id) from error

    def accept(self, text: str) -> C | None:
        """Return the credential for this text, enabled or not; None if there is none."""
        form = self._kind.form
        return self.get(digest_of(text)) if form is None or form.fullmatch(text) else None

    def get(self, key_id: str) -> C | None:
        """Return a credential, enabled or not; None if there is none."""
        row = self._database.get(TABLE, self._key_of(key_id))
        return None if row is None else self._credential_of(row)

    def at(self, text: str) -> RowAt:
        """Return where the row of the credential for this text stands."""
        return row_at(TABLE, self._key_of(digest_of(text)))

    def of_instance(self, instance: str) -> list[C]:
        """Return an instance's credentials, oldest first."""
        condition = "#instance = :instance AND begins_with(#credential, :start)"
        pointers = self._database.query(TABLE, condition, {":instance": instance, ":start": self._start})
        keys = [self._key_of(row["credential"].removeprefix(self._start)) for row in pointers]
        found = map(self._credential_of, self._database.get_many(TABLE, keys))
        return sorted(found, key=lambda each: (each.made_s, each.key_id))

    def change(self, key_id: str, **members: object) -> C:
        """Set members, unconditionally: the last operator wins. Return the credential. Raises UnknownCredential."""
        exists, stored = "attribute_exists(#credential)", _stored(members)
        sets = ", ".join(f"#{name} = :{name}" for name in stored)
        values = {f":{name}": value for name, value in stored.items()}
        try:
            return self._credential_of(
                self._database.write(Update(TABLE, self._key_of(key_id), f"SET {sets}", exists, values))
            )
        except ConditionFailed as error:
            raise UnknownCredential(self._kind, key_id) from error

    def delete(self, key_id: str) -> C:
        """Delete a credential for good. Return it. Raises UnknownCredential."""
        found, exists = self.get(key_id), "attribute_exists(#credential)"
        if found is None:
            raise UnknownCredential(self._kind, key_id)
        writes = [Delete(TABLE, self._key_of(key_id), exists), Delete(TABLE, self._pointer(found))]
        try:
            self._database.transact(writes, lambda: self.get(key_id) is None)
        except TransactionRefused as error:
            raise UnknownCredential(self._kind, key_id) from error
        return found

    @property
    def _start(self) -> str:
        return f"{self._kind.name}/"

    def _key_of(self, key_id: str) -> Row:
        return {"instance": f"{self._start}{key_id}", "credential": self._kind.name}

    def _pointer(self, credential: C) -> Row:
        return {"instance": credential.instance, "credential": f"{self._start}{credential.key_id}"}

    def _row_of(self, credential: C) -> Row:
        members = {each.name: getattr(credential, each.name) for each in fields(credential)}
        members = {name: value for name, value in members.items() if value or name not in self._kind.optional}
        key, owner = self._key_of(members.pop("key_id")), members.pop("instance")
        return key | {"owner_instance": owner} | _stored(members)

    def _credential_of(self, row: Row) -> C:
        missing = self._kind.optional - row.keys()
        names = [each.name for each in fields(self._kind.type) if each.name not in (*_ANY_KIND, *missing)]
        read = self._kind.read
        return self._kind.type(
            key_id=row["instance"].removeprefix(self._start),
            instance=row["owner_instance"],
            rate_limit=RateLimit(row["bucket"], row["refill_per_1000_s"], row["per_day"]),
            **{name: read[name](row[name]) if name in read else row[name] for name in names},
        )


def _stored(members: Mapping[str, object]) -> dict[str, Any]:
    """Return members as a row stores them: a rate limit in parts, an enum as its value."""
    stored: dict[str, Any] = {}
    for name, value in members.items():
        stored |= asdict(value) if isinstance(value, RateLimit) else {name: value}
    return {name: value.value if isinstance(value, Enum) else value for name, value in stored.items()}
