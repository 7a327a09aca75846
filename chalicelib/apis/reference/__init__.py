"""The documents of the service, as files of this folder: what ``/asyncapi.json`` shows.

``kit.mounts.DOCUMENTS`` says at which paths. They are public, the same for everybody, and read from the disk once a
process.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from chalicelib.apis.kit.http import HttpResponse

TYPES = {".json": "application/json"}
"""Content types by the suffix of a file."""
KEPT_S = 300
"""How long a client may keep a document, in seconds."""


@cache
def document(name: str) -> HttpResponse:
    """Return the answer that shows a file of this folder."""
    file = Path(__file__).parent / name
    headers = {
        "Content-Type": f"{TYPES[file.suffix]}; charset=utf-8",
        "Cache-Control": f"public, max-age={KEPT_S}",
        "X-Content-Type-Options": "nosniff",
    }
    return HttpResponse(200, file.read_text(encoding="utf-8"), headers)
