"""A bounded in-memory cache of callers (T55)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

SCOPES_MAX = 10_000
"""Maximum number of cached keys, addresses or customers for each kind of rate limit."""


class BoundedCache(Generic[K, V]):
    """A mapping that keeps the entries set last, up to a maximum number. Thread-safe."""

    def __init__(self, entries_max: int) -> None:
        self._entries_max = entries_max
        self._entries: OrderedDict[K, V] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: K) -> bool:
        return key in self._entries

    def get(self, key: K) -> V | None:
        return self._entries.get(key)

    def set(self, key: K, value: V) -> None:
        with self._lock:
            self._entries[key] = value
            self._entries.move_to_end(key)
            self._drop_oldest()

    def get_or_set(self, key: K, new: Callable[[], V]) -> V:
        """Return the entry, made by ``new`` if there is none; it is the one set last now. Threads get the same one."""
        with self._lock:
            if key not in self._entries:
                self._entries[key] = new()
            self._entries.move_to_end(key)
            self._drop_oldest()
            return self._entries[key]

    def forget(self, key: K) -> None:
        self.pop(key)

    def pop(self, key: K) -> V | None:
        """Return an entry and forget it, so that one caller alone has it."""
        with self._lock:
            return self._entries.pop(key, None)

    def _drop_oldest(self) -> None:
        while len(self._entries) > self._entries_max:
            self._entries.popitem(last=False)
