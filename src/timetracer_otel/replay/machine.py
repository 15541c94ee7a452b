"""What a process calls itself and its machine: a text that holds these names is another one in each process."""

from __future__ import annotations

import os
import re
import socket

from timetracer_otel.cassette.model import Process


class Machine:
    """The names of the recorded process, in place of those that this one has."""

    def __init__(self, process: Process) -> None:
        self._host, self._pid = process.host, process.pid
        self._here = socket.gethostname()

    def recorded(self, text: str) -> str:
        """As the recorded process would have written it."""
        pid = str(os.getpid())  # a forked child has its own
        if self._host and self._here in text:
            text = re.sub(rf"(?<![\w.-]){re.escape(self._here)}(?![\w-])", lambda _: self._host, text)
        if self._pid and pid in text:
            text = re.sub(rf"(?<![\w.]){pid}(?![\w.])", str(self._pid), text)
        return text
