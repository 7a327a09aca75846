"""A short run of the feed benchmark: subscribers are cut off and resume while the matcher is killed and restarted."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from infra.settings import ROOT

pytestmark = pytest.mark.stack

RUN_S_MAX = 300


def test_subscribers_that_are_cut_off_again_and_again_rebuild_every_book() -> None:
    """It ends with 0 only if no subscriber has a gap, a disorder, a double, or a book other than the journal's."""
    command = [sys.executable, "benchmarks/feed.py", "--seconds", "12", "--every", "10", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=RUN_S_MAX, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    polls, sockets = report["by long poll"], report["by WebSocket"]
    assert polls["events"] > report["events of the logs"] > 0
    assert sockets["messages"] > sockets["hashes compared"] > 0
    for way in (polls, sockets):
        assert way["received again after a cut"] > 0
        assert way["depths compared"] > 0
    assert report["fewest cuts of a subscriber"] >= 1
    assert report["matcher killed"] >= 1
