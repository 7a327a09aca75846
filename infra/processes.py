"""Child processes of a local run. Each has a session of its own, so that Ctrl-C reaches only the run, which stops them
in order.
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
    """A child process. ``stop_signal``: the signal on which it shuts down gracefully."""

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
        # preexec_fn is safe: the run starts its processes before any thread.
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
        """Send the stop signal and wait; kill the process after the bound. Return whether it ended by itself."""
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
    """The controlling terminal in whose foreground this process started, if there is one and nohup is not used.

    When it closes, the kernel signals only the session leader. A shell passes SIGHUP on; make, or another program that
    opened the terminal, may wait for its children instead. Create this before calling ``on_stop_signal``.
    """

    def __init__(self) -> None:
        self._number: int | None = None
        if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
            return
        try:
            number = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
        except OSError:  # no terminal
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


def on_stop_signal(handler: Callable[[int, FrameType | None], None]) -> None:
    """Call the handler on SIGINT, on SIGTERM, and on SIGHUP (the terminal closes)."""
    for number in STOP_SIGNALS:
        # A shell starts background jobs with SIGINT ignored, but an explicit SIGINT should stop the run. nohup stays.
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)


def _stopped_with_parent(stop_signal: signal.Signals) -> Callable[[], None] | None:
    """On Linux, return a function that makes the kernel send the stop signal when the parent dies, even by kill -9."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, int(stop_signal))

    return ask
