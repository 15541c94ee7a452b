from __future__ import annotations

from timetracer_otel.cassette.recent import Recent

MANY = bytes(range(256)) * 100


def test_a_finding_is_known_for_equal_data_and_no_other() -> None:
    recent = Recent[str](1_000_000)
    recent.put(MANY, "found")
    assert recent.get(bytes(bytearray(MANY))) == "found"
    middle = len(MANY) // 2
    assert recent.get(MANY[:middle] + b"?" + MANY[middle + 1 :]) is None, "of the same size, with the same ends"
    assert recent.get(MANY[1:]) is None


def test_no_more_is_kept_than_it_may() -> None:
    recent = Recent[str](2 * len(MANY))
    for number in range(3):
        recent.put(MANY[:-1] + bytes([number]), str(number))
    found = [recent.get(MANY[:-1] + bytes([number])) for number in range(3)]
    assert found == [None, None, "2"]
    recent.put(MANY * 3, "too large")
    assert recent.get(MANY * 3) is None
    assert recent.get(MANY[:-1] + b"\2") == "2"
