"""Bytes of a file, or of a backend's answer -> OTLP, in whichever of its forms they are. A stranger's are safe."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from typing import Any, Final

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # it has no types
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from timetracer_otel.cassette.allowance import Allowance
from timetracer_otel.cassette.compression import MAX_BYTES, decompress
from timetracer_otel.errors import DamagedCassette
from timetracer_otel.exporters.otlp.otlp_json import from_json

_GZIP: Final = b"\x1f\x8b"
_SPACE: Final = re.compile(rb"\s*")
_LENGTH_BYTES: Final = 4


def read(data: bytes, where: str) -> TracesData:
    """All traces in OTLP JSON (one object, or one a line), protobuf (plain, or as the Collector's file exporter writes
    it, each message after its length), or in a backend's answer; gzip and zstd are undone. Raises DamagedCassette."""
    try:
        plain = _gunzip(data) if data.startswith(_GZIP) else decompress(data)
        if plain[_end_of_space(plain) :][:1] in (b"{", b"["):
            return _from_text(plain)
        return _from_protobuf(plain)
    except (ValueError, RecursionError) as error:
        raise DamagedCassette(where, " ".join(str(error).split())) from None
    except MemoryError:
        raise DamagedCassette(where, "there is not enough memory to read it") from None


def _gunzip(data: bytes) -> bytes:
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        plain = unpacker.decompress(data, MAX_BYTES)
    except zlib.error as error:
        raise ValueError(f"damaged gzip ({error})") from None
    if unpacker.unconsumed_tail:
        raise ValueError("larger than any cassette once it is unpacked")
    if not unpacker.eof:
        raise ValueError("gzip that was cut")
    return plain


# ---- JSON ------------------------------------------------------------------------------------------------------------


def _from_text(text: bytes) -> TracesData:
    """One JSON document after another, with or without line breaks between them."""
    Allowance().take(text)
    data = TracesData()
    for document in _documents(text):
        data.MergeFrom(from_json(_without_wrapping(document)))
    return data


def _documents(text: bytes) -> Iterator[Any]:
    import orjson

    try:
        yield orjson.loads(text)
        return
    except ValueError:
        pass
    from json import JSONDecodeError, JSONDecoder

    whole, decoder = text.decode("utf-8", "strict"), JSONDecoder()
    start = _end_of_space(text)
    place = len(text[:start].decode())
    while place < len(whole):
        try:
            document, place = decoder.raw_decode(whole, place)
        except JSONDecodeError as error:
            raise ValueError(f"no JSON at line {whole.count(chr(10), 0, error.pos) + 1} ({error.msg})") from None
        yield document
        while place < len(whole) and whole[place].isspace():
            place += 1


def _without_wrapping(document: Any) -> Any:
    """Jaeger's gateway puts its answers into `{"result": ...}`."""
    if isinstance(document, dict) and set(document) == {"result"}:
        return document["result"]
    return document


def _end_of_space(text: bytes) -> int:
    found = _SPACE.match(text)
    return found.end() if found is not None else 0


# ---- protobuf --------------------------------------------------------------------------------------------------------


def _from_protobuf(plain: bytes) -> TracesData:
    framed = _framed(plain)
    data = TracesData()
    try:
        for message in (plain,) if framed is None else framed:
            data.MergeFromString(message)
    except DecodeError:
        raise ValueError("neither OTLP JSON nor OTLP protobuf") from None
    if not any(scope.spans for resource in data.resource_spans for scope in resource.scope_spans):
        raise ValueError("it holds no spans")
    return data


def _framed(plain: bytes) -> list[bytes] | None:
    """Messages that each follow their length, as the Collector's file exporter writes them; None if these are none."""
    messages: list[bytes] = []
    place = 0
    while place < len(plain):
        end = place + _LENGTH_BYTES
        size = int.from_bytes(plain[place:end], "big")
        if size == 0 or end + size > len(plain):
            return None
        messages.append(plain[end : end + size])
        place = end + size
    return messages or None
