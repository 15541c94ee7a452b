"""What a process calls itself and its machine: a text that holds these names is another one in each process."""

from __future__ import annotations

import os
import re
import socket
from typing import Final

from timetracer_otel.cassette.model import Process

PID_MIN: Final = 3
"""Digits of a number that may be taken for that of a process: in a container it is 1 or 7, as is a count of anything.
Beside the name of the machine it may be as short as that."""

_HOST: Final = r"(?<![\w.-]){}(?![\w-])"
_NUMBER: Final = r"(?<![\w.]){}(?![\w.])"


class Machine:
    """The names of the recorded process, in place of those that this one has."""

    def __init__(self, process: Process) -> None:
        self._host, self._pid = process.host, process.pid
        self._here = socket.gethostname()

    def recorded(self, text: str) -> str:
        """As the recorded process would have written it."""
        pid = str(os.getpid())  # a forked child has its own
        names = _HOST.format(re.escape(self._here)) if self._host and self._here and self._here in text else None
        was_named = names is not None and re.search(names, text) is not None
        if self._pid and pid in text and (was_named or min(len(pid), len(str(self._pid))) >= PID_MIN):
            number = _NUMBER.format(pid)
            names = f"{names}|{number}" if names else number
        there = {self._here: self._host, pid: str(self._pid)}
        return re.sub(names, lambda found: there[found[0]], text) if names else text
