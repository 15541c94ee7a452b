"""A command whose name server is ours: `unshare -rnm python -m tests.promises.dns_sink COMMAND ...`.

In namespaces of its own, so that port 53 and /etc/resolv.conf are ours to take. Prints the names that were asked for.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import threading

from timetracer_otel.replay.isolation import _raise_loopback

RESOLV_CONF = "/etc/resolv.conf"


def main(command: list[str]) -> None:
    _raise_loopback()
    with tempfile.NamedTemporaryFile("w", delete=False) as file:
        file.write("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
    subprocess.run(["mount", "--bind", file.name, RESOLV_CONF], check=True)
    names: list[str] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sink:
        sink.bind(("127.0.0.1", 53))
        threading.Thread(target=hear, args=(sink, names), daemon=True).start()
        status = subprocess.run(command, check=False, stdout=sys.stderr).returncode
    os.unlink(file.name)
    print(json.dumps({"status": status, "names": names}))


def hear(sink: socket.socket, names: list[str]) -> None:
    while True:
        query, sender = sink.recvfrom(4096)
        names.append(name_in(query))
        # No such name: that ends the search at once.
        sink.sendto(query[:2] + b"\x81\x83" + query[4:6] + bytes(6) + query[12:], sender)


def name_in(query: bytes) -> str:
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1 : at + 1 + query[at]].decode())
        at += 1 + query[at]
    return ".".join(labels)


if __name__ == "__main__":
    main(sys.argv[1:])
