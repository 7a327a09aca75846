"""Paths of no desk: ``GET /`` and the documents describe the service, ``GET /health`` tells whether it can serve.

None needs a credential. ``/health`` alone reads a table: one missing row, at most once in two seconds a process, so
anonymous callers cannot raise its cost.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.apis.kit.mounts import DOCUMENTS, HEALTH_PATH, REFERENCE_PATH, ROOT_PATH
from chalicelib.apis.reference import FILES
from chalicelib.support.telemetry import logger

REMEMBERED_S = 2.0
RETRY_AFTER_S = 2
HEADERS = {"Content-Type": "application/json; charset=utf-8", "Cache-Control": "no-store"}
WHAT_THIS_IS = {
    "service": "Tallybook",
    "about": "An order service: order books, signed orders, escrow orders and one ledger. Each desk speaks one API.",
    "desks": [
        {"desk": "book", "path": "/orderbooks/stocks/api/offchain", "page": "docs/book-desk.md"},
        {"desk": "trade", "path": "/trade", "page": "docs/trade-desk.md"},
        {"desk": "taker", "path": "/api/v1", "page": "docs/taker-desk.md"},
        {"desk": "escrow", "path": "/2.0", "page": "docs/escrow-desk.md"},
    ],
    "health": HEALTH_PATH,
    "documents": sorted(path for path in DOCUMENTS if not path.startswith(f"{REFERENCE_PATH}/")),
    "where_to_begin": "README.md of the checkout; a local run writes what a client needs to .local/demo.json.",
}


class Front:
    """Answers the paths of no desk.

    ask_tables: reads a row; raises if the tables do not answer soon. monotonic_s: a monotonic clock in seconds.
    """

    def __init__(self, ask_tables: Callable[[], None], monotonic_s: Callable[[], float]) -> None:
        self._ask_tables = ask_tables
        self._monotonic_s = monotonic_s
        self._asked_at_s: float | None = None
        self._answered = False

    def answer(self, request: HttpRequest) -> HttpResponse:
        """Answer with what a path shows; ``/health`` with 503 while the tables do not answer. Never raises."""
        if request.path == ROOT_PATH:
            return _json(200, WHAT_THIS_IS)
        if request.path == f"{REFERENCE_PATH}/":
            return HttpResponse(308, "", {"Location": f"..{REFERENCE_PATH}"})
        shown = FILES.answer(DOCUMENTS.get(request.path, ""), request)
        if shown is not None:
            return shown
        if self._tables_answer():
            return _json(200, {"status": "ok"})
        said = _json(503, {"status": "unavailable", "message": "The tables do not answer."})
        return HttpResponse(said.status, said.body, {**said.headers, "Retry-After": str(RETRY_AFTER_S)})

    def _tables_answer(self) -> bool:
        now_s = self._monotonic_s()
        if self._asked_at_s is None or now_s - self._asked_at_s >= REMEMBERED_S:
            self._asked_at_s = now_s
            self._answered = self._is_answered()
        return self._answered

    def _is_answered(self) -> bool:
        try:
            self._ask_tables()
        except Exception:  # any fault (unreachable, missing table, no permission) means that nothing can be served
            logger.exception("the tables do not answer")
            return False
        return True


def _json(status: int, content: object) -> HttpResponse:
    return HttpResponse(status, json.dumps(content), HEADERS)
