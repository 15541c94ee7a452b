"""Conversions of the built-in types without time and without parts. Source: src/backend/utils/adt of PostgreSQL."""

from __future__ import annotations

import ipaddress
import math
import re
import struct
import uuid
from collections.abc import Mapping
from typing import Final

from timetracer_otel.errors import Unconvertible
from timetracer_otel.wire.postgres import oids
from timetracer_otel.wire.postgres.conversion import Conversion, checked, exactly, fixed

_NUMERIC: Final = struct.Struct("!HhHH")
_NEGATIVE: Final = 0x4000
_SPECIAL: Final = {"NaN": (0xC000, 0), "Infinity": (0xD000, 0x20), "-Infinity": (0xF000, 0x20)}
_SPECIAL_TEXTS: Final = {sign: text for text, (sign, _) in _SPECIAL.items()}
_DECIMAL: Final = re.compile(r"(-?)([0-9]+)(?:\.([0-9]+))?")


def float_text(value: float, digits: str, fixed_below: int) -> str:
    """`digits` as the server lays them out: plain from 1e-4 to 10^`fixed_below`."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    mantissa, _, power = digits.partition("e")
    sign = "-" if mantissa.startswith("-") else ""
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    significant = (whole + fraction).lstrip("0")
    if not significant.strip("0"):
        return f"{sign}0"
    exponent = len(whole) - 1 + int(power or 0) - (len(whole + fraction) - len(significant))
    significant = significant.rstrip("0")
    if -4 <= exponent < fixed_below:
        return sign + _plain(significant, exponent)
    rest = f".{significant[1:]}" if len(significant) > 1 else ""
    return f"{sign}{significant[0]}{rest}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"


def _plain(significant: str, exponent: int) -> str:
    if exponent < 0:
        return "0." + "0" * (-exponent - 1) + significant
    whole, fraction = significant[: exponent + 1].ljust(exponent + 1, "0"), significant[exponent + 1 :]
    return f"{whole}.{fraction}" if fraction else whole


def float8_text(value: float) -> str:
    """The server's shortest text of a double."""
    return float_text(value, repr(value), 15)


def _float8(raw: bytes) -> str:
    return float8_text(struct.unpack("!d", raw)[0])


def _float4(raw: bytes) -> str:
    """The shortest text that gives the same four bytes back."""
    (value,) = struct.unpack("!f", raw)
    for precision in range(1, 10):
        digits = f"{value:.{precision}g}"
        if math.isnan(value) or struct.pack("!f", float(digits)) == raw:
            return float_text(value, digits, 6)
    raise Unconvertible("a float4 without a short text")


def _numeric_text(raw: bytes) -> str:
    count, weight, sign, scale = _NUMERIC.unpack_from(raw)
    if sign in _SPECIAL_TEXTS:
        return _SPECIAL_TEXTS[sign]
    groups = struct.unpack(f"!{count}H", raw[_NUMERIC.size :])
    digits = "".join(f"{group:04d}" for group in groups)
    point = 4 * (weight + 1)  # how many of `digits` stand before the decimal point
    whole = digits[: max(point, 0)].ljust(point, "0").lstrip("0") or "0"
    fraction = ("0" * -point + digits if point < 0 else digits[point:]).ljust(scale, "0")
    if fraction[scale:].strip("0"):
        raise Unconvertible("a numeric with more digits than its scale")
    return ("-" if sign == _NEGATIVE else "") + whole + (f".{fraction[:scale]}" if scale else "")


