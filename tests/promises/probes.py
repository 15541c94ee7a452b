"""Tries every way out of a process that Python has: `python -m tests.promises.probes TARGETS`, as JSON.

Prints for each attempt what came of it and the seconds it took, and for what must go on working whether it does.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

TARGETS: dict[str, Any] = json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}
HOST = "127.0.0.1"
CODE = "import socket, sys; socket.create_connection(('127.0.0.1', int(sys.argv[1])), timeout=2).sendall(b'x')"


def tcp(port: int) -> None:
    with socket.create_connection((HOST, port), timeout=2) as connection:
        connection.sendall(b"x")


def tcp6() -> None:
    with socket.create_connection(("::1", TARGETS["tcp6"]), timeout=2) as connection:
        connection.sendall(b"x")


def without_blocking() -> None:
    """As HTTP clients do it; the error is a number."""
    with socket.socket() as connection:
        connection.setblocking(False)
        error = connection.connect_ex((HOST, TARGETS["raw"]))
        if error not in (0, 115):
            raise OSError(error, os.strerror(error))
        select.select([], [connection], [], 2)
        connection.sendall(b"x")


def on_a_loop() -> None:
    async def main() -> None:
        _, writer = await asyncio.open_connection(HOST, TARGETS["loop"])
        writer.write(b"x")
        await writer.drain()
        writer.close()

    asyncio.run(main())


def on_a_loop_by_hand() -> None:
    async def main() -> None:
        with socket.socket() as connection:
            connection.setblocking(False)
            await asyncio.get_running_loop().sock_connect(connection, (HOST, TARGETS["sock_connect"]))

    asyncio.run(main())


def datagram() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"x", (HOST, TARGETS["sendto"]))


def datagrams_of_a_message() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendmsg([b"x"], [], 0, (HOST, TARGETS["sendmsg"]))


def datagrams_of_a_loop() -> None:
    async def main() -> None:
        address = HOST, TARGETS["endpoint"]
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            asyncio.DatagramProtocol, None, address
        )
        transport.sendto(b"x")
        transport.close()

    asyncio.run(main())


def unix(name: str) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(TARGETS[name])


def in_a_process(*options: str) -> Callable[[], None]:
    def run() -> None:
        command = [sys.executable, *options, "-c", CODE, str(TARGETS["child"])]
        done = subprocess.run(command, check=False, stderr=subprocess.PIPE, text=True)
        if done.returncode:
            raise OSError(done.stderr.splitlines()[-1])

    return run


def by_curl() -> None:
    subprocess.run(["curl", "-s", "-m", "2", f"http://{HOST}:{TARGETS['child']}/"], check=False)


def by_a_shell() -> None:
    if os.system(f"curl -s -m 2 http://{HOST}:{TARGETS['child']}/"):
        return


def in_a_fork() -> None:
    child = os.fork()
    if child == 0:
        try:
            tcp(TARGETS["child"])
        except OSError:
            os._exit(1)
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        raise ConnectionRefusedError("in the child")


def by_becoming_curl() -> None:
    child = os.fork()
    if child == 0:
        try:
            os.execvp("curl", ["curl", "-s", "-m", "2", f"http://{HOST}:{TARGETS['child']}/"])
        except PermissionError:
            os._exit(77)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 77:
        raise PermissionError("in the child")


def by_multiprocessing() -> None:
    process = multiprocessing.get_context("spawn").Process(target=tcp, args=(TARGETS["spawn"],))
    process.start()
    process.join()
    if process.exitcode:
        raise ConnectionRefusedError("in the child")


ATTEMPTS: dict[str, Callable[[], None]] = {
    **{f"tcp {port}": (lambda port=port: tcp(port)) for port in TARGETS.get("tcp", [])},  # type: ignore[misc]  # a default
    "connect_ex": without_blocking,
    "open_connection": on_a_loop,
    "sock_connect": on_a_loop_by_hand,
    "sendto": datagram,
    "sendmsg": datagrams_of_a_message,
    "datagram endpoint": datagrams_of_a_loop,
    "unix path": lambda: unix("path"),
    "unix name": lambda: unix("name"),
    "fork": in_a_fork,
    "spawn": by_multiprocessing,
    "python": in_a_process(),
    "python -I": in_a_process("-I"),
    "python -S": in_a_process("-S"),
    "curl": by_curl,
    "shell": by_a_shell,
    "exec": by_becoming_curl,
    **({"tcp6": tcp6} if TARGETS.get("tcp6") else {}),
}


# ---- what stays ------------------------------------------------------------------------------------------------------


def a_server_of_our_own() -> None:
    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readline())
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(served, HOST, 0)
        reader, writer = await asyncio.open_connection("localhost", server.sockets[0].getsockname()[1])
        writer.write(b"x\n")
        assert await reader.readline() == b"x\n"
        writer.close()
        server.close()

    asyncio.run(main())


def a_loop_in_a_thread() -> None:
    thread = threading.Thread(target=a_server_of_our_own)
    thread.start()
    thread.join()


def a_pair() -> None:
    one, two = socket.socketpair()
    with one, two:
        one.sendall(b"x")
        assert two.recv(1) == b"x"


def a_server_in_a_child() -> None:
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        with socket.create_server((HOST, 0)) as server:
            os.write(write, str(server.getsockname()[1]).encode())
            server.accept()[0].close()
        os._exit(0)
    tcp(int(os.read(read, 10)))
    os.waitpid(child, 0)


STAYING = (a_server_of_our_own, a_loop_in_a_thread, a_pair, a_server_in_a_child)


def tried(call: Callable[[], None]) -> tuple[str, float]:
    began = time.monotonic()
    try:
        call()
        outcome = "reached"
    except OSError as error:
        outcome = type(error).__name__
    return outcome, time.monotonic() - began


if __name__ == "__main__":
    found = {name: tried(call) for name, call in ATTEMPTS.items()}
    stays = {call.__name__: tried(call)[0] for call in STAYING}
    print(json.dumps({"attempts": found, "stays": stays}))
