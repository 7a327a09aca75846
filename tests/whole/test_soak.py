"""A short soak test: clients place and cancel over HTTP while the matcher is killed and restarted."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from infra.settings import ROOT

pytestmark = pytest.mark.stack

RUN_S_MAX = 300


def test_nothing_is_lost_or_done_twice_while_the_matcher_is_killed_again_and_again() -> None:
    """The soak checks books, rows, money and what its clients were told; it ends with 0 only when all of it agrees."""
    command = [sys.executable, "benchmarks/soak.py", "--seconds", "12", "--clients", "2", "--books", "3", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=RUN_S_MAX, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    print(report)
    assert report["orders placed"] == report["answers"]["POST 201"] > 0
    assert report["orders cancelled"] == report["answers"]["DELETE 200"] > 0
    assert report["trades"] > 0
    assert report["matcher killed"] >= 1
    # A kill waits for a batch: what it cuts off comes again.
    assert report["records redelivered"] >= 1
