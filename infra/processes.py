"""The processes that a local run starts, each in a session of its own: Ctrl-C in the terminal reaches the run alone,
which then stops them in its order.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from types import FrameType

from infra.settings import ROOT

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_PR_SET_PDEATHSIG = 1


class Child:
    """A process that was started here. ``stop_signal`` is the one on which it ends by itself, in good order."""

    def __init__(
        self,
        name: str,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        stop_signal: signal.Signals,
        keeps_open: Sequence[int] = (),
    ) -> None:
        self.name = name
        self._stop_signal = stop_signal
        # The function in the child is safe: no thread runs yet when the run starts its processes.
        self._process = subprocess.Popen(
            arguments,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            pass_fds=keeps_open,
            preexec_fn=_stopped_with_parent(stop_signal),
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def exit_code(self) -> int | None:
        """Return None while the process runs."""
        return self._process.poll()

    def stop(self, bound_s: float) -> bool:
        """Ask the process to end and wait; after the bound, kill it. Returns whether it ended by itself."""
        if self._process.poll() is not None:
            return True
        self._process.send_signal(self._stop_signal)
        try:
            self._process.wait(bound_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            return False
        return True


class Terminal:
    """The terminal in whose foreground this process was started, if there is one and nohup did not part them.

    When it closes, the kernel tells the leader of its session alone: a shell passes SIGHUP on, but make, or whatever a
    terminal was opened for, may wait for its children instead. To be made before ``when_asked_to_stop``.
    """

    def __init__(self) -> None:
        self._number: int | None = None
        if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
            return
        try:
            number = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
        except OSError:  # there is none
            return
        try:
            in_foreground = os.tcgetpgrp(number) == os.getpgrp()
        except OSError:
            in_foreground = False
        if in_foreground:
            self._number = number
        else:
            os.close(number)

    @property
    def is_closed(self) -> bool:
        if self._number is None:
            return False
        try:
            os.tcgetpgrp(self._number)
        except OSError:
            return True
        return False


def when_asked_to_stop(handler: Callable[[int, FrameType | None], None]) -> None:
    """Have the handler called on Ctrl-C, on SIGTERM, and when the terminal closes."""
    for number in STOP_SIGNALS:
        # A shell starts background jobs with SIGINT ignored; whoever sends one all the same means it. nohup stays.
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)


def _stopped_with_parent(stop_signal: signal.Signals) -> Callable[[], None] | None:
    """On Linux, have the kernel send the stop signal when this process dies, however it dies (kill -9 too)."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, int(stop_signal))

    return ask
