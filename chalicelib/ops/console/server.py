"""The operator's console over HTTP: on 127.0.0.1 alone, for the page that has the token of the printed address.

A request is answered if its Host is this address, its Origin, if it has one, is this page's, and, for everything but
the page's files, its token is the printed one. So neither another program's user nor another site's page gets in.
"""

from __future__ import annotations

import hmac
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import chalicelib.apis.console
from chalicelib.apis.kit.files import Files
from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.ops.cli.arguments import Printed
from chalicelib.ops.cli.failures import Code, CommandFailed
from chalicelib.ops.console.proofs import Proofs

HOST = "127.0.0.1"
BODY_BYTES_MAX = 16 * 1024
ARGUMENTS_MAX = 40
READS: Mapping[str, tuple[str, ...]] = {
    "instance": ("list", "show"),
    "key": ("list",),
    "api-token": ("list",),
    "taker-key": ("list",),
    "escrow-key": ("list",),
    "book": ("list", "show", "parked"),
    "balances": (),
    "statement": (),
    "customer": ("frozen",),
    "fees": ("show",),
    "webhook": ("list", "dead", "waiting"),
}
WRITES: Mapping[str, tuple[str, ...]] = {
    "instance": ("archive", "restore"),
    "key": ("create", "rotate", "revoke"),
    "api-token": ("create", "block", "unblock"),
    "book": ("pause", "resume"),
    "customer": ("freeze", "unfreeze"),
    "webhook": ("pause", "resume", "test", "redeliver"),
}
"""Commands that the page may run, by group; an empty group is a command by itself."""
FILES, SHARED = Path(__file__).with_name("files"), Path(chalicelib.apis.console.__file__).with_name("files")
SHARED_FILES = ("console.css", "decimals.js", "icon.svg", "page.js", "send.js", "words.js")
JSON = {"Content-Type": "application/json; charset=utf-8", "Cache-Control": "no-store"}


@dataclass(frozen=True)
class OperatorConsole:
    """run: carries out a command of the command line. proofs: runs verify. token: of the printed address."""

    run: Callable[[list[str]], Printed]
    proofs: Proofs
    port: int
    token: str

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}/#token={self.token}"

    @cached_property
    def _pages(self) -> tuple[Files, Files]:
        return Files(FILES, {}), Files(SHARED, {})

    def answer(self, request: HttpRequest) -> HttpResponse:
        """Answer a request. Never raises for what was sent.

        403: another host, another site, or no token. 404: no such path. 400: no command of the list.
        """
        if not self._is_own(request.headers):
            return _told(403, CommandFailed("This console answers its own page alone.", Code.REFUSED))
        if request.method == "GET" and (file := self._file(request)) is not None:
            return file
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(given.encode(), self.token.encode()):
            return _told(403, CommandFailed("Open the address that tallybook console printed.", Code.CREDENTIALS))
        match request.method, request.path:
            case "POST", "/run":
                return self._run(_content_of(request.body))
            case "POST", "/proofs":
                return self._prove(_content_of(request.body))
            case "GET", "/proofs":
                return HttpResponse(200, json.dumps(self.proofs.told()), JSON)
            case _:
                return _told(404, CommandFailed("Not found.", Code.NOT_FOUND))

    def _is_own(self, headers: Mapping[str, str]) -> bool:
        own = f"{HOST}:{self.port}"
        return headers.get("host") == own and headers.get("origin", f"http://{own}") == f"http://{own}"

    def _file(self, request: HttpRequest) -> HttpResponse | None:
        own, shared = self._pages
        name = request.path.removeprefix("/") or "operator.html"
        return own.answer(name, request) or (shared.answer(name, request) if name in SHARED_FILES else None)

    def _run(self, content: Mapping[str, Any]) -> HttpResponse:
        arguments = content.get("arguments")
        if not (isinstance(arguments, list) and _is_allowed(arguments)):
            return _told(400, CommandFailed("This is no command of the console.", Code.USAGE))
        try:
            return HttpResponse(200, json.dumps(self.run(arguments)), JSON)
        except CommandFailed as failure:
            return _told(409, failure)
        except SystemExit:
            return _told(400, CommandFailed("The command line does not take these arguments.", Code.USAGE))

    def _prove(self, content: Mapping[str, Any]) -> HttpResponse:
        book, instance = content.get("book"), content.get("instance")
        if [type(one) for one in (book, instance) if one is not None] != [str]:
            return _told(400, CommandFailed("Name a book or an instance.", Code.USAGE))
        if not self.proofs.begin(book, instance):
            return _told(409, CommandFailed("A verification is running already.", Code.BUSY))
        return HttpResponse(202, json.dumps(self.proofs.told()), JSON)


def _is_allowed(arguments: list[Any]) -> bool:
    """Return whether these are arguments of a command of READS or WRITES."""
    if not 1 <= len(arguments) <= ARGUMENTS_MAX or not all(isinstance(one, str) for one in arguments):
        return False
    group, word = arguments[0], arguments[1] if len(arguments) > 1 else ""
    return any(group in table and (word in table[group] or not table[group]) for table in (READS, WRITES))


def _content_of(body: bytes) -> Mapping[str, Any]:
    try:
        content = json.loads(body)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _told(status: int, failure: CommandFailed) -> HttpResponse:
    return HttpResponse(status, json.dumps(failure.envelope()), JSON)


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > BODY_BYTES_MAX:
            self.close_connection = True
            self._send(_told(413, CommandFailed("The request is too large.", Code.USAGE)))
        else:
            self._answer(self.rfile.read(int(length)))

    def _answer(self, body: bytes) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        path = self.path.partition("?")[0]
        self._send(self.server.console.answer(HttpRequest(self.command, None, {}, {}, headers, body, path)))

    def _send(self, response: HttpResponse) -> None:
        body = response.body.encode()
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Print nothing: the terminal has the address alone."""


class Server(ThreadingHTTPServer):
    """Serves a console at a free port, or at one that was asked for. Raises OSError if that one is taken."""

    daemon_threads = True

    def __init__(self, run: Callable[[list[str]], Printed], proofs: Proofs, port: int = 0) -> None:
        super().__init__((HOST, port), _Handler)
        self.console = OperatorConsole(run, proofs, self.server_address[1], secrets.token_urlsafe(24))
