"""The DynamoDB that a local run starts for itself: ministack, on this machine's loopback address only.

It holds everything in memory, saves its tables every half a minute and at its end (``exact_engine``), and loads them
when it starts; the records of its streams are gone then, so a start brings undecided commands back with a redrive.
"""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from infra.processes import Child
from infra.settings import HOST, StartRefused, cannot_be_written
from infra.state_file import FILE, StateUnreadable, read_state, ways_out

SAVE_BOUND_S = 120
_PASSED_ON = ("HOME", "LANG", "LC_ALL", "PATH", "TALLYBOOK_SAVE_EVERY_S", "TMPDIR", "TZ")


@dataclass(frozen=True, slots=True)
class Kept:
    """Where an engine keeps its tables.

    lock: the run's lock file; the engine holds it open, so no other run touches the state before this one has saved.
    run: a name of this run alone, which its saves bear.
    """

    state_dir: Path
    lock: int
    run: str


def start_engine(port: int, kept: Kept | None = None) -> Child:
    """Start the engine on a port, with what an earlier one saved; kept None: empty, and saving nothing."""
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    environment |= {
        "BIND_HOST": HOST,
        "GATEWAY_PORT": str(port),
        "SERVICES": "dynamodb,dynamodbstreams",
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "LOG_LEVEL": "WARNING",
    }
    if kept is not None:
        environment |= {
            "TALLYBOOK_STATE_DIR": str(kept.state_dir),
            "TALLYBOOK_STATE_LOCK": str(kept.lock),
            "TALLYBOOK_STATE_RUN": kept.run,
        }
    command = [sys.executable, "-m", "infra.exact_engine"]
    keeps_open = [] if kept is None else [kept.lock]
    return Child("the local DynamoDB", command, environment, signal.SIGINT, keeps_open)


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


def refuse_unusable_state(state_dir: Path) -> None:
    """Raise StartRefused where what earlier runs stored cannot be read, or nothing could be saved beside it."""
    try:
        state_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=state_dir):
            pass
    except OSError as error:
        raise cannot_be_written(state_dir, error) from error
    try:
        read_state(state_dir)
    except StateUnreadable as error:
        raise StartRefused(ways_out(state_dir, str(error))) from error


def what_is_lost(kept: Kept, exit_code: int) -> str | None:
    """Return what an engine that has ended did not save, by the file that it left; None where nothing is lost.

    exit_code: the engine's; negative where a signal ended it.
    """
    try:
        saved = read_state(kept.state_dir)
    except StateUnreadable as error:
        return f"WHAT WAS STORED IS LOST. {ways_out(kept.state_dir, str(error))}"
    of_this_run = saved is not None and saved.run == kept.run
    if saved is not None and of_this_run and saved.final and exit_code == 0:
        return None
    how = "COULD NOT SAVE" if exit_code >= 0 else f"WAS KILLED ({_signal_name(-exit_code)})"
    if saved is None:
        return f"THE LOCAL DYNAMODB {how}: WHAT THIS RUN STORED IS LOST; nothing was saved before."
    at = saved.at.strftime("%Y-%m-%d %H:%M:%S UTC")
    lost = f"WHAT WAS STORED SINCE {at} IS LOST" if of_this_run else "WHAT THIS RUN STORED IS LOST"
    return f"THE LOCAL DYNAMODB {how}: {lost}; what was saved at {at} is in {kept.state_dir / FILE}."


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)
