"""``make cloud``: one command deploys the service into an embedded cloud and runs it until a stop signal."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from chalicelib.apis.kit.mounts import DOCUMENTS
from infra.engine import engine_answers
from infra.settings import ROOT, free_port

pytestmark = pytest.mark.stack

READY_S_MAX, STOP_S_MAX, POLL_S = 120, 30, 0.1


def ignore_sigint() -> None:
    """Ignore SIGINT, as a shell sets it for a background job of a script."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def test_it_ends_with_a_working_url_and_stops_when_asked_in_the_background_of_a_script_too(tmp_path: Path) -> None:
    port, log = free_port(but=0), tmp_path / "log"
    with log.open("w") as output:
        cloud = subprocess.Popen(
            [sys.executable, "-m", "infra.cloud"],
            cwd=ROOT,
            env=os.environ | {"PORT": str(port)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=ignore_sigint,
        )
    try:
        deadline_s = time.monotonic() + READY_S_MAX
        while "runs until Ctrl-C" not in log.read_text(encoding="utf-8"):
            assert cloud.poll() is None, log.read_text(encoding="utf-8")
            assert time.monotonic() < deadline_s, log.read_text(encoding="utf-8")
            time.sleep(POLL_S)
        (url,) = re.findall(r"^The API: (http://127\.0\.0\.1:\S+)$", log.read_text(encoding="utf-8"), re.MULTILINE)
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{url}/trade/orders", timeout=STOP_S_MAX)
        assert (refused.value.code, json.loads(refused.value.read())["error_code"]) == (401, 40100)
        for path, name in DOCUMENTS.items():
            with urllib.request.urlopen(f"{url}{path}", timeout=STOP_S_MAX) as shown:
                assert shown.read() == (ROOT / "chalicelib/apis/reference" / name).read_bytes(), path
                assert shown.headers["X-Content-Type-Options"] == "nosniff"
        cloud.send_signal(signal.SIGINT)
        assert cloud.wait(STOP_S_MAX) == 0
    finally:
        cloud.kill()
        cloud.wait(STOP_S_MAX)
    assert not engine_answers(port)
