"""From a test to its cassette's file: distinct, readable, short, and valid on every file system. Pure."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from pathlib import Path
from typing import Final

SUFFIX: Final = ".cassette.json"
WORDS_MAX: Final = 60
HASH_CHARS: Final = 12
_UNSAFE: Final = re.compile(r"[^a-z0-9]+")


def cassette_of(test_file: Path, test: str, folder: str) -> Path:
    """`tests/cassettes/test_orders/test-load-42-9f2c….cassette.json`, beside the file of the test.

    `test` is what follows the file in the test's id: `TestOrders::test_load[42]`.
    """
    return test_file.parent / folder / test_file.stem / file_name(test)


def file_name(test: str) -> str:
    """The hash of the exact id makes it distinct: two ids may differ in case only, or in how an accent is written."""
    digest = hashlib.sha256(test.encode("utf-8", "surrogatepass")).hexdigest()[:HASH_CHARS]
    return f"{_words(test)}-{digest}{SUFFIX}"


def _words(test: str) -> str:
    plain = unicodedata.normalize("NFKD", test).encode("ascii", "ignore").decode().lower()
    return _UNSAFE.sub("-", plain).strip("-")[:WORDS_MAX].rstrip("-") or "test"
