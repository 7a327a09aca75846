"""The DynamoDB that a local run starts for itself: ministack, on this machine's loopback address only.

It holds everything in memory. It saves its tables when SIGINT stops it (not when it is killed) and loads them when it
starts; the records of its streams are gone then, so a start brings undecided commands back with a redrive.
"""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import sys
from pathlib import Path

from infra.processes import Child
from infra.settings import HOST

SAVE_BOUND_S = 30
_PASSED_ON = ("HOME", "LANG", "LC_ALL", "PATH", "TMPDIR", "TZ")


def start_engine(port: int, state_dir: Path, lock: int) -> Child:
    """Start the engine on a port, with what an earlier one saved.

    lock: the run's lock file; the engine keeps it open, so no other run touches the state before this one has saved.
    """
    state_dir.mkdir(parents=True, exist_ok=True)
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    environment |= {
        "BIND_HOST": HOST,
        "GATEWAY_PORT": str(port),
        "SERVICES": "dynamodb,dynamodbstreams",
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "PERSIST_STATE": "1",
        "STATE_DIR": str(state_dir),
        "LOG_LEVEL": "WARNING",
    }
    return Child("the local DynamoDB", [sys.executable, "-m", "infra.exact_engine"], environment, signal.SIGINT, [lock])


def engine_answers(port: int) -> bool:
    """Tell whether the engine on this port is ready."""
    connection = http.client.HTTPConnection(HOST, port, timeout=2)
    try:
        connection.request("GET", "/_ministack/health")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def forget_state(state_dir: Path) -> None:
    """Make the next start an empty one."""
    if state_dir.exists():
        shutil.rmtree(state_dir)
