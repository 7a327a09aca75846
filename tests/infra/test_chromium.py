"""Setting up the browser of the tests of pages."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.chromium import find_chromium, main


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder in which programs are looked for; it is empty."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CI", raising=False)
    return tmp_path


@pytest.mark.parametrize("name", ["chromium", "chromium-browser", "google-chrome"])
def test_a_chromium_that_is_there_is_used(programs: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    chromium = programs / name
    chromium.touch(0o755)
    assert (find_chromium(), main(), capsys.readouterr().err) == (str(chromium), 0, "")


def test_where_none_can_be_installed_tests_of_pages_are_skipped_but_not_in_ci(
    programs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (list(programs.iterdir()), find_chromium(), main()) == ([], None, 0)
    assert "tests of pages are skipped" in capsys.readouterr().err
    monkeypatch.setenv("CI", "1")
    assert main() == 1
