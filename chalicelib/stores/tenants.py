"""Instances and their API keys (table ``tenants``). A key is stored as its SHA-256, never in clear (T3)."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass

from chalicelib.stores.dynamodb import ConditionFailed, Database, Put, Row

TABLE = "tenants"
VALID_KEYS_MAX = 10
"""Valid keys an instance can have at a time (docs/book-desk.md, Keys and rates)."""


class InstanceExists(Exception):
    """There is an instance with this reference already."""


class UnknownInstance(Exception):
    """There is no such instance."""


class TooManyKeys(Exception):
    """The instance has its ten valid keys already."""


@dataclass(frozen=True, slots=True)
class Credential:
    """What an accepted key stands for. rate_limit: requests per minute, 0 for no limit."""

    instance: str
    key_id: str
    services: frozenset[str]
    rate_limit: int


def instance_id(ref: str) -> str:
    return f"inst_{ref}"


def digest_of(api_key: str) -> str:
    return hashlib.sha256(api_key.encode()).hexdigest()


class Tenants:
    """now_s: the time in whole seconds; rotated keys expire."""

    def __init__(self, database: Database, now_s: Callable[[], int]) -> None:
        self._database = database
        self._now_s = now_s

    def create_instance(self, ref: str, services: frozenset[str]) -> str:
        """Create an instance; return its id. Raises InstanceExists."""
        instance = instance_id(ref)
        row = {"instance": instance, "credential": "instance", "services": sorted(services), "status": "ACTIVE"}
        instance_not_exists = "attribute_not_exists(#credential)"
        try:
            self._database.write(Put(TABLE, row, instance_not_exists))
        except ConditionFailed as error:
            raise InstanceExists(instance) from error
        return instance

    def add_key(self, instance: str, key_id: str, api_key: str, rate_limit: int) -> None:
        """Store a new key's digest. Raises UnknownInstance or TooManyKeys."""
        rows = self._rows(instance)
        if not any(row["credential"] == "instance" for row in rows):
            raise UnknownInstance(instance)
        if sum(self._is_valid_key(row) for row in rows) >= VALID_KEYS_MAX:
            raise TooManyKeys(instance)
        row = {
            "instance": instance,
            "credential": f"key/{key_id}",
            "digest": digest_of(api_key),
            "status": "ACTIVE",
            "rate_limit": rate_limit,
        }
        key_not_exists = "attribute_not_exists(#credential)"
        self._database.write(Put(TABLE, row, key_not_exists))

    def accept(self, ref: str, api_key: str) -> Credential | None:
        """Return what the key stands for, None where it is not accepted (T4). Compares in constant time (T3)."""
        rows = self._rows(instance_id(ref))
        digest = digest_of(api_key)
        found: Row | None = None
        for row in rows:
            if self._is_valid_key(row) and hmac.compare_digest(str(row["digest"]), digest):
                found = row
        instance = next((row for row in rows if row["credential"] == "instance"), None)
        if found is None or instance is None or instance["status"] != "ACTIVE":
            return None
        key_id = str(found["credential"]).removeprefix("key/")
        return Credential(found["instance"], key_id, frozenset(instance["services"]), found["rate_limit"])

    def exists(self, instance: str) -> bool:
        return self._database.get(TABLE, {"instance": instance, "credential": "instance"}) is not None

    def _rows(self, instance: str) -> list[Row]:
        return list(self._database.query(TABLE, "#instance = :instance", {":instance": instance}))

    def _is_valid_key(self, row: Row) -> bool:
        """ACTIVE, or PENDING_ROTATION and not yet expired."""
        if not str(row["credential"]).startswith("key/"):
            return False
        is_rotating = row["status"] == "PENDING_ROTATION" and int(row.get("expires", 0)) > self._now_s()
        return row["status"] == "ACTIVE" or is_rotating
