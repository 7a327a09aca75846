"""The console's way to the demo's credentials, in a local run alone: a token that is good once.

``make run`` prints the console's address with the token in its fragment, which a browser sends to nobody; the page
exchanges it here. The service itself has no such path, so a deployment cannot give credentials away.
"""

from __future__ import annotations

import hmac
import json
import os
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from infra.http_reading import ReadRequest

PATH = "/console/demo"
TOKEN_VARIABLE, FILE_VARIABLE = "TALLYBOOK_DEMO_TOKEN", "TALLYBOOK_DEMO_FILE"
LOOPBACK = ("127.0.0.1", "localhost", "::1")
Answer = tuple[int, dict[str, str], bytes]


class DemoAccess:
    """token: what ``make run`` printed. file: ``demo.json``, which is there once the run is ready."""

    def __init__(self, token: str, file: Path) -> None:
        self._token = token
        self._file = file
        self._lock = threading.Lock()

    def answer(self, request: ReadRequest) -> Answer | None:
        """Return the answer to a request to PATH; None if it is to another path.

        403: the token is wrong or spent, or the request is another site's: its Host is no loopback name, or its Origin
        is not that host.
        """
        if request.method != "POST" or request.target != PATH:
            return None
        headers = {name.lower(): value for name, value in request.headers.items()}
        host = headers.get("host", "")
        is_own = (
            urlsplit(f"//{host}").hostname in LOOPBACK and headers.get("origin", f"http://{host}") == f"http://{host}"
        )
        if not is_own or not self._spent(_token_in(request.body or b"")):
            return _json(403, {"message": "The token is wrong or spent, or the request is not this page's."})
        return _json(200, json.loads(self._file.read_text(encoding="utf-8")))

    def _spent(self, token: str) -> bool:
        """Spend the token. Return whether it was this one, and unspent."""
        with self._lock:
            is_right = bool(self._token) and hmac.compare_digest(token.encode(), self._token.encode())
            if is_right:
                self._token = ""
            return is_right


def demo_access() -> DemoAccess:
    """Return the access that the environment describes; without a token in it nobody gets in."""
    return DemoAccess(os.environ.get(TOKEN_VARIABLE, ""), Path(os.environ.get(FILE_VARIABLE, "")))


def _token_in(body: bytes) -> str:
    try:
        content = json.loads(body)
    except ValueError:
        return ""
    token = content.get("token") if isinstance(content, dict) else None
    return token if isinstance(token, str) else ""


def _json(status: int, content: Any) -> Answer:
    headers = {"Content-Type": "application/json; charset=utf-8", "Cache-Control": "no-store"}
    return status, headers, json.dumps(content).encode()
