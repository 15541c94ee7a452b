"""To what a connection listens."""

from __future__ import annotations

from timetracer_otel.wire.redis.topics import Topics


def test_what_is_listened_to_is_packed_once_and_again_when_it_changes() -> None:
    topics = Topics()
    topics.send(b"SUBSCRIBE", [b"news", b"art"])
    packed = topics.packed()
    assert packed == b"*3\r\n$9\r\nSUBSCRIBE\r\n$3\r\nart\r\n$4\r\nnews\r\n"
    assert topics.packed() is packed
    topics.send(b"UNSUBSCRIBE", [b"art"])
    assert topics.packed() == b"*2\r\n$9\r\nSUBSCRIBE\r\n$4\r\nnews\r\n"
    topics.clear()
    assert topics.packed() == b""
