"""The console's page and files: what is sent, under which policy, and how much it is."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import chalicelib.apis.console.api as console_api
from chalicelib.apis.console.api import Console
from chalicelib.apis.kit.http import HttpRequest, HttpResponse

FILES = Path(console_api.__file__).with_name("files")
BYTES_MAX = 300_000
ADDRESS = "wss://abc.execute-api.eu-west-1.amazonaws.com/ws"


def got(path: str, console: Console | None = None, **headers: str) -> HttpResponse:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return (console or Console(ADDRESS, "BTC_BRL")).answer(HttpRequest("GET", None, {}, {}, named, b"", path))


def test_the_page_refers_to_files_that_are_there_and_has_no_script_or_style_of_its_own() -> None:
    page = got("/console")
    assert (page.status, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    named = re.findall(r'(?:src|href)="([^"#]+)"', page.body)
    assert len(named) >= 5
    for name in named:
        assert got(f"/{name}").status == 200, f"{name}: relative to the page, so that a stage's prefix is kept"
    assert not re.search(r"<script(?![^>]* src=)|<style| style=| on\w+=", page.body)


@pytest.mark.parametrize("name", sorted(one.name for one in FILES.glob("*.js")))
def test_a_module_imports_modules_that_are_there(name: str) -> None:
    text = got(f"/console/{name}").body
    for imported in re.findall(r'^import .* from "\./([^"]+)";$', text, re.MULTILINE):
        assert got(f"/console/{imported}").status == 200
    if not name.startswith("uplot"):
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text)


def test_the_page_may_load_and_call_this_service_and_its_websocket_alone() -> None:
    policy = got("/console").headers["Content-Security-Policy"].split("; ")
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "style-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "connect-src 'self' wss://abc.execute-api.eu-west-1.amazonaws.com" in policy
    alone = got("/console", Console("", "")).headers["Content-Security-Policy"].split("; ")
    assert "connect-src 'self'" in alone


def test_everything_together_is_small() -> None:
    assert sum(one.stat().st_size for one in FILES.iterdir()) < BYTES_MAX


def test_a_file_that_the_browser_has_is_not_sent_again() -> None:
    first = got("/console/main.js")
    again = got("/console/main.js", if_none_match=first.headers["ETag"])
    assert (again.status, again.body) == (304, "")
    assert got("/console/main.js", if_none_match='"another"').status == 200


def test_settings_say_where_the_page_follows_events() -> None:
    assert json.loads(got("/console/settings.json").body) == {"websocket": ADDRESS, "first": "BTC_BRL"}
    without = got("/console/settings.json", Console("", ""))
    assert json.loads(without.body) == {"websocket": None, "first": None}


@pytest.mark.parametrize(
    "path",
    [
        "/console/nothing.js", "/console/../api.py", "/console/%2e%2e/api.py", "/console//etc/passwd", "/console/demo",
        "/console/files/main.js", "/console/main.js/", "/consoles",
    ],
)  # fmt: skip
def test_what_is_no_file_of_the_page_is_not_found(path: str) -> None:
    assert got(path).status == 404


def test_a_slash_at_the_end_leads_to_the_page() -> None:
    answer = got("/console/")
    assert (answer.status, answer.headers["Location"]) == (308, "../console")
