"""Instances (tenants) and their API keys, and each change of them.

A key's life::

    (none) --make--> ACTIVE --rotate--> PENDING_ROTATION --its end comes--> EXPIRED
                        |                      |
                        +--------revoke--------+--> REVOKED

A key is valid while it is ACTIVE, or PENDING_ROTATION before its end. No job expires keys: the next change of its
instance's keys stores EXPIRED. An instance has ten valid keys at most and keeps the ten that ended last, without their
digests, so that the row which each request reads does not grow with every change.
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass, replace
from enum import StrEnum

TRADING = "trading"
SERVICES = (TRADING,)
"""What can be switched on for an instance."""
INSTANCE_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""What may be an instance's id, as callers name it."""
VALID_KEYS_MAX = 10
ENDED_KEYS_MAX = 10


class World(StrEnum):
    """Two separate worlds of one instance: the escrow desk's sandbox and its production (E2)."""

    SANDBOX = "sandbox"
    PRODUCTION = "production"


class InstanceStatus(StrEnum):
    ACTIVE = "ACTIVE"
    ARCHIVED = "ARCHIVED"


class KeyStatus(StrEnum):
    ACTIVE = "ACTIVE"
    PENDING_ROTATION = "PENDING_ROTATION"
    REVOKED = "REVOKED"
    EXPIRED = "EXPIRED"


class TenancyRefused(Exception):
    """A change was refused and nothing was changed; the text says why."""


class NotFound(TenancyRefused):
    """What the change names is not there."""


class ExistsAlready(TenancyRefused):
    """What the change would make is there."""


class UnknownKey(NotFound):
    def __init__(self, key_id: str) -> None:
        super().__init__(f"no such key: {key_id}")


class TooManyKeys(TenancyRefused):
    def __init__(self, instance: str) -> None:
        super().__init__(f"has its ten valid keys already, those that are being rotated counted: {instance}")


class KeyHasEnded(TenancyRefused):
    """The change needs a valid key; a rotation needs an ACTIVE one."""

    def __init__(self, key_id: str, status: KeyStatus) -> None:
        super().__init__(f"the key is {status}: {key_id}")


@dataclass(frozen=True, slots=True)
class Key:
    """An API key of an instance, at the book desk.

    digest: SHA-256 of the whole key (T3), None once it has ended. rate_limit: requests a minute, 0 for no limit.

    made_s, ends_s: seconds since the epoch; ends_s is None while no end is set.
    """

    key_id: str
    digest: str | None
    rate_limit: int
    made_s: int
    status: KeyStatus = KeyStatus.ACTIVE
    ends_s: int | None = None

    def is_valid(self, now_s: int) -> bool:
        return self.status_at(now_s) in (KeyStatus.ACTIVE, KeyStatus.PENDING_ROTATION)

    def status_at(self, now_s: int) -> KeyStatus:
        is_over = self.ends_s is not None and self.ends_s <= now_s
        return KeyStatus.EXPIRED if self.status is KeyStatus.PENDING_ROTATION and is_over else self.status


@dataclass(frozen=True, slots=True)
class Instance:
    """A tenant and its keys, oldest first. Each change returns the changed instance and may be repeated.

    frozen: how many of its customers are frozen (T96).
    """

    instance: str
    services: frozenset[str]
    status: InstanceStatus = InstanceStatus.ACTIVE
    keys: tuple[Key, ...] = ()
    frozen: int = 0

    def with_service(self, service: str) -> Instance:
        return replace(self, services=self.services | {service})

    def without_service(self, service: str) -> Instance:
        return replace(self, services=self.services - {service})

    def with_status(self, status: InstanceStatus) -> Instance:
        return replace(self, status=status)

    def key(self, key_id: str) -> Key:
        """Raises UnknownKey."""
        for key in self.keys:
            if key.key_id == key_id:
                return key
        raise UnknownKey(key_id)

    def with_key(self, new: Key, now_s: int) -> Instance:
        """Raises TooManyKeys."""
        return self if self._has(new) else self._with_keys((*self.keys, new), now_s)

    def rotated(self, key_id: str, new: Key, ends_s: int, now_s: int) -> Instance:
        """Put a new key, with the rate limit of the old one, in its place; the old one is valid until ``ends_s``.

        Raises UnknownKey, KeyHasEnded for one that is not ACTIVE, or TooManyKeys: both count until the old one ends.
        """
        if self._has(new):
            return self
        old = self.key(key_id)
        if old.status is not KeyStatus.ACTIVE:
            raise KeyHasEnded(key_id, old.status_at(now_s))
        rotating = replace(old, status=KeyStatus.PENDING_ROTATION, ends_s=ends_s)
        return self._with_keys((*self._keys_with(rotating), replace(new, rate_limit=old.rate_limit)), now_s)

    def revoked(self, key_id: str, now_s: int) -> Instance:
        """Raises UnknownKey. A key that has ended stays as it is."""
        if not self.key(key_id).is_valid(now_s):
            return self
        revoked = replace(self.key(key_id), status=KeyStatus.REVOKED, ends_s=now_s)
        return self._with_keys(self._keys_with(revoked), now_s)

    def limited(self, key_id: str, rate_limit: int, now_s: int) -> Instance:
        """Raises UnknownKey or KeyHasEnded."""
        key = self.key(key_id)
        if not key.is_valid(now_s):
            raise KeyHasEnded(key_id, key.status_at(now_s))
        return self._with_keys(self._keys_with(replace(key, rate_limit=rate_limit)), now_s)

    def valid_keys(self, now_s: int) -> list[Key]:
        return [key for key in self.keys if key.is_valid(now_s)]

    def accepted(self, digest: str, now_s: int) -> AcceptedKey | None:
        """Return what a key with this digest stands for, None where it is not accepted (T4).

        Compares with every valid key, each in constant time (T3).
        """
        found: Key | None = None
        for key in self.valid_keys(now_s):
            if hmac.compare_digest(str(key.digest), digest):
                found = key
        if found is None or self.status is not InstanceStatus.ACTIVE:
            return None
        return AcceptedKey(self.instance, found.key_id, self.services, found.rate_limit, self.frozen > 0)

    def _has(self, new: Key) -> bool:
        return any((key.key_id, key.digest) == (new.key_id, new.digest) for key in self.keys)

    def _keys_with(self, changed: Key) -> tuple[Key, ...]:
        return tuple(changed if key.key_id == changed.key_id else key for key in self.keys)

    def _with_keys(self, keys: tuple[Key, ...], now_s: int) -> Instance:
        """Return the instance with these keys, of the ended ones the last ten. Raises TooManyKeys."""
        valid = [key for key in keys if key.is_valid(now_s)]
        if len(valid) > VALID_KEYS_MAX:
            raise TooManyKeys(self.instance)
        ended = [replace(key, digest=None, status=key.status_at(now_s)) for key in keys if not key.is_valid(now_s)]
        remembered = sorted(ended, key=lambda key: key.ends_s or 0)[-ENDED_KEYS_MAX:]
        return replace(self, keys=tuple(sorted([*valid, *remembered], key=lambda key: (key.made_s, key.key_id))))


@dataclass(frozen=True, slots=True)
class AcceptedKey:
    """An API key that was accepted. rate_limit: requests per minute, 0 for no limit.

    has_frozen: whether a customer of the instance is frozen (T96).
    """

    instance: str
    key_id: str
    services: frozenset[str]
    rate_limit: int
    has_frozen: bool = False
