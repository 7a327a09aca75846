"""Verifications that run beside the console's requests: one at a time, with how far each is."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from chalicelib.ops.verify.verifier import Watch

T = TypeVar("T")
Told = dict[str, Any]


class Proofs:
    """prove: proves a book (or, without one, an instance), telling a watch of each step; returns what verify prints.

    failure_of: the envelope of an exception.
    """

    def __init__(self, prove: Callable[[str | None, str | None, Watch], Told], failure_of: Callable[[Exception], Told]):
        self._prove = prove
        self._failure_of = failure_of
        self._lock = threading.Lock()
        self._told: Told = {"state": "none"}

    def begin(self, book: str | None, instance: str | None) -> bool:
        """Begin to prove. Return False if another proof is running."""
        with self._lock:
            if self._told["state"] == "running":
                return False
            self._told = {"state": "running", "of": book or instance, "step": "begins", "done": 0, "total": None}
        threading.Thread(target=self._run, args=(book, instance), daemon=True).start()
        return True

    def told(self) -> Told:
        """Return the state of the last proof: none, running (step, done, total), proven (report) or failed (error)."""
        with self._lock:
            return dict(self._told)

    def _run(self, book: str | None, instance: str | None) -> None:
        try:
            report = self._prove(book, instance, self._watch)
            found: Told = {"state": "proven", "of": book or instance, "report": report}
        except Exception as error:
            found = {"state": "failed", "of": book or instance, **self._failure_of(error)}
        with self._lock:
            self._told = found

    def _watch(self, items: Iterable[T], what: str, total: int | None) -> Iterable[T]:
        for done, item in enumerate(items):
            with self._lock:
                self._told = self._told | {"step": what, "done": done, "total": total}
            yield item
