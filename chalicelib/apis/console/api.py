"""The console's page, its files and its settings, for GET and HEAD below ``/console``."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import urlsplit

from chalicelib.apis.kit.files import Files
from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.apis.kit.mounts import CONSOLE_PATH

PAGE, SETTINGS = "index.html", "settings.json"


class Console:
    """websocket_url: where the page follows events; empty if there is no WebSocket. first: the pair shown at first, if
    there is such a pair.
    """

    def __init__(self, websocket_url: str, first: str) -> None:
        address = urlsplit(websocket_url)
        connects = f"'self' {address.scheme}://{address.netloc}" if websocket_url else "'self'"
        self._files = Files(Path(__file__).with_name("files"), {"connect-src": connects})
        self._settings = json.dumps({"websocket": websocket_url or None, "first": first or None})

    def answer(self, request: HttpRequest) -> HttpResponse:
        """Answer with the page, one of its files, or 404. ``/console/`` leads to ``/console``. Never raises."""
        if request.path == f"{CONSOLE_PATH}/":
            return HttpResponse(308, "", {"Location": f"..{CONSOLE_PATH}"})
        name = request.path.removeprefix(CONSOLE_PATH).removeprefix("/") or PAGE
        if name == SETTINGS:
            return _json(200, self._settings)
        return self._files.answer(name, request) or _json(404, json.dumps({"message": "Not found."}))


def _json(status: int, body: str) -> HttpResponse:
    return HttpResponse(status, body, {"Content-Type": "application/json; charset=utf-8", "Cache-Control": "no-store"})
