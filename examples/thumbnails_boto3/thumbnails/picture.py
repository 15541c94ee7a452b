"""Grey pictures in the PGM format, which needs no library: `P2`, width, height, white, then the pixels."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Picture:
    width: int
    height: int
    white: int
    pixels: list[int]


def parse(data: bytes) -> Picture:
    """Raises ValueError for what is no PGM."""
    kind, width, height, white, *pixels = data.split()
    if kind != b"P2":
        raise ValueError("not a PGM picture")
    return Picture(int(width), int(height), int(white), [int(pixel) for pixel in pixels])


def dump(picture: Picture) -> bytes:
    head = f"P2 {picture.width} {picture.height} {picture.white}\n"
    return (head + " ".join(map(str, picture.pixels))).encode()


def shrunk(picture: Picture, width: int) -> Picture:
    """As wide as asked, and as high as fits to that."""
    step = picture.width / width
    height = round(picture.height * width / picture.width)
    rows, columns = range(height), range(width)
    pixels = [
        picture.pixels[int(row * step) * picture.width + int(column * step)] for row in rows for column in columns
    ]
    return Picture(width, height, picture.white, pixels)
