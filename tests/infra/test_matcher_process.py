"""The delivery log of the matcher process, also after a kill."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from infra.matcher_process import with_delivery_log

EVENT = {"Records": [{"dynamodb": {"SequenceNumber": "1"}}, {"dynamodb": {"SequenceNumber": "2"}}]}


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    return tmp_path / "notes.jsonl"


def lines(notes: Path) -> list[Any]:
    return [json.loads(line) for line in notes.read_text(encoding="utf-8").splitlines()]


def test_a_delivery_is_logged_before_it_is_handled_and_its_answer_after(notes: Path) -> None:
    answer = {"batchItemFailures": [{"itemIdentifier": "2"}]}

    def match(_event: dict[str, Any], _context: object) -> object:
        assert lines(notes) == [{"delivered": ["1", "2"]}]
        return answer

    assert with_delivery_log(match, notes)(EVENT, None) is answer
    assert lines(notes) == [{"delivered": ["1", "2"]}, {"answered": ["2"]}]


def test_the_log_of_an_earlier_process_is_kept_and_a_batch_without_an_answer_has_no_second_line(notes: Path) -> None:
    def fail(_event: dict[str, Any], _context: object) -> object:
        raise KeyboardInterrupt

    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            with_delivery_log(fail, notes)(EVENT, None)
    assert lines(notes) == [{"delivered": ["1", "2"]}] * 2
