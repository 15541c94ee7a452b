"""A process under way, from the runner's side: how it is started, waited for, reached by signals, and ended."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

from timetracer_otel.replay.launch import Launch

STDERR: Final = 2
LOOK_S: Final = 0.2
"""How often it is looked whether somebody is debugging."""
PASSED_ON: Final = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGINT)


class Running:
    """`has_terminal`: it reads our stdin and stays in our session, so that Ctrl-C reaches it; what it leaves behind is
    left."""

    def __init__(self, how: Launch, is_program: bool, has_terminal: bool, output: int | None = None) -> None:
        """`is_program`: its stdout is its own; else what it prints goes to stderr, for stdout is the report's, or to
        the descriptor `output`."""
        self._has_terminal = has_terminal
        self._process = subprocess.Popen(
            how.command,
            env=how.environment,
            cwd=how.folder,
            stdin=None if has_terminal else subprocess.DEVNULL,
            stdout=None if is_program else (STDERR if output is None else output),
            stderr=output,
            start_new_session=not has_terminal,
        )
        self._ending = _descriptor_of(self._process.pid)

    @property
    def process_id(self) -> int:
        return self._process.pid

    @property
    def status(self) -> int:
        """As `subprocess` has it: negative for a signal. After `wait`."""
        return self._process.returncode

    def wait(self, timeout_s: float | None, is_paused: Callable[[], bool]) -> str | None:
        """How it ended before its time; None when it reached its end. While `is_paused`, no time passes."""
        try:
            with self._passing_signals():
                return None if self._ended_in(timeout_s, is_paused) else _late(timeout_s)
        finally:
            self._kill()

    def _ended_in(self, timeout_s: float | None, is_paused: Callable[[], bool]) -> bool:
        left_s = timeout_s
        while True:
            began_s = time.monotonic()
            if self._has_ended(left_s if left_s is None else min(left_s, LOOK_S)):
                return True
            if not is_paused():
                left_s = (left_s or 0) - (time.monotonic() - began_s)
            if (left_s or 0) <= 0:
                return False

    def _has_ended(self, within_s: float | None) -> bool:
        if within_s is not None and self._ending is not None:
            within_s = None if _is_readable(self._ending, within_s) else 0
        try:
            self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _kill(self) -> None:
        """Also what the app has left behind, where it has a session of its own."""
        try:
            if self._has_terminal:
                self._process.kill()
            else:
                os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._process.wait()
        if self._ending is not None:
            os.close(self._ending)
            self._ending = None

    @contextmanager
    def _passing_signals(self) -> Iterator[None]:
        """What would end us is the process's to answer: its exit code is ours, and it must not be left behind."""
        if threading.current_thread() is not threading.main_thread():  # only there handlers can be set
            yield
            return
        numbers = [one for one in PASSED_ON if self._has_terminal or one is not signal.SIGINT]
        before = {number: signal.signal(number, self._pass_on) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        if number != signal.SIGINT or not _is_in_foreground():
            self._process.send_signal(number)


def _descriptor_of(process_id: int) -> int | None:
    """Tells the end of a child at once, where `subprocess` looks for it every 50 ms. None where the kernel has none."""
    try:
        return os.pidfd_open(process_id)
    except (AttributeError, OSError):  # another system than Linux; an old one, or a sandbox
        return None


def _is_readable(descriptor: int, within_s: float) -> bool:
    looking = select.poll()
    looking.register(descriptor, select.POLLIN)
    return bool(looking.poll(within_s * 1000))


def _is_in_foreground() -> bool:
    """True when a terminal sends Ctrl-C to all of our group, the process included."""
    try:
        terminal = os.open(os.ctermid(), os.O_RDONLY | os.O_NOCTTY)
    except OSError:  # there is none
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)


def _late(timeout_s: float | None) -> str:
    return f"timed out after {timeout_s:g} s, before the end of the replay"
