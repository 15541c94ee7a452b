"""What a client sends and what comes back, for transcripts."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence


def message(kind: bytes, body: bytes = b"") -> bytes:
    return kind + struct.pack("!I", len(body) + 4) + body


def startup(minor: int = 0, **parameters: str) -> bytes:
    body = struct.pack("!I", (3 << 16) + minor)
    body += b"".join(f"{name}\0{value}\0".encode() for name, value in parameters.items()) + b"\0"
    return struct.pack("!I", len(body) + 4) + body


def ssl_request(gss: bool = False) -> bytes:
    return struct.pack("!II", 8, 80877104 if gss else 80877103)


def cancel_request(pid: int, secret: int) -> bytes:
    return struct.pack("!IIII", 16, 80877102, pid, secret)


def query(sql: str) -> bytes:
    return message(b"Q", sql.encode() + b"\0")


def parse(name: str, sql: str, *oids: int) -> bytes:
    return message(b"P", f"{name}\0{sql}\0".encode() + struct.pack(f"!H{len(oids)}I", len(oids), *oids))


def bind(
    portal: str,
    statement: str,
    values: Sequence[bytes | None] = (),
    formats: Sequence[int] = (),
    result_formats: Sequence[int] = (),
) -> bytes:
    cells = b"".join(
        b"\xff\xff\xff\xff" if value is None else struct.pack("!I", len(value)) + value for value in values
    )
    body = f"{portal}\0{statement}\0".encode() + _codes(formats) + struct.pack("!H", len(values)) + cells
    return message(b"B", body + _codes(result_formats))


def describe(target: str, name: str) -> bytes:
    return message(b"D", f"{target}{name}\0".encode())


def execute(portal: str = "", max_rows: int = 0) -> bytes:
    return message(b"E", portal.encode() + b"\0" + struct.pack("!i", max_rows))


def close(target: str, name: str) -> bytes:
    return message(b"C", f"{target}{name}\0".encode())


SYNC = message(b"S")
FLUSH = message(b"H")


def _codes(codes: Sequence[int]) -> bytes:
    return struct.pack(f"!H{len(codes)}H", len(codes), *codes)


def transcript(data: bytes) -> list[str]:
    """Server messages, one line each: `T id:23/0 name:25/0`, `D 1 NULL`, `C SELECT 1`, `E 23505 text`, `Z T`."""
    return [_line(kind, body) for kind, body in _messages(data)]


def _messages(data: bytes) -> Iterator[tuple[str, bytes]]:
    while data:
        (length,) = struct.unpack_from("!I", data, 1)
        yield chr(data[0]), data[5 : 1 + length]
        data = data[1 + length :]


def _line(kind: str, body: bytes) -> str:
    if kind in "EN":
        fields = {chr(field[0]): field[1:].decode() for field in body.split(b"\0") if field}
        return f"{kind} {fields['C']} {fields['M']}"
    if kind == "T":
        return "T " + " ".join(_columns(body))
    if kind == "D":
        return "D " + " ".join(_cells(body))
    if kind == "t":
        return "t " + " ".join(map(str, struct.unpack_from(f"!{len(body) // 4}I", body, 2)))
    if kind in "CZ":
        return f"{kind} {body.decode().strip(chr(0))}"
    if kind == "S":
        name, value, _ = body.decode().split("\0")
        return f"S {name}={value}"
    return f"{kind} {body.hex()}".strip()


def _columns(body: bytes) -> Iterator[str]:
    at = 2
    for _ in range(struct.unpack_from("!H", body)[0]):
        end = body.index(b"\0", at)
        _, _, oid, _, _, fmt = struct.unpack_from("!IhIhih", body, end + 1)
        yield f"{body[at:end].decode()}:{oid}/{fmt}"
        at = end + 19


def _cells(body: bytes) -> Iterator[str]:
    at = 2
    for _ in range(struct.unpack_from("!H", body)[0]):
        (size,) = struct.unpack_from("!i", body, at)
        at += 4
        value = body[at : at + max(size, 0)]
        yield "NULL" if size < 0 else value.decode() if value.isascii() and b"\0" not in value else value.hex()
        at += max(size, 0)
