"""The master key of a local run: generated once, private, never in place of the user's own."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from infra.master_key import master_key_environment


def test_a_key_is_made_once_for_its_owners_eyes_only(tmp_path: Path) -> None:
    first = master_key_environment(tmp_path, {})
    assert set(first) == {"TALLYBOOK_MASTER_KEY"}
    assert len(first["TALLYBOOK_MASTER_KEY"]) == 64
    assert stat.S_IMODE((tmp_path / "master.key").stat().st_mode) == 0o600
    assert master_key_environment(tmp_path, {}) == first
    (tmp_path / "elsewhere").mkdir()
    assert master_key_environment(tmp_path / "elsewhere", {}) != first


def test_what_an_interrupted_start_left_is_no_key(tmp_path: Path) -> None:
    (tmp_path / "master.tmp").write_text("half", encoding="utf-8")
    assert len(master_key_environment(tmp_path, {})["TALLYBOOK_MASTER_KEY"]) == 64


@pytest.mark.parametrize("name", ["TALLYBOOK_MASTER_KEY", "TALLYBOOK_MASTER_KEY_PARAMETER"])
def test_a_key_that_the_user_has_named_is_used(tmp_path: Path, name: str) -> None:
    assert master_key_environment(tmp_path, {name: "theirs"}) == {}
    assert list(tmp_path.iterdir()) == []
    assert master_key_environment(tmp_path, {name: ""}) != {}
