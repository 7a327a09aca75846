"""The documents of the service, as files of this folder: ``/docs``, the reference, and the descriptions that it shows.

``kit.mounts.DOCUMENTS`` says at which paths. They are public, the same for everybody, and read from the disk once a
process. The page loads nothing from elsewhere, and its policy permits no script but these files (T132).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from chalicelib.apis.kit.http import HttpResponse
from chalicelib.apis.kit.mounts import VENDORED

TYPES = {".css": "text/css", ".html": "text/html", ".js": "text/javascript", ".json": "application/json"}
"""Content types by the suffix of a file."""
KEPT_S, VENDORED_KEPT_S = 300, 31_536_000
"""How long a client may keep a document in seconds, and a file whose path names its version."""
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
PAGE_HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
}


@cache
def document(name: str) -> HttpResponse:
    """Return the answer that shows a file of this folder."""
    file = Path(__file__).parent / name
    kept_s = VENDORED_KEPT_S if file.parent.name in VENDORED else KEPT_S
    headers = {
        "Content-Type": f"{TYPES[file.suffix]}; charset=utf-8",
        "Cache-Control": f"public, max-age={kept_s}",
        "X-Content-Type-Options": "nosniff",
        **(PAGE_HEADERS if file.suffix == ".html" else {}),
    }
    return HttpResponse(200, file.read_text(encoding="utf-8"), headers)
