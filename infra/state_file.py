"""The state file of the local DynamoDB: verified before use, replaced atomically, with the previous version kept.

The file is one JSON object whose last member is the SHA-256 of all bytes before it, so a truncated or altered file is
detected. A new version is written to a temporary file, flushed and renamed; the old one stays as
``dynamodb.previous.json``.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FORMAT = 1
FILE, PREVIOUS, UNFINISHED = "dynamodb.json", "dynamodb.previous.json", "dynamodb.tmp"
_FORMAT_MEMBER = "tallybook_state"
_DIGEST_MEMBER = b',\n"sha256": "'
_END = b'"}\n'
_END_LENGTH = len(_DIGEST_MEMBER) + 64 + len(_END)


class StateUnreadable(Exception):
    """A state file exists but is not a valid save. The message says why."""


@dataclass(frozen=True, slots=True)
class SavedState:
    """The content of a state file.

    engine_format: version of ``payload``, the engine's own form. run: the run that saved it. at: the time of the
    snapshot, UTC. final: whether it is that run's last save, at shutdown. last_sequence: the highest stream sequence
    number so far.
    """

    engine_format: int
    run: str
    at: datetime
    final: bool
    last_sequence: int
    payload: dict[str, list[list[Any]]]


def read_state(folder: Path) -> SavedState | None:
    """Return the last save; None if there never was one. Raises StateUnreadable.

    A folder with only the previous version has lost the current one: that is unreadable, not empty.
    """
    file = folder / FILE
    if not file.exists() and (folder / PREVIOUS).exists():
        raise StateUnreadable("it is gone, while the state before it is there")
    return read_state_file(file) if file.exists() else None


def read_state_file(file: Path) -> SavedState:
    """Return the content of one state file. Raises StateUnreadable."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise StateUnreadable(error.strerror or str(error)) from error
    if not content:
        raise StateUnreadable("it is empty")
    body, end = content[:-_END_LENGTH], content[-_END_LENGTH:]
    if end != _end_of(body):
        raise StateUnreadable(_why_without_digest(content))
    found = json.loads(content)
    if found[_FORMAT_MEMBER] != FORMAT:
        raise StateUnreadable(f"its form is {found[_FORMAT_MEMBER]}, and this Tallybook reads form {FORMAT}")
    return SavedState(
        found["engine_format"],
        found["run"],
        datetime.fromisoformat(found["at"]),
        found["final"],
        found["last_sequence"],
        found["payload"],
    )


def write_state(folder: Path, state: SavedState) -> None:
    """Replace the saved state and keep the old one as the previous version. Raises OSError and then changes nothing."""
    facts = {
        _FORMAT_MEMBER: FORMAT,
        "engine_format": state.engine_format,
        "run": state.run,
        "at": state.at.astimezone(UTC).isoformat(),
        "final": state.final,
        "last_sequence": state.last_sequence,
        "payload": state.payload,
    }
    body = json.dumps(facts).encode()[:-1]  # without the closing brace
    unfinished = folder / UNFINISHED
    try:
        with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(body)
            file.write(_end_of(body))
            file.flush()
            os.fsync(file.fileno())
        _keep_previous(folder)
        unfinished.replace(folder / FILE)
    except BaseException:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
        raise
    _flush_names(folder)


def recovery_options(folder: Path, why: str) -> str:
    """Return the message for an unreadable state file: the file, the reason, and the user's options."""
    file, previous = folder / FILE, folder / PREVIOUS
    lines = [
        f"the tables that earlier runs stored cannot be read: {file}: {why}.",
        "Nothing was changed. The ways out:",
    ]
    with suppress(StateUnreadable):
        before = read_state_file(previous)
        at = before.at.strftime("%Y-%m-%d %H:%M:%S UTC")
        lines.append(f"  go on from the state before it, saved {at} and whole:  mv {previous} {file}")
    lines.append(f"  put a copy of your own in its place, if you have one:  {file}")
    lines.append("  begin anew, and lose what earlier runs stored:  make run FRESH=1")
    return "\n".join(lines)


def _end_of(body: bytes) -> bytes:
    return _DIGEST_MEMBER + hashlib.sha256(body).hexdigest().encode("ascii") + _END


def _why_without_digest(content: bytes) -> str:
    """Return why content without a valid digest is refused."""
    if content[-_END_LENGTH:].startswith(_DIGEST_MEMBER):
        return "bytes of it were changed after it was saved (its SHA-256 is another)"
    try:
        found = json.loads(content)
    except ValueError:
        return "it is cut short, or was written by something else"
    form = found.get(_FORMAT_MEMBER) if isinstance(found, dict) else None
    if form == FORMAT:
        return "bytes of it were changed after it was saved"
    if form is not None:
        return f"its form is {form}, and this Tallybook reads form {FORMAT}"
    return "an older Tallybook or something else wrote it: it has no SHA-256"


def _keep_previous(folder: Path) -> None:
    """Link the state file as the previous version, so that a complete file exists under one name at any moment."""
    file, previous = folder / FILE, folder / PREVIOUS
    if not file.exists():
        return
    linked = folder / f"{PREVIOUS}.tmp"
    linked.unlink(missing_ok=True)
    try:
        os.link(file, linked)
    except OSError:  # a file system without hard links
        file.replace(previous)
    else:
        linked.replace(previous)


def _flush_names(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
