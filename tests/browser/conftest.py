"""Fixtures: a real browser (headless Chromium), a tab in it, and pages served from another origin than the service's.

Chromium comes from the system (``infra.chromium``). Where there is none, these tests are skipped, but never in CI.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from infra.chromium import find_chromium
from infra.settings import HOST

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ACTION_MS_MAX = 45_000
ARGUMENTS = (
    "--no-sandbox",  # Chromium has none for root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
"""Chromium calls nobody but what a page asks for."""


REFUSED, UNAUTHORIZED, FORBIDDEN = "400 (Bad Request)", "401 (Unauthorized)", "403 (Forbidden)"
NOT_FOUND, CONFLICT, UNPROCESSABLE = "404 (Not Found)", "409 (Conflict)", "422 (Unprocessable Entity)"
NO_ANSWER, OFFLINE = "net::ERR_FAILED", "net::ERR_INTERNET_DISCONNECTED"
OTHER_ORIGIN, POLICY = "blocked by CORS policy", "Content Security Policy"
"""Kinds of errors that a test can ask for: words that Chromium uses for each."""


@dataclass(frozen=True)
class Tab:
    """A tab with nothing remembered. Each test fails whose tab has shown an error that the test does not ask for.

    errors: in order, what its console shows as errors (violations of a page's policy among them), and what its
    scripts have not caught.
    """

    page: Page
    errors: list[str] = field(default_factory=list)
    _asked: list[str] = field(default_factory=list)

    def asks_for(self, *words: str) -> None:
        """Say that this test brings about errors with these words."""
        self._asked.extend(words)

    def unasked(self) -> list[str]:
        return [error for error in self.errors if not any(words in error for words in self._asked)]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for one module: while it is there, its thread cannot run an event loop of its own."""
    chromium = find_chromium()
    if chromium is None and not os.environ.get("CI"):
        pytest.skip("there is no Chromium here")
    from playwright.sync_api import sync_playwright

    assert chromium is not None, "CI installs Chromium"
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=list(ARGUMENTS))
        yield started
        started.close()


@pytest.fixture
def tab(browser: Browser) -> Iterator[Tab]:
    context = browser.new_context()
    context.set_default_timeout(ACTION_MS_MAX)
    opened = Tab(context.new_page())
    opened.page.on("console", lambda said: opened.errors.append(said.text) if said.type == "error" else None)
    opened.page.on("pageerror", lambda error: opened.errors.append(str(error)))
    yield opened
    context.close()
    assert opened.unasked() == []


class _EmptyPage(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        content = b'<!doctype html><html lang="en"><title>A page</title><link rel="icon" href="data:,">'
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture(scope="session")
def pages() -> Iterator[int]:
    """Serve an empty page; return the port. ``http://127.0.0.1`` and ``http://localhost`` are two origins of it."""
    server = ThreadingHTTPServer((HOST, 0), _EmptyPage)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()
