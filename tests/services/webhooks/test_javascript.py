"""The official JavaScript library verifies what is posted, as it is posted.

Needs npm, which CI installs; elsewhere the test is left out where there is none. The library's versions and their
hashes stand in ``javascript/package-lock.json``.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from chalicelib.support.clock import now_ms
from chalicelib.tables.dynamodb import Database
from tests.services.webhooks.world import OPERATOR, URL, Hooks, event

SCRIPT = Path(__file__).parent / "javascript"
INSTALL_S_MAX, VERIFY_S_MAX = 300, 60

pytestmark = pytest.mark.skipif(shutil.which("npm") is None and not os.environ.get("CI"), reason="there is no npm here")


@pytest.fixture(scope="module")
def verifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the script and the library."""
    folder = tmp_path_factory.mktemp("javascript")
    for file in SCRIPT.iterdir():
        if file.is_file():
            shutil.copy(file, folder)
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=INSTALL_S_MAX)
    return folder


def verified(verifier: Path, secret: str, body: bytes, headers: dict[str, str]) -> object:
    """Return the event as the library gives it; None if it refuses the request."""
    request = json.dumps({"secret": secret, "body": body.decode(), "headers": headers})
    done = subprocess.run(
        ["node", "verify.js"],
        cwd=verifier,
        input=request,
        text=True,
        capture_output=True,
        timeout=VERIFY_S_MAX,
        check=False,
    )
    assert done.returncode == 0 or "WebhookVerificationError" in done.stderr, done.stderr
    return json.loads(done.stdout) if done.returncode == 0 else None


def test_the_javascript_library_verifies_each_secret_of_a_rotation_and_refuses_others(
    verifier: Path, memory_database: Database
) -> None:
    hooks = Hooks(memory_database, now_ms=now_ms())
    old = hooks.desk.create(OPERATOR, URL, ("*",))
    new = hooks.desk.rotate(OPERATOR, old.endpoint.endpoint_id)
    hooks.receive(event(1, body={"name": "Zoë"}))
    hooks.work()
    (request,) = hooks.receiver.requests
    sent, headers = json.loads(request.body), dict(request.headers)
    assert sent["body"] == {"name": "Zoë"}
    for secret in (old.secret, new.secret):
        assert verified(verifier, secret, request.body, headers) == sent
    other = hooks.desk.create(OPERATOR, URL, ("*",)).secret
    assert verified(verifier, other, request.body, headers) is None
    assert verified(verifier, new.secret, request.body + b" ", headers) is None
    assert verified(verifier, new.secret, request.body, headers | {"webhook-id": "evt_other"}) is None
