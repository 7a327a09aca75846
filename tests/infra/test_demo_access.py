"""The one-time token by which the console of a local run gets the demo's credentials."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from infra.demo_access import FILE_VARIABLE, PATH, TOKEN_VARIABLE, DemoAccess, demo_access
from infra.http_reading import ReadRequest

DEMO = {"trade_desk": {"token": "t", "secret": "s"}}
HOST = "127.0.0.1:8000"


@pytest.fixture
def access(tmp_path: Path) -> DemoAccess:
    (tmp_path / "demo.json").write_text(json.dumps(DEMO), encoding="utf-8")
    return DemoAccess("once", tmp_path / "demo.json")


def asked(access: DemoAccess, token: Any = "once", method: str = "POST", target: str = PATH, **headers: str) -> Any:
    """Return the status and the content; None if the request is not for it."""
    body = token if isinstance(token, bytes) else json.dumps({"token": token}).encode()
    request = ReadRequest(method, target, {"host": HOST, **headers}, body, None)  # type: ignore[arg-type]
    answer = access.answer(request)
    return answer and (answer[0], json.loads(answer[2]))


def test_the_token_is_good_once(access: DemoAccess) -> None:
    assert asked(access) == (200, DEMO)
    assert asked(access)[0] == 403


@pytest.mark.parametrize("token", ["twice", "", None, 1, ["once"], b"once", b"", b"[]", "ünce"])
def test_another_token_is_refused_and_leaves_the_right_one_good(access: DemoAccess, token: Any) -> None:
    assert asked(access, token)[0] == 403
    assert asked(access) == (200, DEMO)


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"}, {"host": "evil.example:8000"}, {"host": ""}, {"host": "127.0.0.1.evil.example"},
        {"origin": "http://evil.example"}, {"origin": "null"}, {"origin": "https://127.0.0.1:8000"},
        {"origin": "http://127.0.0.1:8001"},
    ],
)  # fmt: skip
def test_another_site_is_refused_and_does_not_spend_the_token(access: DemoAccess, headers: dict[str, str]) -> None:
    assert asked(access, **headers)[0] == 403
    assert asked(access, origin=f"http://{HOST}") == (200, DEMO)


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1", "[::1]:8000"])
def test_every_name_of_this_machine_is_its_own(access: DemoAccess, host: str) -> None:
    assert asked(access, host=host) == (200, DEMO)


def test_only_a_post_to_its_own_path_is_answered(access: DemoAccess) -> None:
    assert asked(access, method="GET") is None
    assert asked(access, target="/console/demo/") is None


def test_without_a_token_nobody_gets_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)
    monkeypatch.delenv(FILE_VARIABLE, raising=False)
    assert asked(demo_access(), "")[0] == 403
