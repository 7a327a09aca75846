"""The master key, from which secrets are derived, and the previous one while the operator rotates it.

New secrets are derived from the newest key. Secrets of the previous key are accepted too, until the operator ends the
rotation. Both keys are read again after a while, so that a rotation reaches running processes.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterator

MASTER_KEY_BYTES_MIN = 32

KEYS_LIFE_S = 300
"""How long a process uses a key that it has read: a rotation, or its end, takes effect within this time."""
RETRY_S = 5
"""How soon the previous key is read again after reading it failed."""


def derived(master_key: bytes, purpose: bytes, text: str) -> bytes:
    """Return the secret of a text: HMAC-SHA256. purpose: separates the secrets of different uses."""
    return hmac.new(master_key, purpose + text.encode(errors="surrogatepass"), hashlib.sha256).digest()


InTurn = Callable[[], Iterator[bytes]]
"""Returns the master keys whose secrets are accepted (``in_turn``)."""


def none_before() -> bytes | None:
    """Return None: there is no previous master key."""
    return None


def in_turn(newest: Callable[[], bytes], previous: Callable[[], bytes | None]) -> Iterator[bytes]:
    """Yield the master keys whose secrets are accepted: the newest, then the previous one, if any.

    The previous one is read only if the caller goes on after the newest.
    """
    yield newest()
    before = previous()
    if before is not None:
        yield before


class MasterKeys:
    """Caches both keys. read: returns the newest, or raises. read_previous: returns the previous one, None for none.

    now_s: a monotonic clock in seconds.
    """

    def __init__(
        self, read: Callable[[], bytes], read_previous: Callable[[], bytes | None], now_s: Callable[[], float]
    ) -> None:
        self._read = read
        self._read_previous = read_previous
        self._now_s = now_s
        self._newest: bytes | None = None
        self._newest_until_s = 0.0
        self._previous: bytes | None = None
        self._previous_until_s: float | None = None

    def newest(self) -> bytes:
        """Return the key from which secrets are derived.

        A known key stays in use while reading it again fails. Raises what reading raises where none is known yet.
        """
        known = self._newest
        if known is not None and self._now_s() < self._newest_until_s:
            return known
        try:
            newest = self._read()
        except Exception:
            if known is None:
                raise
            newest = known
        if newest != known:
            self._previous_until_s = None  # the previous key is another one now
        self._newest, self._newest_until_s = newest, self._now_s() + KEYS_LIFE_S
        return newest

    def previous(self) -> bytes | None:
        """Return the previous key, whose secrets are accepted too; None if no rotation is known."""
        if self._previous_until_s is None or self._now_s() >= self._previous_until_s:
            life_s = KEYS_LIFE_S
            try:
                self._previous = self._read_previous()
            except Exception:  # logged by the reader
                life_s = RETRY_S
            self._previous_until_s = self._now_s() + life_s
        return self._previous
