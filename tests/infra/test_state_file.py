"""The state file: a save is read back, anything else is refused, and a valid version exists at any moment."""

from __future__ import annotations

import errno
import json
import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.state_file import (
    FILE,
    PREVIOUS,
    UNFINISHED,
    SavedState,
    StateUnreadable,
    read_state,
    read_state_file,
    recovery_options,
    write_state,
)

STATE = SavedState(
    2, "run", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), False, 10**29, {"tables": [["a", "r", "t", {}]]}
)
LATER = replace(STATE, run="later", final=True)


def refusal(folder: Path) -> str:
    with pytest.raises(StateUnreadable) as refused:
        read_state(folder)
    return str(refused.value)


def test_what_was_saved_is_read_again_and_what_it_replaced_is_kept(tmp_path: Path) -> None:
    assert read_state(tmp_path) is None
    write_state(tmp_path, STATE)
    write_state(tmp_path, LATER)
    assert read_state(tmp_path) == LATER
    assert read_state_file(tmp_path / PREVIOUS) == STATE
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600
    assert sorted(file.name for file in tmp_path.iterdir()) == [FILE, PREVIOUS]
    assert json.loads((tmp_path / FILE).read_bytes())["run"] == "later"


def test_a_file_cut_short_anywhere_is_refused(tmp_path: Path) -> None:
    write_state(tmp_path, STATE)
    content = (tmp_path / FILE).read_bytes()
    for length in range(len(content)):
        (tmp_path / FILE).write_bytes(content[:length])
        assert any(word in refusal(tmp_path) for word in ("is empty", "cut short", "were changed"))


@given(place=st.integers(0, 2**30), mask=st.integers(1, 255))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_file_with_one_byte_changed_is_refused(tmp_path: Path, place: int, mask: int) -> None:
    write_state(tmp_path, STATE)
    content = bytearray((tmp_path / FILE).read_bytes())
    content[place % len(content)] ^= mask
    (tmp_path / FILE).write_bytes(content)
    assert refusal(tmp_path)


def test_trailing_bytes_are_refused(tmp_path: Path) -> None:
    write_state(tmp_path, STATE)
    with (tmp_path / FILE).open("ab") as file:
        file.write(b"\n")
    assert refusal(tmp_path)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b'{"__ministack_format__": 2, "payload": {}}', "an older Tallybook"),
        (b'{"tallybook_state": 7}', "its form is 7"),
        (b"{}", "something else"),
        (b"\x00" * 500, "cut short"),
    ],
)
def test_a_file_of_something_else_is_refused(tmp_path: Path, content: bytes, why: str) -> None:
    (tmp_path / FILE).write_bytes(content)
    assert why in refusal(tmp_path)


def test_a_whole_file_of_a_newer_form_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.state_file.FORMAT", 2)
    write_state(tmp_path, STATE)
    monkeypatch.undo()
    assert "its form is 2, and this Tallybook reads form 1" in refusal(tmp_path)


def test_a_state_that_is_gone_while_the_one_before_is_there_is_not_an_empty_one(tmp_path: Path) -> None:
    write_state(tmp_path, STATE)
    (tmp_path / FILE).rename(tmp_path / PREVIOUS)
    assert "gone" in refusal(tmp_path)


def test_a_directory_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir()
    assert refusal(tmp_path) == "Is a directory"


@pytest.mark.parametrize("call", ["open", "fsync", "link"])
def test_a_save_that_fails_changes_nothing(tmp_path: Path, call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write_state(tmp_path, STATE)
    write_state(tmp_path, LATER)

    def full(*_arguments: object, **_words: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, call, full)
    if call == "link":  # a file system without hard links: it is renamed instead
        write_state(tmp_path, STATE)
        monkeypatch.undo()
        assert (read_state(tmp_path), read_state_file(tmp_path / PREVIOUS)) == (STATE, LATER)
        return
    with pytest.raises(OSError, match="No space left"):
        write_state(tmp_path, STATE)
    monkeypatch.undo()
    assert (read_state(tmp_path), read_state_file(tmp_path / PREVIOUS)) == (LATER, STATE)
    assert not (tmp_path / UNFINISHED).exists()


def test_the_options_include_the_previous_state_only_if_it_is_valid(tmp_path: Path) -> None:
    write_state(tmp_path, STATE)
    write_state(tmp_path, LATER)
    text = recovery_options(tmp_path, "why")
    assert f"{tmp_path / FILE}: why." in text
    assert "2026-01-02 03:04:05 UTC and whole:  mv " in text
    assert "make run FRESH=1" in text
    (tmp_path / PREVIOUS).write_bytes(b"{}")
    assert " mv " not in recovery_options(tmp_path, "why")