def _numeric_binary(text: str) -> bytes:
    if text in _SPECIAL:
        sign, scale = _SPECIAL[text]
        return _NUMERIC.pack(0, 0, sign, scale)
    match = _DECIMAL.fullmatch(text)
    if match is None:
        raise Unconvertible("not a decimal")
    minus, whole, fraction = match[1], match[2].lstrip("0"), match[3] or ""
    whole = whole.zfill(-(-len(whole) // 4) * 4)
    padded = whole + fraction.ljust(-(-len(fraction) // 4) * 4, "0")
    groups = [int(padded[at : at + 4]) for at in range(0, len(padded), 4)]
    leading = next((at for at, group in enumerate(groups) if group), len(groups))
    weight = len(whole) // 4 - 1 - leading
    while groups and not groups[-1]:
        groups.pop()
    groups = groups[leading:]
    sign, weight = (_NEGATIVE if minus else 0, weight) if groups else (0, 0)
    return _NUMERIC.pack(len(groups), weight, sign, len(fraction)) + struct.pack(f"!{len(groups)}H", *groups)


def _bool_text(raw: bytes) -> str:
    return {b"\0": "f", b"\1": "t"}[raw]


def _bool_binary(text: str) -> bytes:
    return {"f": b"\0", "t": b"\1"}[text]


_ESCAPED_BYTE: Final = re.compile(rb"\\(\\|[0-3][0-7]{2})")


def bytea_binary(text: str) -> bytes:
    """From either spelling (`bytea_output` hex or escape)."""
    if text.startswith("\\x"):
        return bytes.fromhex(text[2:])
    return _ESCAPED_BYTE.sub(
        lambda match: b"\\" if match[1] == b"\\" else bytes([int(match[1], 8)]), text.encode("utf-8", "surrogateescape")
    )


def _char_text(raw: bytes) -> str:
    """The type "char": one byte."""
    (code,) = raw
    return "" if not code else chr(code) if code < 0x80 else f"\\{code:03o}"


def _char_binary(text: str) -> bytes:
    if len(text) > 1:
        return bytes([int(text[1:], 8)])
    return bytes([ord(text) if text else 0])


def _versioned_text(raw: bytes) -> str:
    if raw[:1] != b"\1":
        raise Unconvertible("a newer binary form")
    return raw[1:].decode()


def _xml_text(raw: bytes) -> str:
    """An XML declaration is changed on the way: the encoding that it names is that of the form."""
    if raw.lstrip().startswith(b"<?xml"):
        raise Unconvertible("with an XML declaration")
    return raw.decode()


def _address_text(raw: bytes, is_cidr: bool) -> str:
    bits, packed = raw[1], raw[4:]
    address = ipaddress.ip_address(packed)
    text = _dotted(packed) if len(packed) == 16 else None
    return (text or str(address)) + (f"/{bits}" if is_cidr or bits != address.max_prefixlen else "")


def _dotted(packed: bytes) -> str | None:
    """The server shows the last four bytes of some IPv6 addresses as IPv4. Source: pg_inet_net_ntop."""
    last = str(ipaddress.IPv4Address(packed[12:]))
    if packed[:12] == bytes(10) + b"\xff\xff":
        return f"::ffff:{last}"
    return f"::{last}" if not any(packed[:12]) and any(packed[12:14]) else None


def _address_binary(text: str, is_cidr: bool) -> bytes:
    host, _, bits = text.partition("/")
    address = ipaddress.ip_address(host)
    family = 2 if address.version == 4 else 3
    prefix = int(bits) if bits else address.max_prefixlen
    return bytes([family, prefix, is_cidr, len(address.packed)]) + address.packed


def _bits_text(raw: bytes) -> str:
    (count,) = struct.unpack_from("!i", raw)
    return "".join(f"{byte:08b}" for byte in raw[4:])[:count]


def _bits_binary(text: str) -> bytes:
    padded = text.ljust(-(-len(text) // 8) * 8, "0")
    return struct.pack("!i", len(text)) + bytes(int(padded[at : at + 8], 2) for at in range(0, len(padded), 8))


def _lsn_text(position: int) -> str:
    return f"{position >> 32:X}/{position & 0xFFFFFFFF:X}"


def _lsn(text: str) -> int:
    high, low = text.split("/")
    return int(high, 16) << 32 | int(low, 16)


def _tid_text(raw: bytes) -> str:
    block, offset = struct.unpack("!IH", raw)
    return f"({block},{offset})"


def _tid_binary(text: str) -> bytes:
    block, offset = text.strip("()").split(",")
    return struct.pack("!IH", int(block), int(offset))


def _mac(size: int) -> Conversion:
    return checked(lambda raw: exactly(raw.hex(), size).hex(":"), lambda text: exactly(text.replace(":", ""), size))


TEXT: Final = Conversion(bytes.decode, str.encode)
_VERSIONED: Final = Conversion(_versioned_text, lambda text: b"\1" + text.encode())
_BITS: Final = checked(_bits_text, _bits_binary)

SCALARS: Final[Mapping[int, Conversion]] = {
    **dict.fromkeys(oids.TEXT_LIKE, TEXT),
    oids.BOOL: checked(_bool_text, _bool_binary),
    oids.INT2: fixed("!h"),
    oids.INT4: fixed("!i"),
    oids.INT8: fixed("!q"),
    **dict.fromkeys((oids.OID, oids.XID, oids.CID), fixed("!I")),
    oids.XID8: fixed("!Q"),
    oids.PG_LSN: fixed("!Q", _lsn_text, _lsn),
    oids.TID: checked(_tid_text, _tid_binary),
    oids.FLOAT8: checked(_float8, lambda text: struct.pack("!d", float(text))),
    oids.FLOAT4: checked(_float4, lambda text: struct.pack("!f", float(text))),
    oids.NUMERIC: checked(_numeric_text, _numeric_binary),
    oids.BYTEA: Conversion(lambda raw: f"\\x{raw.hex()}", bytea_binary),
    oids.CHAR: checked(_char_text, _char_binary),
    oids.UUID: checked(lambda raw: str(uuid.UUID(bytes=raw)), lambda text: uuid.UUID(text).bytes),
    oids.JSONB: _VERSIONED,
    oids.JSONPATH: _VERSIONED,
    oids.XML: checked(_xml_text, str.encode),
    oids.INET: checked(lambda raw: _address_text(raw, False), lambda text: _address_binary(text, False)),
    oids.CIDR: checked(lambda raw: _address_text(raw, True), lambda text: _address_binary(text, True)),
    oids.MACADDR: _mac(6),
    oids.MACADDR8: _mac(8),
    oids.BIT: _BITS,
    oids.VARBIT: _BITS,
}
