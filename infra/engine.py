"""The DynamoDB emulator of a local run: ministack on the loopback address.

It holds its tables in memory, saves them every 30 s and when it stops (``exact_engine``), and loads them at start.
Stream records of more than a minute ago are not saved, so each start redrives the undecided commands.
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

from infra.exact_engine import DYNAMODB
from infra.processes import Child
from infra.settings import HOST, StartRefused, cannot_be_written
from infra.state_file import FILE, StateUnreadable, read_state, recovery_options

SAVE_BOUND_S = 120
_PASSED_ON = ("HOME", "LANG", "LC_ALL", "PATH", "TALLYBOOK_SAVE_EVERY_S", "TMPDIR", "TZ")


@dataclass(frozen=True, slots=True)
class EngineStorage:
    """Where an engine saves its tables.

    lock: the run's lock file; the engine holds it open, so no other run touches the state before the last save. run:
    this run's unique name, stored in each save.
    """

    state_dir: Path
    lock: int
    run: str


def start_engine(port: int, kept: EngineStorage | None = None) -> Child:
    """Start the engine on a port with the saved tables. kept None: start empty and save nothing."""
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    environment |= {
        "BIND_HOST": HOST,
        "GATEWAY_PORT": str(port),
        "SERVICES": DYNAMODB,
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
    """Return whether the engine on this port is ready."""
    connection = http.client.HTTPConnection(HOST, port, timeout=2)
    try:
        connection.request("GET", "/_ministack/health")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def forget_state(state_dir: Path) -> None:
    """Delete the saved tables."""
    if state_dir.exists():
        shutil.rmtree(state_dir)


def refuse_unusable_state(state_dir: Path) -> None:
    """Raise StartRefused if the saved tables cannot be read, or if the directory cannot be written."""
    try:
        state_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=state_dir):
            pass
    except OSError as error:
        raise cannot_be_written(state_dir, error) from error
    try:
        read_state(state_dir)
    except StateUnreadable as error:
        raise StartRefused(recovery_options(state_dir, str(error))) from error


def unsaved_data(kept: EngineStorage, exit_code: int) -> str | None:
    """Return a message on what an ended engine did not save, by its state file; None if nothing is lost.

    exit_code: the engine's; negative if a signal ended it.
    """
    try:
        saved = read_state(kept.state_dir)
    except StateUnreadable as error:
        return f"WHAT WAS STORED IS LOST. {recovery_options(kept.state_dir, str(error))}"
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
