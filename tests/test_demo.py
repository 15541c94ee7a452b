"""The demo does what it says, and every request of its shop replays the same with PostgreSQL stopped."""

from __future__ import annotations

import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.demonstration import ROOT, TIMEOUT_S, Demonstration, environment
from tests.servers.jaeger import JaegerServer
from tests.there_and_back import assert_come_back
from timetracer_otel.cassette import decompress

pytestmark = pytest.mark.postgres

REQUESTS = 13
DIGEST = b"f60a248d4bdc945ca37e599fc31233499713e869b1765e6a125a7385d6e0008a"
"""What schema.sql gives ming@example.com for a password."""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demonstration:
    """As `scripts/demo` runs it for a user, with all that is installed."""
    folder = tmp_path_factory.mktemp("users-demo") / "shop"
    command = [sys.executable, str(ROOT / "examples" / "demo.py"), str(folder)]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    return Demonstration(folder, done.stdout + done.stderr, done.returncode)


def part(demo: Demonstration, number: int) -> str:
    """What the demo printed under its heading of that number."""
    return demo.output.partition(f"--- {number}. ")[2].partition("\n--- ")[0]


def test_each_step_of_the_demo_ends_as_it_must(demo: Demonstration) -> None:
    assert demo.status == 0, demo.output


def test_the_failing_request_fails_in_replay_as_it_did(demo: Demonstration) -> None:
    shown = part(demo, 3)
    assert "same " in shown
    assert "TypeError: unsupported operand type(s) for +: 'decimal.Decimal' and 'NoneType'" in shown
    assert 'payable: Decimal = goods + order["shipping"]' in shown


def test_the_fixed_code_deviates_by_its_response_alone(demo: Demonstration) -> None:
    shown = part(demo, 4)
    assert "status: recorded 500, replayed 200" in shown
    assert "no recorded answer" not in shown
    assert "recorded but not made" not in shown


def test_the_changed_statement_is_one_miss_that_is_explained(demo: Demonstration) -> None:
    shown = part(demo, 5)
    assert shown.count("no recorded answer for  SELECT l.sku") == 1
    assert "asked by  shop/orders.py" in shown
    assert "1 miss" in shown


def test_the_demo_ends_with_what_to_try_next(demo: Demonstration) -> None:
    try_next = demo.output.rstrip().splitlines()[-2:]
    assert try_next[0].strip().startswith("OTEL_TRACES_EXPORTER=timetracer opentelemetry-instrument")
    assert try_next[1].strip().startswith("timetracer-otel list")


def test_requests_of_the_shop_replay_the_same(demo: Demonstration) -> None:
    traces = [str(trace["trace_id"]) for trace in demo.listed()]
    assert len(traces) == REQUESTS
    assert _replayed(demo, traces[1::4]) == dict.fromkeys(traces[1::4], "same")


def test_requests_of_the_shop_replay_the_same_from_bundles_elsewhere(demo: Demonstration, tmp_path: Path) -> None:
    bundles = []
    for trace in demo.listed()[::6]:
        target = tmp_path / f"{trace['trace_id']}.cassette.json"
        written = demo.run("timetracer-otel", "bundle", trace["trace_id"], "-o", str(target))
        assert written.stdout == f"{target}\n", written.stderr
        bundles.append(str(target))
    assert _replayed(demo, bundles, "--store", str(tmp_path)) == dict.fromkeys(bundles, "same")


def test_every_request_of_the_shop_comes_back_from_jaeger_and_replays_the_same(
    demo: Demonstration, jaeger: JaegerServer, tmp_path: Path
) -> None:
    assert_come_back(jaeger, demo, tmp_path)


def test_no_password_of_the_demo_is_in_any_file(demo: Demonstration) -> None:
    """R46, in a service: the form, the digest that the statement compares, and the token that the cookie carries."""
    files = [path for path in (demo.folder / "cassettes").rglob("*") if path.is_file()]
    texts = [decompress(path.read_bytes()) for path in files]
    assert any(b"ming@example.com" in text for text in texts)
    assert not any(secret in text for text in texts for secret in (b"hunter", DIGEST))
    assert not any(re.search(rb"session=(?!\[redacted:)", text) for text in texts)


def _replayed(demo: Demonstration, cassettes: list[str], *options: str) -> dict[str, str]:
    """Each cassette's verdict; the whole output where the exit code is not 0."""

    def verdict(cassette: str) -> str:
        done = demo.run("timetracer-otel", "replay", cassette, *options)
        last = done.stdout.rstrip().rpartition("\n")[2]
        return last.split()[0] if done.returncode == 0 else done.stdout + done.stderr

    with ThreadPoolExecutor(4) as pool:
        return dict(zip(cassettes, pool.map(verdict, cassettes), strict=True))
