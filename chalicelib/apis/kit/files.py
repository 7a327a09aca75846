"""Files for browsers and for tools, packaged with the program: scripts, styles, descriptions, all of them text.

A browser keeps a file and asks with its digest (``If-None-Match``) whether it is still the same. Nothing outside the
folder is ever read, because a name is looked up in the folder's list.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from chalicelib.apis.kit.http import HttpRequest, HttpResponse

KINDS: Mapping[str, str] = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
"""Media types, by the end of a file's name."""
POLICY: Mapping[str, str] = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self'",
    "connect-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}
"""What a page may load and call: this service alone, and no script or style within the page."""


@dataclass(frozen=True)
class Files:
    """The files of a folder and of those in it. policy: what differs from POLICY, by directive."""

    folder: Path
    policy: Mapping[str, str]

    @cached_property
    def _headers(self) -> Mapping[str, str]:
        policy = {**POLICY, **self.policy}
        return {
            "Cache-Control": "no-cache",
            "Content-Security-Policy": "; ".join(f"{name} {sources}" for name, sources in policy.items()),
            "Cross-Origin-Opener-Policy": "same-origin",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        }

    @cached_property
    def _names(self) -> frozenset[str]:
        """The files' names, relative to the folder."""
        found = (one for one in self.folder.rglob("*") if one.suffix in KINDS)
        return frozenset(one.relative_to(self.folder).as_posix() for one in found)

    def answer(self, name: str, request: HttpRequest) -> HttpResponse | None:
        """Return a file: 200, or 304 if the browser has it. None: there is no such file."""
        if name not in self._names:
            return None
        text, digest = _read(self.folder / name)
        headers = {**self._headers, "Content-Type": KINDS[Path(name).suffix], "ETag": digest}
        if digest in request.headers.get("if-none-match", ""):
            return HttpResponse(304, "", headers)
        return HttpResponse(200, text, headers)


@cache
def _read(file: Path) -> tuple[str, str]:
    """Return a file's text and its entity tag."""
    text = file.read_text(encoding="utf-8")
    return text, f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'
